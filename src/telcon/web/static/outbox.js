/** Messages on their way to the own node: shown at once, gone from here when the node has them. */
import { nowUs } from "./clock.js";

export default class Outbox {
  /** @type {{id: string, line: string, text: string, time_us: number, ours: boolean, state: string}[]} */
  #items = [];
  #page;

  /** @param {import("./page.js").default} page */
  constructor(page) {
    this.#page = page;
  }

  /** @param {string} line */
  of(line) {
    return this.#items.filter((item) => item.line === line);
  }

  /**
   * @param {string} line
   * @param {string} text
   * @returns {Promise<boolean>} whether the node took it
   */
  async write(line, text) {
    const tag = crypto.getRandomValues(new Uint32Array(2)).join("-");
    const item = { id: tag, line, text, time_us: nowUs(), ours: true, state: "sending" };
    this.#items.push(item);
    this.#page.changed();
    const lang = document.documentElement.lang;
    const taken = await this.#page.acts.ask({ do: "message", line, text, tag, lang });
    this.#items = this.#items.filter((other) => other !== item);
    this.#page.changed();
    return Boolean(taken);
  }
}
