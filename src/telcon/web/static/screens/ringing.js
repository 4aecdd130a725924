/** We ring: whom, how far the ring has come, and how to stop it. */
import LinePicture from "../line-picture.js";
import { put, putPerson } from "../parts.js";
import { say } from "../words.js";
import Screen from "./screen.js";

export default class Ringing extends Screen {
  #picture = new LinePicture(this.at.line);
  #call = "";

  constructor(page) {
    super(page, "t-ringing");
    this.at.cancel.addEventListener("click", () => page.acts.cancel(this.#call));
  }

  render({ call, line }) {
    this.#call = call?.call ?? "";
    const peer = call?.peer ?? line.peer;
    const [state, text] = progress(call, peer);
    putPerson(this.at, peer, peer.node ? say("person.stated", { node: peer.node }) : "");
    this.#picture.show("ring-ours");
    put(this.at.state, state);
    put(this.at.text, text);
    put(this.at.mode, say(`mode.${call?.mode ?? "audio"}`));
  }
}

function progress(call, peer) {
  if (!call) return [say("ringing.calling"), say("ringing.talk")];
  if (call.side === "both" || call.phase === "merged") return [say("ringing.each-other"), ""];
  if (!call.mine) return [say("ringing.elsewhere"), ""];
  if (!call.countersigned) return [say("ringing.calling"), say("ringing.signing", { node: peer.node })];
  return [say("ringing.at", { organisation: peer.organisation || peer.node }), say("ringing.talk")];
}
