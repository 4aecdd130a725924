/** We ring: whom, how far the ring has come, and how to stop it. */
import { since } from "../clock.js";
import LinePicture from "../line-picture.js";
import { put, putPerson } from "../parts.js";
import { say, sayCount } from "../words.js";
import Screen from "./screen.js";

const HEARD_OF_US = 3_000_000; // by then their node has said how many devices ring

export default class Ringing extends Screen {
  #picture = new LinePicture(this.at.line);
  #call = "";

  constructor(page) {
    super(page, "t-ringing");
    this.at.cancel.addEventListener("click", () => page.acts.cancel(this.#call));
  }

  render({ call, line, now }) {
    this.#call = call?.call ?? "";
    const peer = call?.peer ?? line.peer;
    const [state, text] = progress(call, peer);
    const rings = call?.phase === "ringing" && call.side === "ours" && call.countersigned;
    putPerson(this.at, peer, peer.node ? say("person.stated", { node: peer.node }) : "");
    this.#picture.show("ring-ours");
    put(this.at.state, state);
    const down = call?.phase === "ringing" ? call.unsigned_since_us : null;
    const soon = rings && !down ? soundsIn(this.page.soundsAtMs) : "";
    put(this.at.text, down ? say("ringing.down", { time: since(down) }) : soon || text);
    put(this.at.devices, rings ? devices(call, now) : "");
    put(this.at.mode, say(`mode.${call?.mode ?? this.page.opening.mode(line?.line)}`));
  }
}

function progress(call, peer) {
  if (!call) return [say("ringing.calling"), say("ringing.talk")];
  if (call.side === "both" || call.phase === "merged") return [say("ringing.each-other"), ""];
  if (!call.mine) return [say("ringing.elsewhere"), ""];
  if (!call.countersigned) return [say("ringing.calling"), say("ringing.signing", { node: peer.node })];
  return [say("ringing.at", { organisation: peer.organisation || peer.node }), say("ringing.talk")];
}

/** A ring taken back before it sounds wakes nobody: so long there is time to think. */
function soundsIn(atMs) {
  const s = Math.ceil((atMs - performance.now()) / 1000);
  return s > 0 ? sayCount("ringing.sounds-in", s) : "";
}

function devices({ ringing, rung_us: rung }, now) {
  if (ringing.devices) return sayCount("ringing.devices", ringing.devices);
  return now - rung > HEARD_OF_US ? say("ringing.no-device") : "";
}
