/** The live call: how long, the line with its recorders, what both have signed, who is on it, and the end. */
import { Lasting, lasting, since, timer } from "../clock.js";
import LinePicture from "../line-picture.js";
import { loudness } from "../media/meter.js";
import { clone, initials, keyed, parts, put, putPerson } from "../parts.js";
import { hasWords, plain, say, sayCount } from "../words.js";
import { qualityFigures, qualityWords } from "./quality-words.js";
import Keeping from "./keeping.js";
import Screen from "./screen.js";
import securityOf from "./security.js";
import soundWords from "./sound-words.js";
import VoiceBars from "./voice-bars.js";

const RECORDER_LATE_MS = 5000; // pages of a recording are a second long, and news of them another
const STARTING_US = 3_000_000; // nobody has heard of the other recorder yet
const BEHIND_US = 2_000_000; // every act is unsigned for some milliseconds
const LISTEN_MS = 120;
const SPEAKS = 0.3; // of the range from silence to full

export default class Live extends Screen {
  #picture = new LinePicture(this.at.line, "open");
  #keeping = new Keeping(this.page, this.at);
  #bars = new VoiceBars(this.at.bars);
  #call = "";
  #behind = new Lasting(BEHIND_US);
  /** @type {Record<string, number>} */ #loud = {};
  #ear = setInterval(() => this.#listen(), LISTEN_MS);

  constructor(page) {
    super(page, "t-live");
    const { acts } = page;
    this.at.mute.addEventListener("click", () => acts.mute(this.#call, !page.media.muted));
    this.at.speak.addEventListener("click", () => acts.speak(this.#call));
    this.at.join.addEventListener("click", () => acts.join(this.#call));
    this.at.leave.addEventListener("click", () => acts.leave(this.#call));
    this.at.messages.addEventListener("click", () => page.setAside(`messages/${page.snapshot.call.line}`));
    this.at.audio.addEventListener("click", () => page.setAside("audio"));
    this.at.end.addEventListener("click", () => acts.hangUp(this.#call));
    for (const fold of [this.at.keep, this.at.quality, this.at.security]) { // what was asked for is not left under the keys
      fold.addEventListener("toggle", () => fold.open && fold.scrollIntoView({ block: "nearest" }));
    }
  }

  render({ call, snapshot, now }) {
    this.#call = call.call;
    putPerson(this.at, call.peer);
    put(this.at.time, timer(call.answered_us ? now - call.answered_us : 0));
    put(this.at["our-face"], initials(snapshot.me.name));
    put(this.at["their-face"], initials(call.peer.name));
    putLamp(this.at["our-lamp"], "ours", call, now);
    putLamp(this.at["their-lamp"], "theirs", call, now);
    this.#keeping.render(call);
    this.#renderSigned(call, now);
    this.#renderPeople(call.people);
    this.#renderFacts(call, snapshot.node);
    this.#renderKeys(call, now);
    const { messages } = this.page.news.of(snapshot, call.line);
    put(this.at.messages, messages ? sayCount("contacts.messages", messages) : say("live.messages"));
  }

  escape() {
    this.at.security.open = this.at.quality.open = this.at.keep.open = false;
  }

  disconnect() {
    clearInterval(this.#ear);
  }

  #listen() {
    const { media } = this.page;
    const levels = Object.entries(media.levels());
    this.#loud = Object.fromEntries(levels.map(([handle, level]) => [handle, loudness(level)]));
    const own = loudness(media.voice.level());
    const others = Math.max(0, ...Object.values(this.#loud));
    this.#picture.voice(Math.max(own, others));
    this.#bars.show(own, others);
  }

  #renderSigned(call, now) {
    const from = call.unsigned_since_us;
    const signed = !from && !this.#behind.of(!call.countersigned, now);
    this.#picture.show("live", signed ? "signed" : "unsigned");
    put(this.at.signed, signed ? say("live.signed")
      : from ? say("live.unsigned", { time: since(from) }) : say("live.unsigned.no-time"));
    this.at.signed.classList.toggle("wait", !signed);
    put(this.at.text, signed ? "" : say(call.goes_on_unsigned ? "live.goes-on" : "live.unsigned.text"));
  }

  #renderPeople(people) {
    const everybody = byPerson(people);
    everybody.sort(([one], [other]) => Number(one.side === "theirs") - Number(other.side === "theirs"));
    put(this.at.count, sayCount("live.people", everybody.length));
    keyed(this.at.people, everybody, (devices) => devices[0].handle, () => clone("t-someone"), (node, devices) => {
      const [someone] = devices;
      const at = parts(node);
      const several = devices.length > 1 ? sayCount("live.devices", devices.length) : "";
      put(at.name, someone.name ? plain(someone.name) : say("live.unnamed"));
      put(at.role, [say(`live.${someone.side}`), role(someone), several].filter(Boolean).join(say("comma")));
      const speaks = devices.some(({ handle }) => this.#loud[handle] > SPEAKS);
      put(at.what, devices.every(({ muted }) => muted) ? say("live.muted") : speaks ? say("live.speaks") : "");
    });
  }

  /** Security and sound: one word each, and the rest for who opens it. */
  #renderFacts(call, node) {
    const { media } = this.page;
    const judgement = media.judge();
    const [state, words] = qualityWords(media.state, judgement);
    put(this.at["quality-word"], call.mine ? words : "");
    this.at["quality-word"].dataset.state = state;
    this.at.quality.hidden = !call.mine;
    putFacts(this.at.figures, qualityFigures(judgement));
    putFacts(this.at.legs, securityOf(call, node, media.suite));
  }

  #renderKeys(call, now) {
    const { media, acts, opening } = this.page;
    const listening = acts.isListening(call.call);
    const silent = call.mine && !listening && !media.speaking && !opening.isOpening;
    this.at.mute.hidden = !call.mine || !media.speaking;
    this.at.mute.classList.toggle("on", media.muted); // its words say which; "pressed" would say it twice
    put(this.at.mute, say(media.muted ? "live.unmute" : "live.mute"));
    this.at.join.hidden = call.mine;
    this.at.messages.hidden = this.at.audio.hidden = !call.mine;
    this.at.end.hidden = !call.mine;
    this.at.leave.hidden = !(call.mine && listening);
    this.at.speak.hidden = !(silent || (call.mine && listening));
    this.at.speak.classList.toggle("wide", silent);
    this.at.speak.classList.toggle("quiet", !silent);
    put(this.at.speak, say(silent ? "live.go-on" : "live.speak"));
    put(this.at.sound, soundWords({ call, media, listening, silent, now }));
  }
}

/** One person may be on the call with several devices. @returns {Record<string, any>[][]} devices by person */
function byPerson(people) {
  /** @type {Map<string, Record<string, any>[]>} */
  const devices = new Map();
  for (const one of people) {
    const key = one.name ? JSON.stringify([one.side, one.role, one.name, one.office]) : one.handle;
    devices.set(key, [...(devices.get(key) ?? []), one]);
  }
  return [...devices.values()];
}

function role(someone) {
  return someone.role && hasWords(`role.${someone.role}`) ? say(`role.${someone.role}`) : "";
}

/** @param {HTMLElement} list @param {[string, string][]} facts */
function putFacts(list, facts) {
  keyed(list, facts, ([what]) => what, () => clone("t-fact"), (node, [what, is]) => {
    const at = parts(node);
    put(at.what, what);
    put(at.is, is);
  });
}

/** A recorder is on, off, or silent for longer than it may be. */
function putLamp(lamp, side, call, now) {
  const { on, age_ms: age } = call.recorders[side];
  const off = now - (call.answered_us ?? now) < STARTING_US ? "starting" : "off";
  const state = !on ? off : age !== null && age > RECORDER_LATE_MS ? "late" : "on";
  lamp.dataset.state = state;
  put(lamp, say(`live.recorder.${side}.${state}`, { time: lasting((age ?? 0) * 1000) }));
}
