/** The voice as a few bars; the newest loudness in the middle, older ones moving outwards. */
const BARS = 9;

export default class VoiceBars {
  #past = Array(Math.ceil(BARS / 2)).fill(0);
  #bars;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#bars = Array.from({ length: BARS }, () => document.createElement("i"));
    root.append(...this.#bars);
  }

  /** @param {number} loud 0 to 1 */
  show(loud) {
    this.#past.unshift(loud);
    this.#past.pop();
    const middle = (BARS - 1) / 2;
    this.#bars.forEach((bar, index) =>
      bar.style.setProperty("--l", this.#past[Math.abs(index - middle)].toFixed(2)));
  }
}
