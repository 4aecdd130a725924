/** Keeps the screen on while a call rings or is live. A browser that refuses is obeyed. */
export default class WakeLock {
  #wanted = false;
  /** @type {any} */ #held = null;
  #asking = false;

  connect() {
    document.addEventListener("visibilitychange", () => this.#ask()); // a hidden page has lost it
  }

  /** @param {boolean} wanted */
  hold(wanted) {
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    if (wanted) this.#ask();
    else this.#let();
  }

  async #ask() {
    const { wakeLock } = /** @type {any} */ (navigator);
    if (!this.#wanted || this.#held || this.#asking || document.hidden || !wakeLock) return;
    this.#asking = true;
    try {
      const held = await wakeLock.request("screen");
      held.addEventListener("release", () => (this.#held = this.#held === held ? null : this.#held));
      this.#held = held;
    } catch (error) {
      console.info("the screen may go dark", error); // low battery, or not allowed: the call goes on
    }
    this.#asking = false;
    if (!this.#wanted) this.#let();
  }

  #let() {
    this.#held?.release();
    this.#held = null;
  }
}
