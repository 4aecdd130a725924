/** Small tools for screens: clone a template, find a part, say what it shows. No HTML strings anywhere. */
import { plain } from "./words.js";

/**
 * A new copy of the one element in template `id`.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function clone(id) {
  const template = /** @type {HTMLTemplateElement} */ (document.getElementById(id));
  return /** @type {HTMLElement} */ (template.content.firstElementChild.cloneNode(true));
}

/**
 * All parts below `root` by their names.
 * @param {HTMLElement} root
 * @returns {Record<string, any>}
 */
export function parts(root) {
  return Object.fromEntries(
    [...root.querySelectorAll("[data-part]")].map((node) => [node.getAttribute("data-part"), node]));
}

/**
 * Shows `text` in `node`, and touches nothing when it shows that already (screen readers would repeat it).
 * @param {Element} node
 * @param {string} text
 */
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Name, office, face and by whom they are stated.
 * @param {Record<string, any>} at
 * @param {{name: string, office: string}} person
 * @param {string} [stated]
 */
export function putPerson(at, person, stated = "") {
  put(at.name, plain(person.name));
  put(at.office, plain(person.office));
  if (at.face) put(at.face, initials(person.name));
  if (at.stated) {
    put(at.stated, stated);
    at.stated.hidden = !stated;
  }
}

/**
 * First letters of the first and last word.
 * @param {string} name
 */
export function initials(name) {
  const words = plain(name).split(/\s+/u).filter((word) => /^\p{L}/u.test(word));
  const picked = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return picked.map((word) => [...word][0].toLocaleUpperCase()).join("");
}

/**
 * Makes `list` show `items` in order; an item that stays keeps its node, its focus and its place. Two
 * with one key, as two of the other side's at one moment, are two nodes.
 * @template T
 * @param {HTMLElement} list
 * @param {T[]} items
 * @param {(item: T) => string} keyOf
 * @param {(item: T) => HTMLElement} make
 * @param {(node: HTMLElement, item: T) => void} update
 */
export function keyed(list, items, keyOf, make, update) {
  const old = new Map([...list.children].map((node) => [node.getAttribute("data-key"), node]));
  items.forEach((item, index) => {
    const key = keyOf(item);
    const node = /** @type {HTMLElement} */ (old.get(key) ?? make(item));
    old.delete(key);
    node.setAttribute("data-key", key);
    update(node, item);
    if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null);
  });
  while (list.children.length > items.length) list.lastElementChild.remove();
}
