/** All lines of this principal: who, which office, how the line is, and one tap to ring. */
import { greeting, lasting, since } from "../clock.js";
import LinePicture from "../line-picture.js";
import newerLine, { isStopped } from "../newer-line.js";
import { clone, initials, keyed, parts, put } from "../parts.js";
import ThisDevice from "../this-device.js";
import { plain, say, sayCount } from "../words.js";
import Screen from "./screen.js";

const BESIDE = matchMedia("(min-width: 900px)"); // as in screens.css

export default class Contacts extends Screen {
  /** @type {WeakMap<HTMLElement, {at: Record<string, any>, picture: LinePicture, line: string}>} */
  #rows = new WeakMap();

  #device = new ThisDevice(this.at.device);

  constructor(page) {
    super(page, "t-contacts");
    this.#rank();
    BESIDE.addEventListener("change", () => this.#rank());
    this.at["sign-out"].addEventListener("click", () => page.acts.signOut());
  }

  /** Beside another screen this heading comes second: a page has one first heading. */
  #rank() {
    this.at.greeting.setAttribute("aria-level", BESIDE.matches ? "2" : "1");
  }

  render(view) {
    const { me, node } = view.snapshot;
    const lines = inUseFirst(view.snapshot.lines);
    put(this.at.greeting, greeting());
    put(this.at.me, plain([me.name, me.office].filter(Boolean).join(say("comma"))));
    put(this.at.node, node);
    this.#device.render(view.call !== null && !view.call.ended);
    this.at.none.hidden = lines.length > 0;
    this.at.rows.hidden = lines.length === 0;
    keyed(this.at.rows, lines, (line) => line.line, () => this.#make(), (row, line) => this.#update(row, line, view));
  }

  #make() {
    const row = clone("t-contact");
    const at = parts(row);
    const known = { at, picture: new LinePicture(at.line, "mini"), line: "" };
    at.ring.addEventListener("click", () => this.page.opening.ring(known.line));
    this.#rows.set(row, known);
    return row;
  }

  #update(row, line, view) {
    const known = this.#rows.get(row);
    const { at, picture } = known;
    known.line = line.line;
    const [state, words, waits] = standing(line, view);
    put(at.name, plain(line.peer.name));
    put(at.office, plain(line.peer.office));
    put(at.face, initials(line.peer.name));
    put(at.state, words);
    at.state.classList.toggle("waits", Boolean(waits));
    const came = news(this.page.news.of(view.snapshot, line.line));
    put(at.news, came);
    at.news.hidden = !came;
    at.open.setAttribute("href", `#line/${line.line}`);
    at.ring.setAttribute("aria-label", say("contacts.call-name", { name: line.peer.name }));
    at.ring.hidden = state !== "up" || view.call !== null;
    row.setAttribute("aria-current", `${view.line?.line === line.line}`);
    picture.show(state);
  }
}

function inUseFirst(lines) {
  return [...lines].sort((one, other) => Number(isStopped(one)) - Number(isStopped(other)));
}

function news({ messages, missed }) {
  const parts = [missed && sayCount("contacts.missed", missed), messages && sayCount("contacts.messages", messages)];
  return parts.filter(Boolean).join(say("comma"));
}

/** The state of a line, for the picture and in a word, and whether that word is a warning. */
function standing(line, { call, now, snapshot }) {
  if (line.broken) return ["frozen", say("line.broken")];
  if (newerLine(line, snapshot.lines)) return ["frozen", say("line.replaced")];
  if (line.frozen) return ["frozen", say("line.frozen")];
  if (call?.line === line.line && !call.ended) return ["live", say("line.on-call")];
  if (line.up) return ["up", ...tested(line.tests?.last)];
  return ["down", line.since_us ? say("line.down-for", { time: lasting(now - line.since_us) }) : say("line.down")];
}

/** A line that is up is as good as its last test. */
function tested(last) {
  if (!last) return [say("line.up")];
  const time = since(last.time_us);
  return last.outcome === "answered" ? [say("line.tested", { time })] : [say("line.test-missed", { time }), true];
}
