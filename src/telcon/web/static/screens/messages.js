/** Messages of one line: what was written, how far it is signed, search, and a field to write in. */
import { clockTime, dayHeading, since } from "../clock.js";
import Conversation from "../conversation.js";
import MessageSearch from "../message-search.js";
import newerLine, { isStopped } from "../newer-line.js";
import { clone, keyed, parts, put } from "../parts.js";
import { plain, say } from "../words.js";
import Screen from "./screen.js";

const LIMIT = 2000; // characters; the node refuses more
const NEAR_END_PX = 80;

export default class Messages extends Screen {
  #line = "";
  /** @type {Conversation} */ #talk;
  /** @type {MessageSearch} */ #search;
  /** The message that was searched for. */ #sought = "";
  /** Those of which the node says now how they stand. @type {Set<string>} */ #current = new Set();
  #atEnd = true;
  #resized = new ResizeObserver(() => this.#atEnd && this.#toEnd());

  constructor(page) {
    super(page, "t-messages");
    this.#search = new MessageSearch(this.at.search, (act) => page.acts.ask(act), (id) => this.#goTo(id));
    this.at.form.addEventListener("submit", (event) => this.#send(event));
    this.at.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) this.#send(event);
    });
    this.at.text.addEventListener("input", () => this.#written());
    this.at.log.addEventListener("scroll", () => (this.#atEnd = this.#isAtEnd()), { passive: true });
    this.at.find.addEventListener("click", () => this.#searching(this.at.search.hidden));
    this.at.newest.addEventListener("click", () => this.#goToNewest());
    this.#resized.observe(this.at.log); // a keyboard comes up, a phone is turned
  }

  disconnect() {
    this.#resized.disconnect();
  }

  render({ line, snapshot }) {
    const { name, node } = line.peer;
    if (this.#line !== line.line) this.#open(line);
    put(this.at.name, plain(name));
    this.#renderClosed(line, snapshot.lines);
    put(this.at["none-state"], say(isStopped(line) ? "messages.none.closed" : "messages.none"));
    put(this.at["none-text"], isStopped(line) ? "" : say("messages.none.text", { node }));
    this.at.back.href = `#line/${line.line}`;
    const held = this.#talk.items(snapshot.messages[line.line] ?? []);
    const ids = new Set(held.map((item) => item.id)); // the node may show it before it has answered
    const sent = this.#talk.hasNewer ? [] : this.page.outbox.of(line.line).filter((item) => !ids.has(item.id));
    this.#current = new Set([...(snapshot.messages[line.line] ?? []), ...sent].map((item) => item.id));
    const items = [...held, ...sent];
    const { hidden } = this.at.search;
    this.at.none.hidden = items.length > 0 || !hidden;
    this.at.log.hidden = items.length === 0 || !hidden;
    this.at.newest.hidden = !this.#talk.hasNewer || !hidden;
    this.at.find.hidden = items.length === 0;
    this.#renderItems(items, line);
  }

  escape() {
    if (!this.at.search.hidden) this.#searching(false);
    else this.page.go(`line/${this.#line}`);
  }

  /** On a line that is stopped all can be read and nothing written; words that were begun can still be copied. */
  #renderClosed(line, lines) {
    const { form, text, send, closed, "go-newer": link } = this.at;
    const stopped = isStopped(line);
    const newer = newerLine(line, lines);
    form.hidden = stopped && !text.value;
    text.readOnly = send.hidden = stopped;
    put(closed, newer ? say("messages.closed.newer", { node: line.peer.node }) : stopped ? say("messages.closed") : "");
    this.at.newer.hidden = !newer;
    if (newer) link.href = `#messages/${newer.line}`;
  }

  #open(line) {
    this.#line = line.line;
    this.#talk = new Conversation(line.line, (act) => this.page.acts.ask(act));
    const label = say("messages.field", { name: line.peer.name });
    this.at.text.placeholder = label;
    this.at.text.setAttribute("aria-label", label);
    this.at.log.setAttribute("aria-label", say("messages.log", { name: line.peer.name }));
    this.at.text.value = this.page.drafts.get(line.line) ?? "";
    this.#written();
  }

  #renderItems(items, line) {
    const list = this.at.said;
    const atEnd = this.#isAtEnd();
    const before = list.lastElementChild;
    keyed(list, this.#rows(items), (row) => row.key, (row) => this.#make(row), (node, row) => {
      if (row.item) this.#update(node, row.item, line);
      else if (row.day) put(node, row.day);
    });
    if (atEnd && !this.#talk.hasNewer && list.lastElementChild !== before) this.#toEnd();
  }

  /** The messages with a heading for each day, and what fetches more at the ends. */
  #rows(items) {
    const rows = [];
    let day = "";
    if (this.#talk.hasOlder) rows.push({ key: "older" });
    for (const item of items) {
      const heading = dayHeading(item.time_us);
      if (heading !== day) rows.push({ key: `day ${heading}`, day: heading });
      day = heading;
      rows.push({ key: item.id, item });
    }
    if (this.#talk.hasNewer) rows.push({ key: "newer" });
    // Clocks differ: a day may come twice, and each of its headings is a row of its own.
    const seen = new Map();
    return rows.map((row) => {
      const count = seen.get(row.key) ?? 0;
      seen.set(row.key, count + 1);
      return count ? { ...row, key: `${row.key} ${count}` } : row;
    });
  }

  #make({ key, item, day }) {
    if (item) return clone("t-message");
    if (day) return clone("t-day");
    const row = clone("t-more");
    const button = parts(row).more;
    put(button, say(`messages.${key}`));
    button.addEventListener("click", () => (key === "older" ? this.#fetchOlder() : this.#fetchNewer()));
    return row;
  }

  #update(node, item, line) {
    const at = parts(node);
    // One that was fetched says how it stood then; what the node shows now says how it stands.
    const state = !this.#current.has(item.id) && !line.waiting ? "signed by both" : item.state;
    node.classList.toggle("ours", item.ours);
    node.classList.toggle("sought", item.id === this.#sought);
    put(at.text, item.text === null ? say("messages.unreadable") : plain(item.text));
    at.text.classList.toggle("unreadable", item.text === null);
    put(at.mark, [clockTime(item.time_us), progress(state, line)].join(say("comma")));
    at.mark.dataset.state = state === "signed by both" ? "signed" : "waiting";
  }

  /** What is read stays where it is; what was there already is not read out again. */
  async #fetchOlder() {
    const list = this.at.log;
    list.setAttribute("aria-live", "off");
    const below = list.scrollHeight - list.scrollTop;
    const first = list.querySelector(".bubble");
    await this.#talk.fetchOlder();
    this.page.changed();
    requestAnimationFrame(() => {
      list.scrollTop = list.scrollHeight - below;
      focusOn(first?.closest("li"));
      list.removeAttribute("aria-live");
    });
  }

  async #fetchNewer() {
    const last = [...this.at.said.querySelectorAll(".bubble")].at(-1);
    await this.#talk.fetchNewer();
    this.page.changed();
    requestAnimationFrame(() => focusOn(last?.closest("li")));
  }

  #searching(on) {
    this.at.search.hidden = !on;
    this.at.find.setAttribute("aria-expanded", `${on}`);
    put(this.at.find, say(on ? "search.close" : "search.open"));
    if (on) this.#search.start(this.#line);
    else this.at.find.focus();
    this.page.changed();
  }

  async #goTo(id) {
    if (!(await this.#talk.goTo(id))) return;
    this.#sought = id;
    this.#atEnd = false;
    this.#searching(false);
    requestAnimationFrame(() => focusOn(this.at.said.querySelector(`[data-key="${CSS.escape(id)}"]`)));
  }

  #goToNewest() {
    this.#talk.goToNewest();
    this.#sought = "";
    this.page.changed();
    requestAnimationFrame(() => this.#toEnd());
    (this.at.form.hidden ? this.at.log : this.at.text).focus();
  }

  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.at.log;
    return scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  }

  #toEnd() {
    this.at.log.scrollTop = this.at.log.scrollHeight;
  }

  #written() {
    const { text, trouble } = this.at;
    this.page.drafts.set(this.#line, text.value);
    const over = text.value.trim().length - LIMIT;
    put(trouble, over > 0 ? say("messages.too-long", { count: over }) : "");
    text.style.blockSize = "auto";
    text.style.blockSize = `${text.scrollHeight}px`;
  }

  async #send(event) {
    event.preventDefault();
    const { text } = this.at;
    const words = text.value.trim();
    if (!words || words.length > LIMIT || text.readOnly) return text.focus();
    if (this.#talk.hasNewer) this.#goToNewest();
    text.value = "";
    this.#written();
    text.focus();
    if (!(await this.page.outbox.write(this.#line, words)) && !text.value) {
      text.value = words; // not taken: nothing that was written is lost
      this.#written();
    }
  }
}

function focusOn(row) {
  if (!row) return;
  row.tabIndex = -1;
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "center" });
}

function progress(state, line) {
  if (state === "signed by both") return say("messages.signed");
  if (state === "sending") return say("messages.sending");
  if (line.up) return say("messages.waiting");
  return line.since_us ? say("messages.waiting-down", { time: since(line.since_us) }) : say("messages.waiting-down.no-time");
}
