/**
 * The open microphone of a call: at most one, from the tap that opened it until the call lets it go.
 * One that is unplugged is replaced by the device's own, and said to be so; muted stays muted.
 */
import Meter from "./meter.js";
import openMicrophone, { isStandIn, NoMicrophone } from "./microphone.js";

export default class Voice {
  muted = false;
  /** Whether the device itself keeps it quiet: a switch on it, or its system. */
  silenced = false;
  /** What has become of it, if it is not as chosen. @type {""|"stand-in"|"replaced"|"gone"} */
  change = "";
  /** The microphone, to be measured and not to be kept. @type {MediaStreamTrack|null} */
  track = null;
  #onTrack;
  #onChange;
  /** @type {Meter|null} */ #meter = null;
  /** Counts the microphones, so that what was asked for before an end is not taken after it. */
  #turn = 0;

  /**
   * @param {(track: MediaStreamTrack) => Promise<void>} onTrack takes what is heard from now on
   * @param {() => void} onChange
   */
  constructor(onTrack, onChange) {
    this.#onTrack = onTrack;
    this.#onChange = onChange;
  }

  /** Takes an open microphone, in place of one before. @param {MediaStreamTrack} track */
  async take(track) {
    this.#letGo();
    this.track = track;
    this.#meter = new Meter(track);
    track.enabled = !this.muted;
    this.silenced = track.muted;
    this.change = isStandIn(track) ? "stand-in" : "";
    track.onended = () => this.#lost();
    track.onmute = track.onunmute = () => {
      this.silenced = track.muted;
      this.#onChange();
    };
    await this.#onTrack(track);
    this.#onChange();
  }

  /** Opens it anew as it is chosen now, if it is open. Rejects with NoMicrophone. */
  async renew() {
    const turn = this.#turn;
    if (!this.track) return;
    const track = await openMicrophone();
    if (turn === this.#turn) await this.take(track);
    else track.stop();
  }

  /** @param {boolean} muted */
  mute(muted) {
    this.muted = muted;
    if (this.track) this.track.enabled = !muted;
  }

  /** How loud it is now, 0 to 1; 0 while muted. */
  level() {
    return this.muted ? 0 : this.#meter?.level() ?? 0;
  }

  /** Ends it at once. */
  close() {
    this.#letGo();
    this.muted = this.silenced = false;
    this.change = "";
  }

  /** It was unplugged, or taken back in the browser's settings: the device's own stands in, if it may. */
  async #lost() {
    this.#letGo();
    this.change = "gone";
    const turn = this.#turn;
    this.#onChange();
    try {
      const track = await openMicrophone();
      if (turn !== this.#turn) return track.stop();
      await this.take(track);
      this.change = "replaced";
      this.#onChange();
    } catch (error) {
      if (!(error instanceof NoMicrophone)) throw error; // said already: a tap tries again
    }
  }

  #letGo() {
    this.#turn += 1;
    this.#meter?.close();
    this.#meter = null;
    if (!this.track) return;
    this.track.onended = this.track.onmute = this.track.onunmute = null;
    this.track.stop();
    this.track = null;
  }
}
