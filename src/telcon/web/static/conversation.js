/**
 * Which messages of one line this page shows: the newest, as many older ones as were asked for, or a
 * piece from long ago that somebody searched for. What the node sends is added, never doubled.
 */
const PIECE = 50; // messages in a snapshot, and in an answer

export default class Conversation {
  #line;
  #ask;
  /** Those with a place in the log, oldest first. @type {Record<string, any>[]} */ #items = [];
  /** How many come before those shown; null: not asked yet. @type {number|null} */ #older = null;
  /** How many come after; 0: the newest are shown, and what comes is shown as well. */
  #newer = 0;

  /**
   * @param {string} line
   * @param {(act: Record<string, unknown>) => Promise<Record<string, any>|null>} ask the node
   */
  constructor(line, ask) {
    this.#line = line;
    this.#ask = ask;
  }

  get hasNewer() {
    return this.#newer > 0;
  }

  /** @param {Record<string, any>[]} newest of the snapshot, oldest first */
  items(newest) {
    if (this.hasNewer) return this.#items;
    const ids = new Set(newest.map((item) => item.id));
    const before = this.#items.filter((item) => !ids.has(item.id));
    const joins = before.length < this.#items.length; // else more came at once than a snapshot holds
    if (!joins) this.#older = null;
    const placed = newest.filter((item) => item.id.includes("#"));
    this.#items = joins ? [...before, ...placed] : placed;
    return [...this.#items, ...newest.filter((item) => !item.id.includes("#"))];
  }

  /** Whether there are older ones than those shown. */
  get hasOlder() {
    return this.#older === null ? this.#items.length >= PIECE : this.#older > 0;
  }

  async fetchOlder() {
    const answer = await this.#fetch(this.#items[0].id, "before");
    if (!answer) return;
    this.#items = [...answer.messages, ...this.#items];
    this.#older = answer.older;
  }

  async fetchNewer() {
    const answer = await this.#fetch(this.#items[this.#items.length - 1].id, "after");
    if (!answer) return;
    this.#items = [...this.#items, ...answer.messages];
    this.#newer = answer.newer;
  }

  /** Shows the message `id` among its neighbours. @param {string} id @returns {Promise<boolean>} */
  async goTo(id) {
    if (this.#items.some((item) => item.id === id)) return true;
    const answer = await this.#fetch(id, "around");
    if (!answer) return false;
    this.#items = answer.messages;
    this.#older = answer.older;
    this.#newer = answer.newer;
    return true;
  }

  /** Shows the newest again. */
  goToNewest() {
    this.#items = [];
    this.#older = null;
    this.#newer = 0;
  }

  #fetch(place, from) {
    return this.#ask({ do: "messages", line: this.#line, place, from });
  }
}
