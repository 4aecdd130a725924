/**
 * What the person does, each act from the tap to the node's answer. Closing always takes effect here
 * first and is told to the node after; opening waits for the node.
 */
import { Refused } from "./live-link.js";
import openMicrophone, { isAllowed, NoMicrophone } from "./media/microphone.js";

export default class Acts {
  /** The line being rung, until a snapshot shows the call; or "". */
  pending = "";
  /** The call that this page rang last. */
  rang = "";
  /** @type {{error: NoMicrophone, again: () => void}|null} */ refusal = null;
  #page;
  #cancelled = false;
  /** @type {Set<string>} */ #listening = new Set();
  /** @type {Set<string>} */ #over = new Set();
  /** @type {Set<string>} */ #opening = new Set();

  /** @param {import("./page.js").default} page */
  constructor(page) {
    this.#page = page;
  }

  /** Whether this page has left or ended `call`, whatever the node knows of it yet. */
  isOver(call) {
    return this.#over.has(call);
  }

  /** Whether this page has just answered or joined `call`. */
  isOpening(call) {
    return this.#opening.has(call);
  }

  /** Whether this page hears `call` without a microphone. */
  isListening(call) {
    return this.#listening.has(call);
  }

  /** A snapshot came: is what was tapped on it? @param {Record<string, any>|null} call */
  arrived(call) {
    if (call && (call.call === this.rang || (!call.ended && call.line === this.pending))) this.pending = "";
  }

  async ring(line) {
    if (this.pending) return;
    this.pending = line;
    this.#cancelled = false;
    this.#page.changed();
    const track = await this.#microphone(() => this.ring(line));
    if (!track || this.#cancelled) {
      track?.stop();
      return this.#rung("");
    }
    const { media } = this.#page;
    await media.speak(track);
    const answer = await this.ask({
      do: "ring", line, mode: "audio", certificate: await media.fingerprint(), topic: null,
    });
    if (!answer) media.close();
    else if (this.#cancelled) await this.cancel(answer.call);
    this.#rung(answer?.call ?? "");
  }

  async answer(call) {
    const again = () => this.answer(call);
    this.refusal = null;
    const { media } = this.#page;
    media.play();
    // Where no question comes up the answer need not wait for the microphone to warm up.
    const opening = this.#microphone(again);
    if (!(await isAllowed()) && !(await opening)) return;
    this.#opening.add(call);
    const answered = this.ask({ do: "answer", call, certificate: await media.fingerprint() });
    const track = await opening;
    if (track) await media.speak(track);
    if (!(await answered)) media.close();
    this.#opening.delete(call);
    this.#page.changed();
  }

  async join(call) {
    const { media } = this.#page;
    this.#listening.add(call);
    this.#over.delete(call);
    media.play();
    const joined = await this.ask({ do: "join", call, certificate: await media.fingerprint() });
    if (!joined) this.#listening.delete(call);
    this.#page.changed();
  }

  leave(call) {
    this.#end(call);
    this.#listening.delete(call);
    return this.ask({ do: "leave", call });
  }

  cancel(call) {
    this.#cancelled = true;
    this.pending = "";
    if (!call) return this.#page.changed();
    this.#page.putAway(call);
    this.#end(call);
    return this.ask({ do: "cancel", call });
  }

  decline(call, reason) {
    this.refusal = null;
    this.#page.putAway(call);
    this.#end(call);
    return this.ask({ do: "decline", call, reason });
  }

  hangUp(call) {
    this.#end(call);
    return this.ask({ do: "hang-up", call });
  }

  mute(call, muted) {
    this.#page.media.mute(muted);
    this.#page.changed();
    return this.ask({ do: "mute", call, muted });
  }

  async signOut() {
    this.#page.media.close();
    try {
      await fetch("/sign-out", { method: "POST" });
      location.reload();
    } catch {
      this.#page.trouble(new Refused("", ""));
    }
  }

  forgetRefusal() {
    this.refusal = null;
    this.#page.changed();
  }

  /** The other side said that a call is over, before its entry came: nothing more is sent or heard. */
  hushed(call) {
    this.#end(call);
  }

  #rung(call) {
    this.rang = call;
    if (call) this.arrived(this.#page.snapshot.call);
    else this.pending = "";
    this.#page.changed();
  }

  #end(call) {
    this.#over.add(call);
    if (this.#page.media.call === call) this.#page.media.close();
    this.#page.changed();
  }

  async #microphone(again) {
    try {
      this.refusal = null;
      return await openMicrophone();
    } catch (error) {
      if (!(error instanceof NoMicrophone)) throw error;
      this.refusal = { error, again };
      this.ask({ do: "microphone-refused", why: error.why });
      this.#page.changed();
      return null;
    }
  }

  /**
   * Asks the node; a refusal is shown to the person.
   * @param {Record<string, unknown>} act
   * @returns {Promise<Record<string, any>|null>} null when it was refused
   */
  async ask(act) {
    try {
      return await this.#page.link.ask(act);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#page.trouble(error);
      return null;
    }
  }
}
