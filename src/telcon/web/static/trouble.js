/** A card at the foot of the page: an act was not carried out, why, and what to do. */
import { clone, parts, put } from "./parts.js";

const SHOWN_MS = 12_000;

export default class Trouble {
  #root;
  #timer = 0;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
  }

  /** @param {string} what @param {string} advice */
  show(what, advice) {
    const card = clone("t-trouble");
    const at = parts(card);
    put(at.what, what);
    put(at.advice, advice);
    at.close.addEventListener("click", () => this.hide());
    this.#root.replaceChildren(card);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.hide(), SHOWN_MS);
  }

  hide() {
    clearTimeout(this.#timer);
    this.#root.replaceChildren();
  }
}
