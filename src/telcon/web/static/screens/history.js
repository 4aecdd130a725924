/** Calls of one line as both logs show them, newest first. A page that one can print and file. */
import { lasting, when } from "../clock.js";
import { clone, keyed, parts, put } from "../parts.js";
import { hasWords, say, sayReason } from "../words.js";
import Screen from "./screen.js";

const PIECE = 50; // calls come from the node by so many

export default class History extends Screen {
  #line = "";
  /** @type {Record<string, any>[]} */ #older = [];
  #whole = false;
  #last = 0;

  constructor(page) {
    super(page, "t-history");
    this.at.older.addEventListener("click", () => this.#fetch());
  }

  render({ line, snapshot }) {
    this.#line = line.line;
    const newest = snapshot.history[line.line] ?? [];
    const last = newest.at(-1)?.rung_us ?? 0;
    const calls = [...newest, ...this.#older.filter((call) => call.rung_us < last)];
    this.#last = calls.at(-1)?.rung_us ?? 0;
    this.at.older.hidden = this.#whole || newest.length < PIECE;
    put(this.at.with, say("history.with", { name: line.peer.name }));
    this.at.back.href = `#line/${line.line}`;
    this.at.none.hidden = calls.length > 0;
    this.at.rows.hidden = calls.length === 0;
    keyed(this.at.rows, calls, (call) => call.call, () => clone("t-past"), (node, call) => {
      const at = parts(node);
      put(at.what, title(call));
      put(at.when, [when(call.rung_us), ...details(call, line.peer.name)].join(", "));
      put(at.reason, call.reason ? sayReason(call.phase, call.reason) : "");
      at.reason.hidden = !call.reason;
      put(at.signed, say(call.signed ? "history.signed" : "history.waiting"));
      at.signed.classList.toggle("wait", !call.signed);
    });
  }

  async #fetch() {
    const answer = await this.page.acts.ask({ do: "history", line: this.#line, before: this.#last });
    if (!answer) return;
    this.#older.push(...answer.history);
    this.#whole = answer.history.length < PIECE;
    this.page.changed();
  }

  escape() {
    this.page.go(`line/${this.#line}`);
  }
}

function title(call) {
  if (call.phase === "ended" && call.answered_us && call.ended_us) {
    return say("history.call", { time: lasting(call.ended_us - call.answered_us) });
  }
  return say(hasWords(`history.${call.phase}`) ? `history.${call.phase}` : "history.under-way");
}

function details(call, name) {
  const rang = { ours: "history.you-rang", theirs: "history.they-rang", both: "history.both-rang" }[call.side];
  const said = [say(rang, { name })];
  if (call.phase === "missed") said.push(say(call.side === "theirs" ? "history.nobody-here" : "history.nobody-there"));
  if (call.phase === "ended" && call.by) said.push(say(`history.by.${call.by}`, { name }));
  return said;
}
