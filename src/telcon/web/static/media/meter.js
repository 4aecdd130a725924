/** How loud a track is now. */
/** @type {AudioContext|undefined} */
let context; // one for all meters: a browser gives only a few

export default class Meter {
  /** @type {MediaStreamAudioSourceNode|null} */ #source = null;
  /** @type {AnalyserNode|null} */ #ear = null;
  #samples = new Float32Array(2048);

  /** Listens to `track` until `close`; the page was touched before, or there is no sound to measure. */
  constructor(track) {
    try {
      context ??= new AudioContext();
      context.resume();
      this.#ear = new AnalyserNode(context, { fftSize: this.#samples.length });
      this.#source = new MediaStreamAudioSourceNode(context, { mediaStream: new MediaStream([track]) });
      this.#source.connect(this.#ear);
    } catch (error) {
      console.info("no level is shown", error); // some rates cannot be joined; the call needs none of this
    }
  }

  /** The loudest amplitude of the last 40 ms, 0 to 1. */
  level() {
    this.#ear?.getFloatTimeDomainData(this.#samples);
    return this.#samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  }

  close() {
    this.#source?.disconnect();
  }
}

const SILENCE_DB = -55;

/** 0 to 1 as an ear would have it, from an amplitude. @param {number} level */
export function loudness(level) {
  const db = 20 * Math.log10(Math.max(level, 1e-6));
  return Math.min(1, Math.max(0, 1 - db / SILENCE_DB));
}
