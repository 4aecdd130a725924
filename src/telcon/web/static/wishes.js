/**
 * "Tell me when it is back": kept by the node for all devices, and by this browser over a restart of the
 * node. When the line is back it is said once, aloud, and stands at the top until somebody has read it.
 */
import announce from "./announce.js";
import { parts, put } from "./parts.js";
import { say } from "./words.js";

const PLACE = "telcon.wishes";

export default class Wishes {
  #page;
  #banner = document.getElementById("is-back");
  #at = parts(this.#banner);
  /** @type {Set<string>} */ #kept = new Set(JSON.parse(localStorage.getItem(PLACE) ?? "[]"));
  /** What was said, by line and time. @type {Set<string>} */ #said = new Set();
  #line = "";

  /** @param {import("./page.js").default} page */
  constructor(page) {
    this.#page = page;
    this.#at.done.addEventListener("click", () => this.wish(this.#line, false));
  }

  /** Whether somebody waits for `line`. */
  has(line) {
    return Boolean(line.wished) || this.#kept.has(line.line);
  }

  /** @param {string} line @param {boolean} wanted */
  wish(line, wanted) {
    if (wanted) this.#kept.add(line);
    else this.#kept.delete(line);
    localStorage.setItem(PLACE, JSON.stringify([...this.#kept]));
    if (this.#line === line) this.#banner.hidden = true;
    return this.#page.acts.ask({ do: "wish", line, wanted });
  }

  /** A snapshot came. @param {Record<string, any>} snapshot */
  arrived({ lines }) {
    const back = lines.find((line) => line.up && this.has(line));
    this.#banner.hidden = !back;
    if (back) this.#tell(back);
    const forgotten = lines.find((line) => !line.up && !line.wished && this.#kept.has(line.line));
    if (forgotten) this.wish(forgotten.line, true); // the node was started anew meanwhile
  }

  #tell({ line, since_us: since, peer }) {
    this.#line = line;
    const words = say("back.again", { name: peer.name });
    put(this.#at.what, words);
    this.#at.open.setAttribute("href", `#line/${line}`);
    const key = `${line} ${since}`;
    if (this.#said.has(key)) return;
    this.#said.add(key);
    announce(words);
  }
}
