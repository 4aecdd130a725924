/**
 * The sound of an incoming call: two soft tones, three seconds apart, made here and fetched from nowhere.
 * It is one sound that repeats by itself from its moment on: a page in the background, whose timers are
 * held back, rings as well as one in front.
 */
const TONES_HZ = [587.33, 440];
const TONE_S = 0.45;
const EVERY_S = 3;
const BUZZ_MS = [450, 150, 450, 1950]; // as long as the sound
const BUZZES = 15; // 45 s: nobody rings longer

export default class Ringer {
  /** @type {AudioContext|null} */ #context = null;
  /** @type {AudioBufferSourceNode|null} */ #sound = null;
  #call = "";
  #atMs = 0;
  #buzz = 0;

  /** Browsers give sound only to pages that were touched: take it at the first touch. */
  connect() {
    addEventListener("pointerdown", this.#wake);
    addEventListener("keydown", this.#wake);
  }

  disconnect() {
    removeEventListener("pointerdown", this.#wake);
    removeEventListener("keydown", this.#wake);
    this.ring("", 0);
    this.#context?.close();
    this.#context = null;
  }

  /**
   * Rings for `call`, from its moment on; a call that rings already is let be.
   * @param {string} call "" for silence
   * @param {number} atMs when it sounds, on this page's own clock (`performance.now`)
   */
  ring(call, atMs) {
    if (call === this.#call) return;
    this.#stop();
    this.#call = call;
    this.#atMs = atMs;
    if (call) this.#start();
    else this.#context?.suspend();
  }

  #wake = () => {
    this.#context ??= new AudioContext();
    if (this.#call && this.#context.state !== "running") this.#start();
  };

  async #start() {
    const call = this.#call;
    this.#context ??= new AudioContext();
    const context = this.#context;
    this.#stop();
    this.#buzz = setTimeout(buzz, this.#left());
    await context.resume();
    if (call !== this.#call) return; // taken back before the browser gave us sound
    this.#stopSound();
    this.#sound = new AudioBufferSourceNode(context, { buffer: tones(context), loop: true });
    this.#sound.connect(context.destination);
    this.#sound.start(context.currentTime + this.#left() / 1000);
  }

  #left() {
    return Math.max(0, this.#atMs - performance.now());
  }

  #stop() {
    clearTimeout(this.#buzz);
    if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(0);
    this.#stopSound();
  }

  #stopSound() {
    this.#sound?.stop();
    this.#sound?.disconnect();
    this.#sound = null;
  }
}

function buzz() {
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(Array(BUZZES).fill(BUZZ_MS).flat());
}

/** Two tones and the pause behind them. @param {AudioContext} context */
function tones(context) {
  const rate = context.sampleRate;
  const buffer = new AudioBuffer({ length: EVERY_S * rate, sampleRate: rate });
  const samples = buffer.getChannelData(0);
  TONES_HZ.forEach((hz, index) => {
    for (let n = 0; n < TONE_S * rate; n++) {
      const t = n / rate;
      const level = 0.22 * Math.min(1, t / 0.03) * Math.exp(-5 * Math.max(0, t - 0.03));
      // A sine and a little of its third and fifth: soft, and yet heard on a small speaker.
      const turn = 2 * Math.PI * hz * t;
      samples[Math.floor(index * TONE_S * rate) + n] = level * (Math.sin(turn) - Math.sin(3 * turn) / 9 + Math.sin(5 * turn) / 25);
    }
  });
  return buffer;
}
