/**
 * Notices that this page comes back: it is looked at again, the browser has thawed it, there is a network
 * again, or the whole device has slept. What looked open before may be long dead then.
 */
const TICK_MS = 1000;
const SLEPT_MS = 5000;

export default class Awake {
  #onBack;
  #tickedMs = Date.now();
  #timer = 0;

  /** @param {(slept: boolean) => void} onBack `slept`: paths may be gone too, not only news */
  constructor(onBack) {
    this.#onBack = onBack;
  }

  connect() {
    document.addEventListener("visibilitychange", this.#look);
    document.addEventListener("resume", this.#slept);
    addEventListener("pageshow", this.#shown);
    addEventListener("online", this.#slept);
    this.#timer = setInterval(this.#tick, TICK_MS);
  }

  disconnect() {
    document.removeEventListener("visibilitychange", this.#look);
    document.removeEventListener("resume", this.#slept);
    removeEventListener("pageshow", this.#shown);
    removeEventListener("online", this.#slept);
    clearInterval(this.#timer);
  }

  #look = () => {
    if (!document.hidden) this.#tick() || this.#onBack(false);
  };

  #shown = (/** @type {PageTransitionEvent} */ event) => {
    if (event.persisted) this.#slept();
  };

  #slept = () => {
    this.#tickedMs = Date.now();
    this.#onBack(true);
  };

  /** @returns {boolean} whether the timer has stood still */
  #tick = () => {
    const before = this.#tickedMs;
    this.#tickedMs = Date.now();
    const slept = this.#tickedMs - before > SLEPT_MS;
    if (slept) this.#onBack(true);
    return slept;
  };
}
