/** The sound of an incoming call: two soft tones, three seconds apart, made here and fetched from nowhere. */
const TONES_HZ = [587.33, 440];
const TONE_S = 0.45;
const EVERY_MS = 3000;

export default class Ringer {
  /** @type {AudioContext|null} */ #context = null;
  #timer = 0;

  /** Browsers give sound only to pages that were touched: take it at the first touch. */
  connect() {
    addEventListener("pointerdown", this.#wake);
    addEventListener("keydown", this.#wake);
  }

  disconnect() {
    removeEventListener("pointerdown", this.#wake);
    removeEventListener("keydown", this.#wake);
    this.ring(false);
    this.#context?.close();
    this.#context = null;
  }

  /** @param {boolean} on */
  ring(on) {
    if (on === (this.#timer !== 0)) return;
    clearInterval(this.#timer);
    this.#timer = on ? setInterval(() => this.#sound(), EVERY_MS) : 0;
    if (on) this.#sound();
    else this.#context?.suspend();
  }

  #wake = () => {
    this.#context ??= new AudioContext();
    if (this.#timer) this.#context.resume();
  };

  async #sound() {
    this.#context ??= new AudioContext();
    const context = this.#context;
    context.resume();
    if (context.state !== "running" && !navigator.userActivation?.hasBeenActive) return;
    const start = context.currentTime + 0.02;
    TONES_HZ.forEach((hz, index) => this.#tone(context, hz, start + index * TONE_S));
  }

  #tone(context, hz, start) {
    const tone = new OscillatorNode(context, { frequency: hz, type: "triangle" });
    const level = new GainNode(context, { gain: 0 });
    level.gain.linearRampToValueAtTime(0, start);
    level.gain.linearRampToValueAtTime(0.22, start + 0.03);
    level.gain.exponentialRampToValueAtTime(0.001, start + TONE_S);
    tone.connect(level).connect(context.destination);
    tone.start(start);
    tone.stop(start + TONE_S + 0.05);
  }
}
