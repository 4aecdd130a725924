/** Calls of one line as both logs show them, and the gaps between, newest first. Prints as it stands. */
import { lasting, when } from "../clock.js";
import { clone, keyed, parts, put } from "../parts.js";
import { hasWords, inner, say, sayCount } from "../words.js";
import putReason from "./reason.js";
import Screen from "./screen.js";

const PIECE = 50; // calls come from the node by so many

export default class History extends Screen {
  #line = "";
  /** @type {Record<string, any>[]} */ #older = [];
  /** @type {Record<string, any>[]} */ #olderGaps = [];
  #whole = false;
  #last = "";
  #missed = false;

  constructor(page) {
    super(page, "t-history");
    this.at.older.addEventListener("click", () => this.#fetch());
    this.at.all.addEventListener("click", () => this.#filter(false));
    this.at["only-missed"].addEventListener("click", () => this.#filter(true));
  }

  render({ line, snapshot }) {
    this.#line = line.line;
    const newest = snapshot.history[line.line] ?? [];
    const known = new Set(newest.map((call) => call.call));
    const calls = [...newest, ...this.#older.filter((call) => !known.has(call.call))];
    const gaps = [...(snapshot.gaps?.[line.line] ?? []), ...this.#olderGaps];
    this.#last = calls.at(-1)?.call ?? "";
    this.at.older.hidden = this.#whole || newest.length < PIECE;
    put(this.at.with, say("history.with", { name: line.peer.name }));
    this.at.back.href = `#line/${line.line}`;
    this.#renderFilter(calls);
    this.#renderRows(this.#missed ? calls.filter(isMissed) : mixed(calls, gaps), line.peer.name);
  }

  escape() {
    this.page.go(`line/${this.#line}`);
  }

  #renderFilter(calls) {
    this.at.filter.hidden = !calls.some(isMissed) && !this.#missed;
    this.at.all.setAttribute("aria-pressed", `${!this.#missed}`);
    this.at["only-missed"].setAttribute("aria-pressed", `${this.#missed}`);
  }

  #renderRows(rows, name) {
    this.at.none.hidden = rows.length > 0;
    this.at.rows.hidden = rows.length === 0;
    keyed(this.at.rows, rows, (row) => row.call ?? `${row.kind} ${row.from_us}`,
      (row) => clone(row.call ? "t-past" : "t-gap"),
      (node, row) => (row.call ? showCall(parts(node), row, name) : showGap(parts(node), row, name)));
  }

  #filter(missed) {
    this.#missed = missed;
    this.page.changed();
  }

  async #fetch() {
    const answer = await this.page.acts.ask({ do: "history", line: this.#line, before: this.#last });
    if (!answer) return;
    this.#older.push(...answer.history);
    this.#olderGaps.push(...(answer.gaps ?? []));
    this.#whole = answer.history.length < PIECE;
    this.page.changed();
  }
}

function isMissed(call) {
  return call.phase === "missed" && call.side === "theirs";
}

/** The gaps among the calls: each behind the first call that began before it. */
function mixed(calls, gaps) {
  const rows = [...calls];
  const places = [...gaps].sort((one, other) => other.from_us - one.from_us);
  for (const gap of places) {
    const at = rows.findIndex((row) => (row.rung_us ?? row.from_us) < gap.from_us);
    rows.splice(at < 0 ? rows.length : at, 0, gap);
  }
  return rows;
}

function showCall(at, call, name) {
  put(at.what, title(call));
  put(at.when, [when(call.rung_us), ...details(call, name)].join(say("comma")));
  putReason(at, call, name);
  put(at.signed, say(call.signed ? "history.signed" : "history.waiting"));
  at.signed.classList.toggle("wait", !call.signed);
  at.timeline.setAttribute("href", `/calls/${call.call}`);
  at.timeline.setAttribute("aria-label", say("history.timeline-of", { what: inner(title(call)), time: when(call.rung_us) }));
}

function showGap(at, gap, name) {
  const [kind, side] = gap.kind.split(".");
  const long = gap.to_us === null ? "" : lasting(gap.to_us - gap.from_us);
  const ends = long ? "" : ".still";
  put(at.what, say(`gap.${kind}${side === "theirs" ? ".theirs" : ""}${ends}`, { time: long, name }));
  const span = { from: when(gap.from_us), to: gap.to_us === null ? "" : when(gap.to_us) };
  put(at.when, long ? say("gap.span", span) : say("gap.since", { time: span.from }));
  put(at.why, gap.tests ? sayCount(`gap.tests.${side}`, gap.tests) : say("gap.no-tests"));
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
