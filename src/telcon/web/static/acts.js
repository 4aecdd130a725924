/**
 * What the person does besides ringing and answering. What closes takes effect here first and is told
 * to the node after; no node, link or peer can delay it.
 */
import { forgetIdentity } from "./identity.js";
import { Refused } from "./live-link.js";

export default class Acts {
  #page;
  /** @type {Set<string>} */ #listening = new Set();
  /** @type {Set<string>} */ #over = new Set();

  /** @param {import("./page.js").default} page */
  constructor(page) {
    this.#page = page;
  }

  /** Whether this page has left or ended `call`, whatever the node knows of it yet. */
  isOver(call) {
    return this.#over.has(call);
  }

  /** Whether this page hears `call` without a microphone. */
  isListening(call) {
    return this.#listening.has(call);
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

  /** Opens the microphone on a device that only listened; the person's other devices stay as they are. */
  async speak(call) {
    const track = await this.#page.opening.microphone(() => this.speak(call));
    if (!track) return;
    if (this.isOver(call) || this.#page.media.call !== call) return track.stop(); // it ended meanwhile
    this.#listening.delete(call);
    await this.#page.media.speak(track);
    this.#page.changed();
  }

  leave(call) {
    this.#end(call);
    this.#listening.delete(call);
    return this.ask({ do: "leave", call });
  }

  cancel(call) {
    this.#page.opening.stop();
    if (!call) return this.#page.changed(); // the node has not said yet which call it is
    this.#page.putAway(call);
    this.#end(call);
    return this.ask({ do: "cancel", call });
  }

  /**
   * @param {string} call
   * @param {string|null} [reason] in the language of the page
   */
  decline(call, reason = null) {
    this.#page.opening.forgetRefusal();
    this.#page.putAway(call);
    this.#end(call);
    return this.ask({ do: "decline", call, reason, lang: document.documentElement.lang });
  }

  hangUp(call) {
    this.#end(call);
    return this.ask({ do: "hang-up", call });
  }

  /** States anew what may be kept of `call`. @param {string} call @param {string} mode */
  keep(call, mode) {
    return this.ask({ do: "keep", call, mode });
  }

  /** Switches our recorder off for `reason`; without one, on again. @param {string} call @param {string|null} reason */
  recorder(call, reason) {
    return this.ask({ do: "recorder", call, reason, lang: document.documentElement.lang });
  }

  mute(call, muted) {
    this.#page.media.mute(muted);
    this.#page.changed();
    return this.ask({ do: "mute", call, muted });
  }

  /** The other side said that a call is over, before its entry came: nothing more is sent or heard. */
  hushed(call) {
    this.#end(call);
  }

  async signOut() {
    this.#page.media.close();
    try {
      await fetch("/sign-out", { method: "POST" });
      localStorage.clear();
      await forgetIdentity();
      location.reload();
    } catch {
      this.#page.trouble(new Refused("", ""));
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

  #end(call) {
    this.#over.add(call);
    if (this.#page.media.call === call) this.#page.media.close();
    this.#page.changed();
  }
}
