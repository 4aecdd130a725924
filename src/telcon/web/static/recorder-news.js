/** Says aloud, once each time, that a recorder has stopped, or never began, where audio is to be recorded; then that it is on. */
import announce from "./announce.js";
import { say } from "./words.js";

const STARTS_MS = 4000; // a recorder that is not on by then has not begun

export default class RecorderNews {
  /** Which call is listened to, and since when; "" where nothing is to be recorded. */
  #call = "";
  #sinceMs = 0;
  /** Of each side, what is known. @type {Map<string, "on"|"told">} */ #sides = new Map();

  /** @param {Record<string, any>|null} call */
  look(call) {
    const heard = call?.phase === "live" && call.mine && call.mode === "audio" && !call.ended;
    const which = heard ? call.call : "";
    if (which !== this.#call) {
      this.#call = which;
      this.#sinceMs = performance.now();
      this.#sides.clear();
    }
    if (heard) ["ours", "theirs"].forEach((side) => this.#hear(side, call));
  }

  #hear(side, call) {
    if (call.recorders[side].on) {
      if (this.#sides.get(side) === "told") announce(say(`recorder.again.${side}`));
      this.#sides.set(side, "on");
    }
    // While the link is away nothing is heard of their recorder, well or not.
    else if (side === "theirs" && call.unsigned_since_us) return;
    else if (this.#sides.get(side) === "on" || (!this.#sides.has(side) && this.#late())) {
      this.#sides.set(side, "told");
      announce(say(`recorder.stopped.${side}`));
    }
  }

  #late() {
    return performance.now() - this.#sinceMs > STARTS_MS;
  }
}
