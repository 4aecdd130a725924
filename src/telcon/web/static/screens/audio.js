/** Sound and microphone: which, how loud, how treated, and where others are heard; kept on this device. */
import { put } from "../parts.js";
import Meter, { loudness } from "../media/meter.js";
import openMicrophone, { isStandIn, NoMicrophone } from "../media/microphone.js";
import preferences, { prefer } from "../media/preferences.js";
import { say } from "../words.js";
import testTone from "../test-tone.js";
import Screen from "./screen.js";

const LISTEN_MS = 100;
const HEARD = 0.25; // of the range from silence to full
const TREATMENTS = ["echo", "noise", "gain"];

export default class Audio extends Screen {
  /** Opened for a check, and closed with it. @type {MediaStreamTrack|null} */ #track = null;
  /** @type {Meter|null} */ #meter = null;
  #heard = false;
  #ear = setInterval(() => this.#listen(), LISTEN_MS);
  #list = () => this.#fill();

  constructor(page) {
    super(page, "t-audio");
    const { microphone, output, check, tone } = this.at;
    microphone.addEventListener("change", () => this.#choose("microphone", microphone));
    output.addEventListener("change", () => this.#choose("output", output));
    TREATMENTS.forEach((name) => this.at[name].addEventListener("change", () => this.#treat(name)));
    check.addEventListener("click", () => (this.#meter ? this.#stop() : this.#check()));
    tone.addEventListener("click", () => this.#sound());
    this.at.back.addEventListener("click", () => page.backToCall());
    navigator.mediaDevices?.addEventListener("devicechange", this.#list);
    this.#show([]); // the browser takes its time to count
    this.#fill();
  }

  render({ call }) {
    const inCall = call?.phase === "live" && call.mine && !call.ended;
    put(this.at.where, say(inCall ? "audio.in-call" : "audio.kept"));
    const { speaking, voice } = this.page.media;
    this.at.check.hidden = speaking;
    if (speaking && this.#track) this.#stop(); // a call has begun: its own microphone is measured
    if (speaking) put(this.at.heard, voice.muted ? say("live.mute.on") : voice.silenced ? say("live.sound.silenced") : "");
  }

  escape() {
    this.page.go("");
    this.page.backToCall();
  }

  disconnect() {
    clearInterval(this.#ear);
    navigator.mediaDevices?.removeEventListener("devicechange", this.#list);
    this.#stop();
  }

  async #fill() {
    this.#show((await navigator.mediaDevices?.enumerateDevices()) ?? []);
    this.#sayGone();
  }

  /** @param {MediaDeviceInfo[]} devices */
  #show(devices) {
    const chosen = preferences();
    const named = devices.filter((one) => one.deviceId && one.deviceId !== "default" && one.deviceId !== "communications");
    offer(this.at.microphone, named.filter((one) => one.kind === "audioinput"), chosen.microphone, chosen.microphoneName);
    offer(this.at.output, named.filter((one) => one.kind === "audiooutput"), chosen.output, chosen.outputName);
    TREATMENTS.forEach((name) => (this.at[name].checked = chosen[name]));
    const canRoute = "setSinkId" in HTMLMediaElement.prototype;
    this.at["output-field"].hidden = !canRoute;
    this.at["output-none"].hidden = canRoute;
    this.at.unnamed.hidden = named.some((one) => one.kind === "audioinput" && one.label);
  }

  /** One that was chosen and is not there any more. */
  #sayGone() {
    put(this.at["microphone-gone"], goneWords("audio.microphone-gone", this.at.microphone));
    put(this.at["output-gone"], goneWords("audio.output-gone", this.at.output));
  }

  async #choose(which, list) {
    const name = list.value ? list.selectedOptions[0].textContent : "";
    prefer({ [which]: list.value, [`${which}Name`]: name });
    this.#sayGone();
    if (which === "microphone") await this.#renew();
    else if (!(await this.page.media.sendOut())) put(this.at["output-gone"], say("audio.output-gone", { name }));
  }

  async #treat(name) {
    prefer({ [name]: this.at[name].checked });
    await this.#renew();
  }

  /** What was chosen is used at once, in a call or in a check. */
  async #renew() {
    try {
      await this.page.media.voice.renew();
      if (this.#meter) await this.#check();
    } catch (error) {
      this.#refused(error);
    }
  }

  async #check() {
    this.#stop();
    try {
      this.#track = await openMicrophone();
    } catch (error) {
      return this.#refused(error);
    }
    if (!this.root.isConnected) return this.#stop(); // left meanwhile
    this.#track.onended = () => this.#stop();
    this.#meter = new Meter(this.#track);
    this.#heard = false;
    put(this.at.heard, say(isStandIn(this.#track) ? "audio.stand-in" : "audio.speak"));
    put(this.at.check, say("audio.check.stop"));
    await this.#fill(); // names are told only now
  }

  #stop() {
    this.#meter?.close();
    this.#meter = null;
    this.#track?.stop();
    this.#track = null;
    put(this.at.check, say("audio.check"));
    put(this.at.heard, "");
  }

  #refused(error) {
    if (!(error instanceof NoMicrophone)) throw error;
    this.#stop();
    put(this.at.heard, say(error.blocked ? "microphone.steps" : "microphone.none"));
  }

  #listen() {
    const { voice } = this.page.media;
    const loud = loudness(voice.track ? voice.level() : this.#meter?.level() ?? 0);
    this.at.level.style.setProperty("--l", loud.toFixed(2));
    this.at.meter.setAttribute("aria-valuenow", `${Math.round(loud * 100)}`);
    if (loud < HEARD || this.#heard) return;
    this.#heard = true;
    put(this.at.heard, say("audio.heard"));
  }

  async #sound() {
    const gone = await testTone(preferences().output);
    put(this.at.sounded, say(gone ? "audio.tone.elsewhere" : "audio.tone.sounds"));
  }
}

/** Fills a list of devices; one that is chosen and gone stays in it, by its name. */
function offer(list, devices, chosen, name) {
  const known = devices.map((one, index) => [one.deviceId, one.label || say("audio.unnamed", { number: index + 1 })]);
  const here = !chosen || known.some(([id]) => id === chosen);
  const all = [["", say("audio.usual")], ...known, ...(here ? [] : [[chosen, name]])];
  list.replaceChildren(...all.map(([value, words]) => {
    const option = new Option(words, value);
    option.dataset.gone = `${value === chosen && !here}`;
    return option;
  }));
  list.value = chosen;
}

function goneWords(key, list) {
  const option = list.selectedOptions[0];
  return option?.dataset.gone === "true" ? say(key, { name: option.textContent }) : "";
}
