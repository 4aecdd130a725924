/** What every screen has: a copy of its template, its parts by name, and the page it asks to act. */
import { clone, parts } from "../parts.js";

/**
 * @typedef {object} View what a screen shows, made anew for every change and every second
 * @property {Record<string, any>} snapshot
 * @property {Record<string, any>|null} call the call that this page shows
 * @property {Record<string, any>|null} line the line that the screen is about
 * @property {number} now the node's clock, µs
 */
export default class Screen {
  /**
   * @param {import("../page.js").default} page
   * @param {string} template
   */
  constructor(page, template) {
    this.page = page;
    this.root = clone(template);
    this.at = parts(this.root);
  }

  /** Shows `view`; called often, so it changes only what differs. @param {View} _view */
  render(_view) {}

  /** Escape was pressed. */
  escape() {}

  /** Undoes what reaches outside of `root`. */
  disconnect() {}
}
