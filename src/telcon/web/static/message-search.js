/** Search in the messages of one line: all words, newest first, as far back as somebody wants. */
import { when } from "./clock.js";
import { clone, keyed, parts, put } from "./parts.js";
import { plain, say, sayCount } from "./words.js";

const ENOUGH = 50; // found before somebody is asked whether to go on
const MOST_MARKS = 100; // in one message: of one letter there are as many as its writer wants

export default class MessageSearch {
  #at;
  #ask;
  #open;
  #line = "";
  #words = "";
  /** @type {Record<string, any>[]} */ #found = [];
  /** Where to go on; null: from the newest, 0: all was read. @type {number|null} */ #next = null;
  /** Counts searches: an answer to an older one is dropped. */
  #run = 0;

  /**
   * @param {HTMLElement} root
   * @param {(act: Record<string, unknown>) => Promise<Record<string, any>|null>} ask the node
   * @param {(id: string) => void} open shows a message that was found
   */
  constructor(root, ask, open) {
    this.#at = parts(root);
    this.#ask = ask;
    this.#open = open;
    this.#at["search-form"].addEventListener("submit", (event) => {
      event.preventDefault();
      this.#begin();
    });
    this.#at.more.addEventListener("click", () => this.#goOn(this.#found.length + ENOUGH));
  }

  /** @param {string} line */
  start(line) {
    this.#run += 1;
    this.#line = line;
    this.#found = [];
    this.#at.words.value = "";
    put(this.#at.state, "");
    this.#show();
    this.#at.words.focus();
  }

  #begin() {
    this.#words = this.#at.words.value.trim();
    if (!this.#words) return;
    this.#found = [];
    this.#next = null;
    this.#goOn(ENOUGH);
  }

  async #goOn(enough) {
    const run = ++this.#run;
    this.#at.more.hidden = true;
    put(this.#at.state, say("search.looking"));
    while (this.#next !== 0 && this.#found.length < enough) {
      const asked = { do: "search", line: this.#line, words: this.#words };
      const answer = await this.#ask(this.#next === null ? asked : { ...asked, before: this.#next });
      if (run !== this.#run) return;
      if (!answer) break;
      this.#found.push(...answer.found);
      this.#next = answer.next;
      this.#show();
      if (answer.next) put(this.#at.state, say("search.progress", { count: answer.of - answer.next, total: answer.of }));
    }
    this.#end();
  }

  #end() {
    const count = this.#found.length;
    const more = this.#next !== 0;
    this.#at.more.hidden = !more;
    if (!more) put(this.#at.state, count ? sayCount("search.found", count) : say("search.none", { words: this.#words }));
    else if (count) put(this.#at.state, sayCount("search.so-far", count));
  }

  #show() {
    this.#at.results.hidden = this.#found.length === 0;
    keyed(this.#at.results, this.#found, (item) => item.id, () => clone("t-found"), (node, item) => {
      const at = parts(node);
      at.open.onclick = () => this.#open(item.id);
      at.text.replaceChildren(...marked(plain(item.text ?? ""), this.#words));
      put(at.mark, say(item.ours ? "search.you" : "search.they", { name: item.from, time: when(item.time_us) }));
    });
  }
}

/** `text` with what was sought marked, whatever its case and accents. @returns {(string|Node)[]} */
function marked(text, words) {
  const [folded, places] = fold(text);
  const spans = fold(words)[0].split(/\s+/u).filter(Boolean).flatMap((word) => all(folded, word));
  spans.sort(([one], [other]) => one - other);
  spans.splice(MOST_MARKS);
  const pieces = [];
  let at = 0;
  for (const [from, to] of spans) {
    const [start, end] = [places[from], places[to]];
    if (start < at || start === end) continue; // of a letter that is written as several, a part
    const mark = document.createElement("mark");
    mark.textContent = text.slice(start, end);
    pieces.push(text.slice(at, start), mark);
    at = end;
  }
  return [...pieces, text.slice(at)];
}

function all(text, word) {
  const found = [];
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) found.push([at, at + word.length]);
  return found;
}

/** Without case and accents, and for each letter of that where it stood. @returns {[string, number[]]} */
function fold(text) {
  let folded = "";
  const places = [];
  let at = 0;
  for (const letter of text) {
    const plainer = letter.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "").replaceAll("ß", "ss");
    places.push(...Array(plainer.length).fill(at));
    folded += plainer;
    at += letter.length;
  }
  places.push(text.length);
  return [folded, places];
}
