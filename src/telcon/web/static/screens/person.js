/** One line: who is at the other end, how the line is, and what can be done now. */
import { Lasting, since } from "../clock.js";
import LinePicture from "../line-picture.js";
import { put, putPerson } from "../parts.js";
import { say, sayCount } from "../words.js";
import Screen from "./screen.js";

export default class Person extends Screen {
  #picture = new LinePicture(this.at.line);
  #line = "";
  #behind = new Lasting(2_000_000); // every act is unsigned for some milliseconds

  constructor(page) {
    super(page, "t-person");
    this.at.call.addEventListener("click", () => page.opening.ring(this.#line));
  }

  render({ line, call, now, snapshot }) {
    this.#line = line.line;
    const { peer } = line;
    const [picture, state, text] = standing(line);
    putPerson(this.at, peer, say("person.stated", { node: peer.node }));
    this.#picture.show(picture);
    put(this.at.state, state);
    put(this.at.text, text);
    put(this.at.waiting, line.waiting ? sayCount("person.waiting", line.waiting) : "");
    const behind = this.#behind.of(line.waiting > 0, now);
    this.at.waiting.hidden = line.up ? !behind : !line.waiting;
    put(this.at.call, say("person.call", { name: peer.name }));
    this.at.call.hidden = picture !== "up" || call !== null;
    const { messages, missed } = this.page.news.of(snapshot, line.line);
    put(this.at.messages, messages ? say("person.messages.new", { count: messages })
      : say(picture === "down" ? "person.write" : "person.messages"));
    put(this.at.history, missed ? say("person.history.missed", { count: missed }) : say("person.history"));
    this.at.messages.href = `#messages/${line.line}`;
    this.at.messages.hidden = picture === "frozen";
    this.at.history.href = `#history/${line.line}`;
    this.at.messages.classList.toggle("wide", picture === "down");
    this.at.messages.classList.toggle("quiet", picture !== "down");
    this.at.history.classList.toggle("wide", picture !== "up");
  }

  escape() {
    this.page.go("");
  }
}

function standing(line) {
  const { peer, since_us: from } = line;
  if (line.broken) {
    return ["frozen", say("person.broken"), say("person.broken.text", { reason: line.broken })];
  }
  if (line.frozen) return ["frozen", say("person.frozen"), say("person.frozen.text")];
  const time = from ? since(from) : "";
  if (line.up) return ["up", say("person.up"), from ? say("person.up.text", { time }) : ""];
  return ["down", say(from ? "person.down" : "person.down.no-time", { time }),
    say("person.down.text", { node: peer.node })];
}

