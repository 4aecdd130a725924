/** Says aloud, once each time, that a recorder has stopped in a call where audio is to be recorded. */
import announce from "./announce.js";
import { say } from "./words.js";

export default class RecorderNews {
  /** The recorders that were on when last looked, and of which call. @type {Set<string>} */ #on = new Set();

  /** @param {Record<string, any>|null} call */
  look(call) {
    const now = new Set();
    const heard = call?.phase === "live" && call.mine && call.mode === "audio" && !call.ended;
    for (const side of heard ? ["ours", "theirs"] : []) {
      const key = `${call.call} ${side}`;
      if (call.recorders[side].on) now.add(key);
      else if (this.#on.has(key) && !unknown(call, side)) announce(say(`recorder.stopped.${side}`));
      else if (this.#on.has(key)) now.add(key);
    }
    this.#on = now;
  }
}

/** While the link is away nothing is heard of their recorder, well or not. */
function unknown(call, side) {
  return side === "theirs" && Boolean(call.unsigned_since_us);
}
