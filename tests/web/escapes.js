/**
 * What can be read on the page and has not come through the catalogue: `escapes()` returns it, with the
 * place. Names and what people wrote are data: they stand in <bdi>, under dir=auto or translate=no, as
 * initials in a face, or isolated within a sentence.
 */
globalThis.escapes = () => {
  const DATA = "bdi, .face, [dir=auto], [translate=no]";
  const isolated = /\u2068[^\u2068\u2069]*\u2069/gu;
  const bracketed = /⟦[^⟦⟧]*⟧/gu;

  /** What is left of `text` without sentences of the catalogue and without data put into them. */
  function rest(text) {
    let left = text;
    for (let before = null; before !== left;) {
      before = left;
      left = left.replace(isolated, "").replace(bracketed, "");
    }
    return /\p{L}/u.test(left) ? left.trim() : "";
  }

  function* texts() {
    const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const { parentElement } = node;
      if (parentElement.closest(`script, style, template, ${DATA}`)) continue;
      if (parentElement.closest("title")) yield ["title", node.data.replace(/^[^⟦]*$/u, "")]; // a name alone
      else yield [parentElement.tagName, node.data];
    }
    for (const name of ["aria-label", "placeholder", "title", "alt", "aria-description", "aria-valuetext", "label"]) {
      for (const node of document.querySelectorAll(`[${name}]`)) {
        if (!node.closest(DATA)) yield [`${node.tagName} ${name}`, node.getAttribute(name)];
      }
    }
  }

  return [...texts()].map(([place, text]) => [place, rest(text)]).filter(([, left]) => left)
    .map(([place, left]) => `${place}: ${left}`);
};
