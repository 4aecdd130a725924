/**
 * The media of the one call this page is in, or may soon be in: at most one leg, at most one microphone.
 * Arms while it rings, speaks from the tap on, and lets go of everything when the call does.
 */
import ownCertificate from "../identity.js";
import Leg from "./leg.js";
import Quality, { sampleOf } from "./quality.js";
import Voice from "./voice.js";

const COUNT_MS = 1000;

export default class CallMedia {
  /** The call that the leg is for, or "". */
  call = "";
  /** Who is heard in which slot. @type {{slot: number, handle: string}[]} */
  slots = [];
  /** What the node knows of the sound, from its newest snapshot. @type {Record<string, number>|null} */
  node = null;
  voice;
  #link;
  #onChange;
  /** @type {Leg|null} */ #leg = null;
  #quality = new Quality();
  #counting = 0;

  /**
   * @param {import("../live-link.js").default} link
   * @param {() => void} onChange
   */
  constructor(link, onChange) {
    this.#link = link;
    this.#onChange = onChange;
    this.voice = new Voice(async (track) => this.#leg?.speak(track), onChange);
  }

  /** Whether a microphone is open. */
  get speaking() {
    return this.voice.track !== null;
  }

  get muted() {
    return this.voice.muted;
  }

  /** The leg's state, or "none". */
  get state() {
    return this.#leg?.state ?? "none";
  }

  /** Since when the leg has no path, on the node's clock, µs; or 0. */
  get lostAtUs() {
    return this.#leg?.lostAtUs ?? 0;
  }

  /** Cipher of the leg as the browser calls it, or "". */
  get suite() {
    return this.#quality.suite;
  }

  /** How the call sounds. @returns {import("./quality.js").Judgement} */
  judge() {
    return this.#quality.judge();
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
    const leg = new Leg(certificate, (kind, sdp) => this.#exchange(kind, sdp), this.#onChange, () => this.#rebuild(leg));
    this.#leg = leg;
    this.#counting = setInterval(() => this.#count(leg), COUNT_MS);
    if (this.voice.track) await leg.speak(this.voice.track);
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
    this.play();
    await this.voice.take(track);
  }

  /** Lets everybody be heard through the output as it is chosen now. @returns {Promise<boolean>} whether it is there */
  async sendOut() {
    return (await this.#leg?.sendOut()) ?? true;
  }

  /** Lets sound out, in a tap. */
  play() {
    this.#leg?.play();
  }

  /** The device has slept, or came to another network: is there still a path? */
  refresh() {
    this.#leg?.refresh();
  }

  /** How loud everybody is heard now, by handle, 0 to 1. @returns {Record<string, number>} */
  levels() {
    return Object.fromEntries(this.slots.map(({ slot, handle }) => [handle, this.#leg?.level(slot) ?? 0]));
  }

  /** @param {boolean} muted */
  mute(muted) {
    this.voice.mute(muted);
  }

  /** Ends leg and microphone at once. */
  close() {
    this.#closeLeg();
    this.voice.close();
    this.call = "";
  }

  #closeLeg() {
    clearInterval(this.#counting);
    this.#quality.forget();
    this.slots = [];
    this.#leg?.close();
    this.#leg = null;
  }

  /** The node gave the leg up while this device was away: a new one, for the same call. @param {Leg} leg */
  #rebuild(leg) {
    if (leg !== this.#leg) return;
    const { call } = this;
    this.#closeLeg();
    this.arm(call);
  }

  /** @param {Leg} leg */
  async #count(leg) {
    const report = await leg.count();
    if (leg === this.#leg && leg.state === "connected") this.#quality.add(sampleOf(report), this.node);
  }

  async #exchange(kind, sdp) {
    return (await this.#link.ask({ do: kind, call: this.call, sdp })).sdp;
  }
}
