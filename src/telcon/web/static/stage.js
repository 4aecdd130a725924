/** Puts the chosen screen on the stage, the lines beside it, and the focus where reading goes on. */
import { say } from "./words.js";
import titleOf from "./title.js";
import Audio from "./screens/audio.js";
import Contacts from "./screens/contacts.js";
import Ended from "./screens/ended.js";
import History from "./screens/history.js";
import Incoming from "./screens/incoming.js";
import Live from "./screens/live.js";
import Messages from "./screens/messages.js";
import NoticeScreen from "./screens/notice.js";
import Person from "./screens/person.js";
import Ringing from "./screens/ringing.js";
import Welcome from "./screens/welcome.js";

const SCREENS = {
  audio: Audio, ended: Ended, history: History, incoming: Incoming, line: Person, live: Live, messages: Messages,
  notice: NoticeScreen, ringing: Ringing, welcome: Welcome,
};

export default class Stage {
  #page;
  #side = document.getElementById("side");
  #stage = document.getElementById("stage");
  /** @type {Contacts|null} */ #contacts = null;
  /** @type {import("./screens/screen.js").default|null} */ #screen = null;
  #key = "";
  #at = "";
  /** What had the keyboard last. @type {Element|null} */ #held = null;

  /** @param {import("./page.js").default} page */
  constructor(page) {
    this.#page = page;
  }

  connect() {
    addEventListener("focusin", (event) => (this.#held = /** @type {Element} */ (event.target)));
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.defaultPrevented) this.#screen?.escape();
    });
  }

  /**
   * @param {{name: string, line: string}} at
   * @param {{snapshot: Record<string, any>, call: Record<string, any>|null, now: number}|null} seen
   */
  show(at, seen) {
    const lines = seen?.snapshot.lines ?? [];
    const beside = at.name === "contacts" ? besideContacts(lines) : at;
    const line = lines.find((other) => other.line === beside.line) ?? null;
    const view = { ...(seen ?? { snapshot: null, call: null, now: 0 }), line };
    if (seen) this.#renderContacts(view);
    const moved = this.#put(`${beside.name}/${beside.line}`, SCREENS[beside.name]);
    this.#screen.render(view);
    if (seen) document.title = titleOf(at.name, seen.call, (seen.call?.peer ?? line?.peer)?.name ?? "", this.#news(seen.snapshot));
    if (this.#mark(at) || (moved && at.name !== "contacts")) this.#settle(at.name, view);
    else this.#keepKeyboard(at.name);
  }

  #news(snapshot) {
    const all = snapshot.lines.map(({ line }) => this.#page.news.of(snapshot, line));
    return all.reduce((sum, { messages, missed }) => sum + messages + missed, 0);
  }

  #renderContacts(view) {
    if (!this.#contacts) {
      this.#contacts = new Contacts(this.#page);
      this.#side.append(this.#contacts.root);
    }
    this.#contacts.render(view);
  }

  #put(key, Kind) {
    if (key === this.#key) return false;
    this.#screen?.disconnect();
    this.#screen = new Kind(this.#page);
    this.#stage.replaceChildren(this.#screen.root);
    this.#key = key;
    return true;
  }

  #mark({ name }) {
    const { dataset } = document.documentElement;
    const first = this.#at === "";
    const moved = this.#at !== name;
    this.#at = name;
    dataset.screen = name;
    dataset.at = name === "contacts" ? "contacts" : "stage";
    dataset.call = ["incoming", "ringing", "live", "ended"].includes(name) ? name : "";
    dataset.alone = name === "notice" ? "yes" : "";
    return moved && !first;
  }

  /** What was pressed may be gone with what it did: the keyboard goes on from the heading, not from nowhere. */
  #keepKeyboard(name) {
    const now = document.activeElement ?? document.body;
    const lost = now === document.body ? this.#held && !this.#held.checkVisibility() : !now.checkVisibility();
    if (lost) this.#focusHeading(name);
  }

  #focusHeading(name) {
    const root = name === "contacts" ? this.#side : this.#stage;
    root.querySelector("h1")?.focus({ preventScroll: true });
  }

  /** A new screen is read from its heading on; nothing that was typed elsewhere can press its buttons. */
  #settle(name, view) {
    scrollTo(0, 0);
    this.#focusHeading(name);
    document.getElementById("said").textContent = name === "incoming" ? say("incoming.title", { name: view.call.peer.name }) : "";
  }
}

/** Beside the lines stands the only one, or an invitation to choose. */
function besideContacts(lines) {
  return lines.length === 1 ? { name: "line", line: lines[0].line } : { name: "welcome", line: "" };
}
