/**
 * The one WebSocket to the node: snapshots come in, asks go out and are answered. Reconnects by itself.
 * Events: `state` (snapshot), `passing` (slots, hint), `contact` (changed: see `contact`).
 */
import { nowUs } from "./clock.js";
import { takeUp } from "./identity.js";

const RETRY_MS = [250, 500, 1000, 2000, 4000];
const SILENT_MS = 12_000; // the node says something each 5 s; a path that broke without a word is found by this
const ASK_MS = 15_000;
const HERE_MS = 2500; // for a page that has slept: its socket looks open however long it has been dead
const SIGNED_OUT = 4401;
const REPLACED = 4409;

/** An ask that was not carried out, with words for the person. */
export class Refused extends Error {
  /** @param {string} what @param {string} advice */
  constructor(what, advice) {
    super(what);
    this.advice = advice;
  }
}

export default class LiveLink extends EventTarget {
  /** @type {"connecting"|"open"|"lost"|"signed-out"|"replaced"} */
  contact = "connecting";
  /** When contact was lost, on the node's clock, µs. */
  lostAtUs = 0;
  #page = "";
  /** @type {WebSocket|null} */ #socket = null;
  #tries = 0;
  #number = 0;
  /** @type {Map<number, {done: Function, fail: Function, timer: number}>} */ #waiting = new Map();
  #retry = 0;
  #silence = 0;

  async connect() {
    this.#page = await takeUp();
    addEventListener("offline", this.#drop);
    this.#open();
  }

  disconnect() {
    removeEventListener("offline", this.#drop);
    clearTimeout(this.#retry);
    clearTimeout(this.#silence);
    this.#socket?.close(1000);
  }

  /**
   * Asks the node to do something; resolves with its answer.
   * @param {Record<string, unknown>} act
   * @returns {Promise<Record<string, any>>} rejects with Refused
   */
  ask(act) {
    return new Promise((done, fail) => {
      if (this.contact !== "open") return fail(new Refused("", ""));
      const number = ++this.#number;
      const timer = setTimeout(() => this.#settle(number, null), ASK_MS);
      this.#waiting.set(number, { done, fail, timer });
      this.#socket.send(JSON.stringify({ ...act, ask: number }));
    });
  }

  /** This page was asleep, or the network is another one: is the node still there? Reconnects at once if not. */
  async check() {
    if (!this.#page) return;
    if (!this.#socket) return this.#again();
    const socket = this.#socket;
    const late = setTimeout(() => socket === this.#socket && this.#drop(), HERE_MS);
    try {
      await this.ask({ do: "here" });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
    clearTimeout(late);
    this.#again();
  }

  /** Resolves with the next snapshot, or after `ms`. @param {number} ms */
  nextState(ms) {
    return new Promise((done) => {
      this.addEventListener("state", done, { once: true });
      setTimeout(done, ms);
    });
  }

  #open() {
    clearTimeout(this.#retry);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/live?page=${this.#page}`);
    this.#socket = socket;
    socket.onmessage = (event) => socket === this.#socket && this.#receive(JSON.parse(event.data));
    socket.onclose = (event) => socket === this.#socket && this.#closed(event.code);
  }

  #receive(message) {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(this.#drop, SILENT_MS);
    if (message.state) {
      this.#tries = 0;
      this.#set("open");
      this.dispatchEvent(new CustomEvent("state", { detail: message.state }));
    } else if (message.answer !== undefined) {
      this.#settle(message.answer, message);
    } else {
      this.dispatchEvent(new CustomEvent("passing", { detail: message }));
    }
  }

  #settle(number, message) {
    const waiting = this.#waiting.get(number);
    if (!waiting) return;
    this.#waiting.delete(number);
    clearTimeout(waiting.timer);
    if (message?.ok) waiting.done(message);
    else waiting.fail(new Refused(message?.error ?? "", message?.advice ?? ""));
  }

  #closed(code) {
    clearTimeout(this.#silence);
    this.#socket = null;
    [...this.#waiting.keys()].forEach((number) => this.#settle(number, null));
    if (code === SIGNED_OUT) return this.#set("signed-out");
    if (code === REPLACED) return this.#set("replaced");
    if (this.contact === "open") this.lostAtUs = nowUs();
    this.#set(this.lostAtUs ? "lost" : "connecting");
    const wait = RETRY_MS[Math.min(this.#tries++, RETRY_MS.length - 1)];
    this.#retry = setTimeout(() => this.#open(), wait * (0.75 + Math.random() / 2));
  }

  #set(contact) {
    if (this.contact === contact) return;
    this.contact = contact;
    this.dispatchEvent(new Event("contact"));
  }

  #drop = () => {
    const socket = this.#socket;
    if (!socket) return;
    this.#closed(1006);
    socket.close();
  };

  #again() {
    if (!this.#socket && ["lost", "connecting"].includes(this.contact) && !document.hidden) this.#open();
  }
}
