/**
 * Ring and answer: the two taps that open a microphone. Each waits for the node before anybody is
 * heard, and gives everything back when it comes to nothing.
 */
import { Refused } from "./live-link.js";
import openMicrophone, { isAllowed, NoMicrophone } from "./media/microphone.js";

const NEWS_MS = 300; // a refusal may arrive just before the state that explains it

export default class Opening {
  /** The line being rung, until a snapshot shows the call; or "". */
  pending = "";
  /** The call that this page rang last. */
  rang = "";
  /** Why there is no microphone, and what tries again. @type {{error: NoMicrophone, again: () => void}|null} */
  refusal = null;
  /** What may be kept of the next call, by line; audio where nobody has chosen. @type {Map<string, string>} */
  modes = new Map();
  /** Whether a microphone is being opened. */
  isOpening = false;
  #page;
  #stopped = false;
  /** @type {Set<string>} */ #answering = new Set();

  /** @param {import("./page.js").default} page */
  constructor(page) {
    this.#page = page;
  }

  /** Whether this page has just answered `call`. */
  isAnswering(call) {
    return this.#answering.has(call);
  }

  /** A snapshot came: is what was tapped on it? @param {Record<string, any>|null} call */
  arrived(call) {
    if (call && (call.call === this.rang || (!call.ended && call.line === this.pending))) this.pending = "";
  }

  /** Stops a ring that the node may not know of yet. */
  stop() {
    this.#stopped = true;
    this.pending = "";
  }

  forgetRefusal() {
    this.refusal = null;
    this.#page.changed();
  }

  /** @param {string} line */
  async ring(line) {
    if (this.pending) return;
    this.pending = line;
    this.rang = "";
    this.#stopped = false;
    this.#page.changed();
    const { media, acts } = this.#page;
    const track = await this.microphone(() => this.ring(line));
    if (!track || this.#stopped) {
      track?.stop();
      return this.#rung("");
    }
    await media.speak(track);
    const certificate = await media.fingerprint();
    const rung = await this.#ringOrAnswer({ do: "ring", line, mode: this.mode(line), certificate, topic: null });
    if (!rung && !this.#page.snapshot.call?.mine) media.close();
    else if (rung && this.#stopped) await acts.cancel(rung.call);
    this.#rung(rung?.call ?? "");
  }

  /** What may be kept of the next call on `line`. @param {string} line */
  mode(line) {
    return this.modes.get(line) ?? "audio";
  }

  /** @param {string} call @param {string} [most] what may be kept at most */
  async answer(call, most = "audio") {
    const { media } = this.#page;
    media.play();
    // Where no question comes up the answer need not wait for the microphone to warm up.
    const opening = this.microphone(() => this.answer(call, most));
    if (!(await isAllowed()) && !(await opening)) return;
    const answered = this.#answer(call, await media.fingerprint(), most);
    const track = await opening;
    if (track) await media.speak(track);
    if (!(await answered)) media.close();
    this.#page.changed();
  }

  /** Whom the person rings may be ringing here by now: then the same tap answers. */
  async #ringOrAnswer(act) {
    const { link } = this.#page;
    try {
      return this.#waiting(act.line)
        ? await this.#answer(this.#waiting(act.line), act.certificate, act.mode)
        : await link.ask(act);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      await link.nextState(NEWS_MS);
      if (this.#waiting(act.line)) return this.#answer(this.#waiting(act.line), act.certificate, act.mode);
      if (this.#page.snapshot.call?.side !== "both") this.#page.trouble(error);
      return null; // or the two rings have met: there is a call already
    }
  }

  #waiting(line) {
    const { call } = this.#page.snapshot;
    return call?.phase === "ringing" && call.side === "theirs" && call.line === line ? call.call : "";
  }

  /** @returns {Promise<{call: string}|null>} */
  async #answer(call, certificate, mode) {
    this.#answering.add(call);
    const answered = await this.#page.acts.ask({ do: "answer", call, certificate, mode });
    this.#answering.delete(call);
    return answered && { call };
  }

  #rung(call) {
    this.rang = call;
    if (call) this.arrived(this.#page.snapshot.call);
    else this.pending = "";
    this.#page.changed();
  }

  /** Opens the microphone, or says why not and keeps `again` for another try. @returns {Promise<MediaStreamTrack|null>} */
  async microphone(again) {
    this.refusal = null;
    this.isOpening = true;
    try {
      return await openMicrophone();
    } catch (error) {
      if (!(error instanceof NoMicrophone)) throw error;
      this.refusal = { error, again };
      this.#page.acts.ask({ do: "microphone-refused", why: error.why });
      this.#page.changed();
      return null;
    } finally {
      this.isOpening = false;
    }
  }
}
