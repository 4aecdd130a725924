/** How a call ended, whoever ended it, until it is put away. */
import { timer } from "../clock.js";
import LinePicture from "../line-picture.js";
import { put, putPerson } from "../parts.js";
import { hasWords, say } from "../words.js";
import putReason from "./reason.js";
import Screen from "./screen.js";

export default class Ended extends Screen {
  #picture = new LinePicture(this.at.line);
  #call = "";
  #line = "";

  constructor(page) {
    super(page, "t-ended");
    this.at.done.addEventListener("click", () => page.putAway(this.#call));
    this.at.again.addEventListener("click", () => {
      page.putAway(this.#call);
      page.opening.ring(this.#line);
    });
    this.at.write.addEventListener("click", () => {
      page.putAway(this.#call);
      page.go(`messages/${this.#line}`);
    });
  }

  render({ call, line, snapshot }) {
    this.#call = call.call;
    this.#line = call.line;
    const { phase } = call.ended;
    putPerson(this.at, call.peer);
    this.#picture.show("ended");
    put(this.at.state, say(`ended.${hasWords(`ended.${phase}`) ? phase : "ended"}`));
    const past = (snapshot.history[call.line] ?? []).find((other) => other.call === call.call);
    const lasted = past?.answered_us && past.ended_us ? past.ended_us - past.answered_us : 0;
    put(this.at.lasted, lasted > 0 ? say("ended.lasted", { time: timer(lasted) }) : "");
    put(this.at.by, call.late ? say("ended.late") : whoEnded(call));
    putReason(this.at, call.ended, call.peer.name);
    this.at.signed.hidden = !past;
    put(this.at.signed, past ? say(past.signed ? "history.signed" : "history.waiting") : "");
    this.at.signed.classList.toggle("wait", !past?.signed);
    this.at.timeline.hidden = !past;
    this.at.timeline.href = `/calls/${call.call}`;
    put(this.at.again, say(call.side === "theirs" ? "ended.back" : "ended.again"));
    const up = Boolean(line?.up && !line.frozen && !line.broken);
    this.at.again.hidden = !up;
    this.at.write.hidden = !line || line.frozen || Boolean(line.broken);
    this.at.write.classList.toggle("wide", !up);
  }

  escape() {
    this.page.putAway(this.#call);
  }
}

function whoEnded(call) {
  const name = call.peer.name;
  const { phase, by } = call.ended;
  const whom = by === "both" ? "both" : by === "theirs" ? "them" : "you";
  if (phase === "missed") return say(call.side === "theirs" ? "ended.missed-here" : "ended.missed-there", { name });
  if (phase === "declined") return say(`ended.declined-by-${whom}`, { name });
  if (phase === "cancelled") return say(`ended.cancelled-by-${whom}`, { name });
  return phase === "ended" && by ? say(`ended.by-${whom}`, { name }) : "";
}
