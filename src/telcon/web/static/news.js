/**
 * What came while nobody looked: messages, and calls that nobody answered. Which were seen is known in
 * this browser alone, as the last message and the last call of each line; the node is told nothing.
 */
const PLACE = "telcon.seen";

export default class News {
  /** @type {Record<string, {message: string, call: string}>} */
  #seen = JSON.parse(localStorage.getItem(PLACE) ?? "{}");

  /** A snapshot came: what stands on a line that this browser has not met is no news. */
  arrived(snapshot) {
    for (const { line } of snapshot.lines) {
      if (!this.#seen[line]) this.#keep(line, { message: lastMessage(snapshot, line), call: lastCall(snapshot, line) });
    }
  }

  /** @returns {{messages: number, missed: number}} how many of the other side nobody has looked at */
  of(snapshot, line) {
    const seen = this.#seen[line];
    const said = snapshot.messages[line] ?? [];
    const newer = said.slice(said.findIndex((item) => item.id === seen?.message) + 1);
    const calls = snapshot.history[line] ?? []; // the newest comes first
    const last = calls.findIndex((call) => call.call === seen?.call);
    const later = last < 0 ? calls : calls.slice(0, last);
    return {
      messages: newer.filter((item) => !item.ours).length,
      missed: later.filter((call) => call.phase === "missed" && call.side === "theirs").length,
    };
  }

  /** The person looks at the messages of `line`. */
  sawMessages(snapshot, line) {
    if (document.visibilityState === "visible") this.#keep(line, { message: lastMessage(snapshot, line) });
  }

  /** The person looks at the calls of `line`, or at the one that ended just now. */
  sawCalls(snapshot, line) {
    if (document.visibilityState === "visible") this.#keep(line, { call: lastCall(snapshot, line) });
  }

  #keep(line, now) {
    const before = this.#seen[line] ?? { message: "", call: "" };
    const after = { ...before, ...now };
    if (after.message === before.message && after.call === before.call && this.#seen[line]) return;
    this.#seen[line] = after;
    localStorage.setItem(PLACE, JSON.stringify(this.#seen));
  }
}

/** The last one that the log has: the id of one on its way changes when it gets there. */
function lastMessage(snapshot, line) {
  return (snapshot.messages[line] ?? []).findLast((item) => !item.ours)?.id ?? "";
}

function lastCall(snapshot, line) {
  return snapshot.history[line]?.[0]?.call ?? "";
}
