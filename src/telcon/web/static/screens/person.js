/** One line: who is at the other end, how the line is and was, and what can be done now. */
import { Lasting, since } from "../clock.js";
import LinePicture from "../line-picture.js";
import newerLine from "../newer-line.js";
import { clone, put, putPerson } from "../parts.js";
import TestStrip from "../test-strip.js";
import { say, sayCount } from "../words.js";
import Screen from "./screen.js";

export default class Person extends Screen {
  #picture = new LinePicture(this.at.line);
  #line = "";
  #wished = false;
  #behind = new Lasting(2_000_000); // every act is unsigned for some milliseconds
  /** @type {TestStrip} */ #strip;

  constructor(page) {
    super(page, "t-person");
    const strip = clone("t-strip");
    this.at.tests.append(strip);
    this.#strip = new TestStrip(strip);
    this.at.call.addEventListener("click", () => page.opening.ring(this.#line));
    this.at.mode.addEventListener("change", () => page.opening.modes.set(this.#line, this.at.mode.value));
    this.at.wish.addEventListener("click", () => page.wishes.wish(this.#line, !this.#wished));
  }

  render({ line, call, now, snapshot }) {
    this.#line = line.line;
    const { peer } = line;
    const newer = newerLine(line, snapshot.lines);
    const [picture, state, text] = standing(line, newer);
    putPerson(this.at, peer, say("person.stated", { node: peer.node }));
    this.#picture.show(picture);
    put(this.at.state, state);
    put(this.at.text, text);
    this.#renderWaiting(line, now);
    this.#renderWish(line, picture === "down");
    this.at.tests.hidden = picture === "frozen" || !line.tests;
    if (line.tests) this.#strip.render(line.tests, now);
    put(this.at.call, say("person.call", { name: peer.name }));
    this.at.call.hidden = picture !== "up" || call !== null;
    this.at.keep.hidden = this.at.call.hidden;
    this.at.mode.value = this.page.opening.mode(line.line);
    this.at.newer.hidden = !newer;
    if (newer) this.at.newer.href = `#line/${newer.line}`;
    this.#renderLinks(line, picture, snapshot);
  }

  #renderWaiting(line, now) {
    const behind = this.#behind.of(line.waiting > 0, now);
    const words = line.messages_waiting ? sayCount("person.messages-wait", line.messages_waiting) : "";
    const { catching } = line;
    put(this.at.waiting, catching ? say("person.catching-up", catching) : words);
    this.at.waiting.hidden = !(catching || (words && (!line.up || behind)));
  }

  #renderWish(line, down) {
    this.#wished = down && this.page.wishes.has(line);
    this.at.wish.hidden = !down;
    put(this.at.wish, say(this.#wished ? "person.wished" : "person.wish"));
    this.at.wish.setAttribute("aria-pressed", `${this.#wished}`);
    this.at.wish.classList.toggle("quiet", this.#wished);
  }

  #renderLinks(line, picture, snapshot) {
    const { messages, missed } = this.page.news.of(snapshot, line.line);
    put(this.at.messages, messages ? say("person.messages.new", { count: messages })
      : say(picture === "down" ? "person.write" : "person.messages"));
    put(this.at.history, missed ? say("person.history.missed", { count: missed }) : say("person.history"));
    this.at.messages.href = `#messages/${line.line}`;
    this.at.history.href = `#history/${line.line}`;
  }

  escape() {
    this.page.go("");
  }
}

function standing(line, newer) {
  const { peer, since_us: from } = line;
  if (line.forked) {
    const text = say(`person.forked.${line.forked}.text`, { node: peer.node });
    return ["frozen", say(`person.forked.${line.forked}`), line.noted ? `${text} ${say("person.forked.noted")}` : text];
  }
  if (line.broken) {
    return ["frozen", say("person.broken"), say("person.broken.text", { reason: line.broken })];
  }
  if (newer) {
    const how = newer.renewed ? "renewed" : "replaced";
    return ["frozen", say(`person.${how}`), say(`person.${how}.text`, { node: peer.node })];
  }
  if (line.frozen) return ["frozen", say("person.frozen"), say("person.frozen.text")];
  const time = from ? since(from) : "";
  if (line.up) return ["up", say("person.up"), from ? say("person.up.text", { time }) : ""];
  return ["down", say(from ? "person.down" : "person.down.no-time", { time }),
    say("person.down.text", { node: peer.node })];
}
