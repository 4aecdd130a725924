/**
 * The media of the one call this page is in, or may soon be in: at most one leg, at most one microphone.
 * Arms while it rings, speaks from the tap on, and lets go of everything when the call does.
 */
import ownCertificate from "./certificate.js";
import Leg from "./leg.js";

export default class CallMedia {
  /** The call that the leg is for, or "". */
  call = "";
  muted = false;
  /** Whether a microphone is open. */
  speaking = false;
  /** Who is heard in which slot. @type {{slot: number, handle: string}[]} */
  slots = [];
  #link;
  #onChange;
  /** @type {Leg|null} */ #leg = null;
  /** @type {MediaStreamTrack|null} */ #track = null;

  /**
   * @param {import("../live-link.js").default} link
   * @param {() => void} onChange
   */
  constructor(link, onChange) {
    this.#link = link;
    this.#onChange = onChange;
  }

  /** The leg's state, or "none". */
  get state() {
    return this.#leg?.state ?? "none";
  }

  /** @returns {Promise<string>} hash of this page's certificate */
  async fingerprint() {
    return (await ownCertificate()).fingerprint;
  }

  /**
   * Builds and connects the leg for `call`, without microphone. Does nothing when it stands already.
   * @param {string} call
   */
  async arm(call) {
    if (this.call === call && this.#leg) return;
    this.#closeLeg();
    this.call = call;
    const { certificate } = await ownCertificate();
    if (this.call !== call || this.#leg) return;
    const leg = new Leg(certificate, (kind, sdp) => this.#exchange(kind, sdp), this.#onChange);
    this.#leg = leg;
    if (this.#track) await leg.speak(this.#track);
    try {
      await leg.arm();
    } catch {
      if (this.#leg === leg) this.#closeLeg(); // armed again with the next snapshot
    }
    this.#onChange();
  }

  /**
   * Takes an open microphone; the person just tapped.
   * @param {MediaStreamTrack} track
   */
  async speak(track) {
    this.#track = track;
    this.speaking = true;
    this.muted = false;
    track.onended = () => {
      this.speaking = false; // unplugged, or taken back in the browser's settings
      this.#onChange();
    };
    this.#leg?.play();
    await this.#leg?.speak(track);
  }

  /** Lets sound out, in a tap that opens no microphone. */
  play() {
    this.#leg?.play();
  }

  /** How loud everybody is heard now, by handle, 0 to 1. @returns {Record<string, number>} */
  levels() {
    const levels = this.#leg?.levels() ?? [];
    return Object.fromEntries(this.slots.map(({ slot, handle }) => [handle, levels[slot] ?? 0]));
  }

  /** @param {boolean} muted */
  mute(muted) {
    this.muted = muted;
    if (this.#track) this.#track.enabled = !muted;
  }

  /** Ends leg and microphone at once. */
  close() {
    this.#closeLeg();
    if (this.#track) {
      this.#track.onended = null;
      this.#track.stop();
    }
    this.#track = null;
    this.speaking = false;
    this.muted = false;
    this.call = "";
  }

  #closeLeg() {
    this.slots = [];
    this.#leg?.close();
    this.#leg = null;
  }

  async #exchange(kind, sdp) {
    const answer = await this.#link.ask({ do: kind, call: this.call, sdp });
    return typeof answer.sdp === "string" ? answer.sdp : answer.sdp.answer;
  }
}
