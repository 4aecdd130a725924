/**
 * What a careful eye complains about on the screen that stands here now: `sight.complaints()` returns
 * sentences, none when all is well. Runs inside the page under test, in a world of its own.
 */
globalThis.sight = (() => {
  const TOUCH = 44;
  const MAIN = 64;
  const AA = 4.5;
  const AAA = 7;
  const SHAPE = 3; // WCAG 1.4.11: what is no text
  const CONTROLS = "button, a[href], input, textarea, select, summary, [role=button], [role=switch], [tabindex='0']";
  const paint = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

  const seen = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const inUse = (e) => seen(e) && !e.closest(".unseen, [aria-hidden=true][data-decor]");
  const words = (e) => (e.getAttribute("aria-label") || (e.labels?.length ? e.labels[0].querySelector("b, span")?.textContent : e.textContent) || e.placeholder || "").replace(/\s+/gu, " ").trim().slice(0, 40);
  const called = (e) => `${e.tagName.toLowerCase()}${e.className?.baseVal === undefined && e.className ? `.${e.className.split(" ").join(".")}` : ""} "${words(e)}"`;
  const all = (selector) => [...document.querySelectorAll(selector)].filter(inUse);

  /** Every piece of text that is seen, with the box it takes. */
  function texts() {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const parent = node.parentElement;
      if (!node.data.trim() || parent.closest("script, template, style, option") || !inUse(parent)) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      const box = range.getBoundingClientRect();
      if (box.width && box.height) found.push({ node, parent, box });
    }
    return found;
  }

  function overflow() {
    const root = document.documentElement;
    const wide = root.clientWidth; // a phone's innerWidth grows with what overflows
    const said = root.scrollWidth > wide ? [`the page is ${root.scrollWidth} px wide in ${wide}`] : [];
    const scrolled = (e) => e.parentElement?.closest("[data-scrolls]");
    for (const e of document.body.querySelectorAll("*")) {
      if (!inUse(e) || scrolled(e) || e.closest("svg")?.parentElement.closest("svg")) continue;
      if (e.closest("svg") && e.tagName !== "svg") continue; // the halo of a pulse may reach out
      const { left, right, width } = e.getBoundingClientRect();
      if (width && (left < -0.6 || right > innerWidth + 0.6)) said.push(`${called(e)} reaches from ${left} to ${right}`);
    }
    return said;
  }

  /** Text that its own box or a box around it does not show whole. */
  function cut() {
    const said = [];
    for (const e of document.body.querySelectorAll("*")) {
      if (!inUse(e) || e.closest("svg")) continue;
      const style = getComputedStyle(e);
      const across = style.overflowX !== "visible" && e.scrollWidth > e.clientWidth + 1;
      const tall = ["hidden", "clip"].includes(style.overflowY) && e.scrollHeight > e.clientHeight + 1;
      if (e.clientWidth && (across || tall) && e.textContent.trim()) said.push(`${called(e)} is cut`);
      if (style.textOverflow === "ellipsis" && e.scrollWidth > e.clientWidth) said.push(`${called(e)} ends in dots`);
      if (e.tagName === "TEXTAREA" && style.maxBlockSize === "none" && e.scrollHeight > e.clientHeight + 1) said.push(`${called(e)} hides lines`);
      if (e.tagName === "TEXTAREA" && e.clientHeight < Number.parseFloat(style.lineHeight || style.fontSize)) said.push(`${called(e)} is lower than a line`);
    }
    for (const { parent, box } of texts()) {
      const holder = parent.closest("button, .pill, .bubble, .card, .button, td, th");
      if (!holder) continue;
      const edge = holder.getBoundingClientRect();
      if (box.left < edge.left - 1 || box.right > edge.right + 1 || box.bottom > edge.bottom + 1) said.push(`${called(holder)} does not hold its text`);
    }
    return said;
  }

  /** Letters of two texts that lie on each other: always a fault, wherever the page is scrolled to. */
  function overlaps() {
    const boxes = texts().filter(({ parent }) => !floats(parent)).map(({ node, parent }) => {
      const range = document.createRange();
      range.selectNodeContents(node);
      const frame = scrolledIn(parent)?.getBoundingClientRect();
      const lines = [...range.getClientRects()].filter((a) => !frame || (a.top >= frame.top - 1 && a.bottom <= frame.bottom + 1));
      return { parent, lines };
    });
    const said = [];
    boxes.forEach((one, index) => {
      for (const other of boxes.slice(index + 1)) {
        const hit = one.lines.some((a) => other.lines.some((b) =>
          Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 7));
        if (hit) said.push(`${called(one.parent)} lies on ${called(other.parent)}`);
      }
    });
    return said;
  }

  /** The box inside the page in which `e` is scrolled. */
  function scrolledIn(e) {
    for (let at = e; at && at !== document.body; at = at.parentElement) {
      if (["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(at).overflowY)) return at;
    }
    return null;
  }

  function floats(e) {
    for (let at = e; at; at = at.parentElement) {
      if (["fixed", "sticky", "absolute"].includes(getComputedStyle(at).position) || at.closest("dialog")) return true;
    }
    return false;
  }

  function touch() {
    const said = [];
    for (const e of all(CONTROLS)) {
      if (e.tagName === "A" && getComputedStyle(e).display === "inline") continue; // a word in a sentence
      if (e.matches("[role=log], ol, ul")) continue; // focused to be scrolled by keys
      const boxes = [e, e.closest(".write"), ...(e.labels ?? [])].filter(Boolean).map((b) => b.getBoundingClientRect());
      const tall = Math.max(...boxes.map((b) => b.bottom)) - Math.min(...boxes.map((b) => b.top));
      const wide = Math.max(...boxes.map((b) => b.right)) - Math.min(...boxes.map((b) => b.left));
      if (tall < TOUCH - 0.1 || wide < TOUCH - 0.1) said.push(`${called(e)} is ${Math.round(wide)} x ${Math.round(tall)} px`);
    }
    for (const e of all(".keys > :is(button, a)")) {
      const { height } = e.getBoundingClientRect();
      if (height < MAIN - 0.1) said.push(`${called(e)}, a main control, is ${height} px high`);
    }
    return said;
  }

  /** What a hurried person wants is there without scrolling. */
  function reach() {
    return all(".keys > :is(button, a)").flatMap((e) => {
      const { top, bottom } = e.getBoundingClientRect();
      return top < 0 || bottom > innerHeight + 0.6 ? [`${called(e)} is out of reach: ${Math.round(top)} to ${Math.round(bottom)} of ${innerHeight}`] : [];
    });
  }

  /** Scrolled to its end, nothing readable stays under the keys. */
  function under() {
    return all(".keys").filter((e) => getComputedStyle(e).position === "sticky").flatMap((keys) => {
      const frame = scrolledIn(keys) ?? document.documentElement;
      const before = frame.scrollTop;
      frame.scrollTop = frame.scrollHeight;
      const edge = keys.getBoundingClientRect();
      const hit = (box) => box.bottom > edge.top + 14 && box.top < edge.bottom && box.right > edge.left && box.left < edge.right;
      const said = texts().filter(({ parent, box }) => !floats(parent) && hit(box)).map(({ parent }) => `${called(parent)} stays under the keys`);
      frame.scrollTop = before;
      return said;
    });
  }

  /** @param {string} css @returns {number[]} red, green, blue 0 to 255, alpha 0 to 1 */
  function colour(css) {
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = css;
    paint.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = paint.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  }

  function over([r, g, b, a], [r2, g2, b2]) {
    return [r * a + r2 * (1 - a), g * a + g2 * (1 - a), b * a + b2 * (1 - a), 1];
  }

  /** What lies behind `e`, from the page upwards; a gradient counts with its last colour. */
  function ground(e) {
    const layers = [];
    for (let at = e; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      const stops = style.backgroundImage.match(/(rgba?|color|oklab|oklch|hsla?)\([^()]*\)/gu);
      if (stops && at !== e) layers.push(stops.at(-1));
      layers.push(style.backgroundColor);
      if (style.backgroundColor && colour(style.backgroundColor)[3] === 1) break;
    }
    return layers.reverse().reduce((below, css) => over(colour(css), below), [255, 255, 255, 1]);
  }

  function light([r, g, b]) {
    const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  }

  function ratio(one, other) {
    const [a, b] = [light(one), light(other)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  }

  const isMain = (e) => e.closest("h1, h2, p, b, time, li, .pill, .state, .time, .bubble, .keys, .ring, dd, dt, label");

  function contrast() {
    const said = new Set();
    for (const { parent } of texts()) {
      if (parent.closest(":disabled, [aria-disabled=true]")) continue;
      const behind = ground(parent);
      const front = over(colour(getComputedStyle(parent).color), behind);
      const least = isMain(parent) ? AAA : AA;
      const is = ratio(front, behind);
      if (is < least) said.add(`${called(parent)} has ${is.toFixed(2)}:1, needs ${least}`);
    }
    for (const e of all("input, textarea")) {
      const behind = ground(e);
      if (!e.placeholder) continue;
      const is = ratio(over(colour(getComputedStyle(e, "::placeholder").color), behind), behind);
      if (is < AA) said.add(`${called(e)}: the placeholder has ${is.toFixed(2)}:1`);
    }
    for (const e of all(".line-picture .dot, .line-picture .run")) {
      const is = ratio(colour(getComputedStyle(e).stroke), ground(e));
      if (is < SHAPE) said.add(`${called(e)} of a line has ${is.toFixed(2)}:1`);
    }
    return [...said];
  }

  /** Each control shows that it has the keyboard. */
  function focus() {
    const before = document.activeElement;
    const said = all(CONTROLS).filter((e) => !e.disabled && e.tabIndex >= 0).flatMap((e) => {
      e.blur();
      e.focus({ preventScroll: true, focusVisible: true });
      if (document.activeElement !== e) return [`${called(e)} takes no focus`];
      const holders = [e, e.closest(".write")].filter(Boolean).map((at) => getComputedStyle(at));
      const ring = holders.find((s) => s.outlineStyle !== "none" && Number.parseFloat(s.outlineWidth) >= 2);
      const frame = holders.find((s) => s.boxShadow !== "none");
      if (!ring && !frame) return [`${called(e)} does not show its focus`];
      const behind = ground(e.parentElement);
      const is = ratio(colour(ring ? ring.outlineColor : frame.boxShadow), behind);
      return ring && is < SHAPE ? [`the focus of ${called(e)} has ${is.toFixed(2)}:1`] : [];
    });
    (before === document.body ? document.activeElement : before)?.[before === document.body ? "blur" : "focus"]({ preventScroll: true });
    return said;
  }

  /** What the Tab key should stop at, in the order in which it stands on the screen. */
  function stops() {
    return all(CONTROLS).filter((e) => !e.disabled && e.tabIndex >= 0 && (e.type !== "radio" || e.checked)).map(called);
  }

  /** Puts the keyboard before the first control, or behind the last. */
  function begin(atEnd) {
    document.getElementById("sight-edge")?.remove();
    const edge = document.createElement("span");
    edge.id = "sight-edge";
    edge.tabIndex = -1;
    document.body[atEnd ? "append" : "prepend"](edge);
    edge.focus({ preventScroll: true });
  }

  /** Where the keyboard is now: what it stands on, and what hides that. */
  function standing() {
    const e = document.activeElement;
    const { left, right, top, bottom } = e.getBoundingClientRect();
    const at = document.elementFromPoint((left + right) / 2, (Math.max(top, 0) + Math.min(bottom, innerHeight)) / 2);
    const hidden = bottom < 1 || top > innerHeight - 1 || !at || !(e.contains(at) || at.contains(e));
    return { name: e === document.body ? "" : called(e), hidden: hidden ? called(at ?? document.body) : "" };
  }

  /** What is drawn to say something, and cannot be told from what lies behind it. */
  function shapes() {
    return all(".line-picture .dot, .line-picture .stroke, .lamp, .face, .pill, .bubble").flatMap((e) => {
      const style = getComputedStyle(e, e.matches(".lamp") ? "::before" : null);
      const drawn = e.closest("svg") ? style.stroke : style.borderTopWidth === "0px" ? "" : style.borderTopColor;
      if (!drawn) return [`${called(e)} has no edge`];
      const is = ratio(over(colour(drawn), ground(e.parentElement)), ground(e.parentElement));
      return is < SHAPE ? [`${called(e)} has ${is.toFixed(2)}:1`] : [];
    });
  }

  return {
    controls: () => all("button, a, input, textarea").map(called), cut, shapes,
    begin, stops, standing,
    layout: () => [...new Set([...overflow(), ...cut(), ...overlaps(), ...touch(), ...under()])],
    reach, contrast, focus,
  };
})();
