/**
 * Both voices as a few bars: ours on our side of the middle, theirs on theirs; the newest loudness in
 * the middle, older ones moving outwards.
 */
const BARS = 6; // a side

export default class VoiceBars {
  #sides;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#sides = ["ours", "theirs"].map((name) => {
      const side = document.createElement("span");
      side.className = name;
      const bars = Array.from({ length: BARS }, () => document.createElement("i"));
      side.append(...bars);
      root.append(side);
      return { past: Array(BARS).fill(0), bars: name === "ours" ? bars.reverse() : bars };
    });
  }

  /** @param {number} ours 0 to 1 @param {number} theirs 0 to 1 */
  show(ours, theirs) {
    this.#sides.forEach(({ past, bars }, index) => {
      past.unshift(index ? theirs : ours);
      past.pop();
      bars.forEach((bar, at) => bar.style.setProperty("--l", past[at].toFixed(2)));
    });
  }
}
