/** The page as a whole: what it knows, which screen stands on the stage, and what is told to it. */
import Acts from "./acts.js";
import announce from "./announce.js";
import Awake from "./awake.js";
import choose from "./choose.js";
import { nowUs, setClock, since, timer } from "./clock.js";
import LiveLink from "./live-link.js";
import News from "./news.js";
import CallMedia from "./media/call-media.js";
import { parts, put } from "./parts.js";
import RecorderNews from "./recorder-news.js";
import Opening from "./opening.js";
import Outbox from "./outbox.js";
import Ringer from "./ringer.js";
import Stage from "./stage.js";
import Trouble from "./trouble.js";
import WakeLock from "./wake-lock.js";
import Wishes from "./wishes.js";
import { say } from "./words.js";

const ROUTES = ["line", "messages", "history", "audio"];

export default class Page {
  /** @type {Record<string, any>|null} */ snapshot = null;
  /** Unsent words by line. @type {Map<string, string>} */ drafts = new Map();
  link = new LiveLink();
  media = new CallMedia(this.link, () => this.changed());
  acts = new Acts(this);
  opening = new Opening(this);
  outbox = new Outbox(this);
  news = new News();
  wishes = new Wishes(this);
  /** When the call that rings sounds, on this page's own clock (`performance.now`), ms. */
  soundsAtMs = 0;
  #recorders = new RecorderNews();
  #ringer = new Ringer();
  #wakeLock = new WakeLock();
  #awake = new Awake((slept) => this.#cameBack(slept));
  #stage = new Stage(this);
  #trouble = new Trouble(document.getElementById("trouble"));
  #lost = document.getElementById("lost");
  #heldUp = document.getElementById("held-up");
  #toCall = document.getElementById("to-call");
  #aside = false;
  /** @type {Set<string>} */ #known = new Set();
  /** @type {Set<string>} */ #away = new Set();
  /** The call that ended last, until it is put away. @type {Record<string, any>|null} */ #ended = null;
  /** The call of which it was said aloud that it goes on unsigned. */
  #unsigned = "";
  #rings = "";
  #due = false;

  connect() {
    this.link.addEventListener("state", (event) => this.#arrived(/** @type {CustomEvent} */ (event).detail));
    this.link.addEventListener("passing", (event) => this.#passed(/** @type {CustomEvent} */ (event).detail));
    this.link.addEventListener("contact", () => this.changed());
    this.#toCall.addEventListener("click", () => this.backToCall());
    addEventListener("hashchange", () => this.changed());
    addEventListener("beforeunload", (event) => this.#hold(event));
    setInterval(() => this.changed(), 1000);
    this.#stage.connect();
    this.#ringer.connect();
    this.#wakeLock.connect();
    this.#awake.connect();
    this.link.connect();
    this.changed();
  }

  /** Shows the state anew, soon and once. */
  changed() {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      this.#render();
    });
  }

  /** @param {string} where `line/ID`, `messages/ID`, `history/ID` or empty for the lines */
  go(where) {
    location.hash = where;
  }

  /** Puts an ended call away. @param {string} call */
  putAway(call) {
    this.#away.add(call);
    this.changed();
  }

  /** Looks at something else while the call goes on. @param {string} where as for `go` */
  setAside(where) {
    this.#aside = true;
    this.go(where);
    this.changed();
  }

  /** Goes back to the call that was set aside. */
  backToCall() {
    this.#aside = false;
    this.changed();
  }

  /** Says that an act was not carried out. @param {import("./live-link.js").Refused} error */
  trouble(error) {
    this.#trouble.show(error.message || say("lost.error"), error.message ? error.advice : say("lost.advice"));
  }

  /** A page that is closed or reloaded leaves its call: the browser asks before it does that. */
  #hold(event) {
    const call = this.snapshot?.call;
    if (call?.mine && call.phase === "live" && !this.acts.isOver(call.call)) event.preventDefault();
  }

  /** This page was away: what looked open before may be dead, and clocks have gone on. */
  #cameBack(slept) {
    this.link.check();
    if (slept) this.media.refresh();
    this.changed();
  }

  #arrived(snapshot) {
    this.snapshot = snapshot;
    setClock(snapshot.now_us);
    const { call } = snapshot;
    this.news.arrived(snapshot);
    this.wishes.arrived(snapshot);
    if (call && !call.ended) this.#known.add(call.call);
    if (call) this.#ended = call.ended && call.phase !== "merged" ? call : null;
    this.opening.arrived(call);
    this.#recorders.look(call);
    this.#tendMedia(call);
    this.#tendRing(call);
    this.changed();
  }

  /** A call sounds at the moment that the node says, on all devices at once. */
  #tendRing(call) {
    if (call?.phase !== "ringing" || call.call === this.#rings) return;
    this.#rings = call.call;
    const { sounds_in_ms: wait } = call.ringing;
    this.soundsAtMs = performance.now() + wait;
    setTimeout(() => this.changed(), wait);
  }

  /** The link has been away for a minute and the terms let the talk go on: said aloud, once. */
  #sayUnsigned(call) {
    if (!call?.goes_on_unsigned || !call.mine || call.ended || this.#unsigned === call.call) return;
    this.#unsigned = call.call;
    announce(say("live.goes-on"));
  }

  /** The leg stands while the call concerns this page, and not a moment longer. */
  #tendMedia(call) {
    const { media, acts, opening } = this;
    media.node = call?.quality ?? null;
    if (call && this.#meets(call)) return;
    const alive = call && ["ringing", "live"].includes(call.phase) && !acts.isOver(call.call);
    const ours = alive && (call.mine || opening.isAnswering(call.call) || (call.phase === "ringing" && call.side !== "ours"));
    if (ours) media.arm(call.call);
    else if (!opening.pending) media.close();
  }

  /** Our ring and theirs are about to be one call: what was opened for ours is needed for it. */
  #meets(call) {
    const { rang, pending } = this.opening;
    if (this.acts.isOver(rang) || (rang !== this.media.call && !pending)) return false;
    return call.phase === "merged" || (call.side === "both" && !call.mine);
  }

  #passed({ hint, slots }) {
    if (slots) this.media.slots = slots.slots;
    if (hint && ["hang-up", "cancel", "decline"].includes(hint.kind)) this.acts.hushed(hint.call);
  }

  #render() {
    const { contact } = this.link;
    const call = this.#callToShow();
    const [name, line] = location.hash.slice(1).split("/");
    const route = { name: ROUTES.includes(name) ? name : "contacts", line: line ?? "" };
    const at = choose({
      contact, snapshot: this.snapshot, refused: this.opening.refusal !== null, pending: this.opening.pending,
      aside: this.#aside, call, route,
    });
    if (call?.phase !== "live") this.#aside = false;
    this.#look(at, call);
    this.#stage.show(at, this.snapshot ? { snapshot: this.snapshot, call, now: nowUs() } : null);
    this.#ringer.ring(at.name === "incoming" ? call.call : "", this.soundsAtMs);
    this.#wakeLock.hold(this.#holdsScreen(call));
    this.#sayUnsigned(call);
    this.#renderBanners(call, at.name);
  }

  /** While it rings, and while this device is on the call. */
  #holdsScreen(call) {
    if (!call || call.ended || this.acts.isOver(call.call)) return this.opening.pending !== "";
    return call.phase === "ringing" || (call.phase === "live" && call.mine);
  }

  /** What stands on the stage counts as seen. */
  #look(at, call) {
    if (at.name === "messages") this.news.sawMessages(this.snapshot, at.line);
    if (at.name === "history") this.news.sawCalls(this.snapshot, at.line);
    if (at.name === "ended") this.news.sawCalls(this.snapshot, call.line);
  }

  #callToShow() {
    const call = this.snapshot?.call ?? this.#ended;
    if (!call || this.#away.has(call.call)) return null;
    const known = this.#known.has(call.call) || this.opening.rang === call.call;
    return call.ended && !known ? null : call; // one that ended before this page came is history
  }

  #renderBanners(call, screen) {
    const lost = this.link.contact === "lost";
    this.#lost.hidden = !lost;
    if (lost) put(parts(this.#lost).what, say("lost.banner", { time: since(this.link.lostAtUs) }));
    const trouble = this.snapshot?.lines.find((line) => line.trouble)?.trouble;
    this.#heldUp.hidden = lost || !trouble;
    if (trouble) put(this.#heldUp, say(`trouble.${trouble}`));
    this.#toCall.hidden = !(call?.phase === "live" && !call.ended && screen !== "live");
    if (!this.#toCall.hidden) put(parts(this.#toCall).time, timer(nowUs() - call.answered_us));
  }
}
