/** Calls of one line as both logs show them, newest first. A page that one can print and file. */
import { lasting, when } from "../clock.js";
import { clone, keyed, parts, put } from "../parts.js";
import { hasWords, plain, say } from "../words.js";
import Screen from "./screen.js";

export default class History extends Screen {
  #line = "";

  constructor(page) {
    super(page, "t-history");
  }

  render({ line, snapshot }) {
    this.#line = line.line;
    const calls = snapshot.history[line.line] ?? [];
    put(this.at.with, say("history.with", { name: line.peer.name }));
    this.at.back.href = `#line/${line.line}`;
    this.at.none.hidden = calls.length > 0;
    this.at.rows.hidden = calls.length === 0;
    keyed(this.at.rows, calls, (call) => call.call, () => clone("t-past"), (node, call) => {
      const at = parts(node);
      put(at.what, title(call));
      put(at.when, [when(call.rung_us), ...details(call, line.peer.name)].join(", "));
      put(at.reason, call.reason ? plain(call.reason) : "");
      at.reason.hidden = !call.reason;
      put(at.signed, say(call.signed ? "history.signed" : "history.waiting"));
      at.signed.classList.toggle("wait", !call.signed);
    });
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
