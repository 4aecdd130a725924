/**
 * What may be kept of the live call: what each side lets, the stricter of which holds, our own say, and
 * the switch of our recorder.
 */
import { put } from "../parts.js";
import { say } from "../words.js";

export default class Keeping {
  #at;
  #call = "";
  #off = false;

  /**
   * @param {import("../page.js").default} page
   * @param {Record<string, any>} at the parts of the screen
   */
  constructor(page, at) {
    this.#at = at;
    at.switch.addEventListener("submit", (event) => {
      event.preventDefault();
      page.acts.recorder(this.#call, this.#off ? null : at.reason.value.trim() || null);
      at.reason.value = "";
    });
    at.ours.addEventListener("change", () => page.acts.keep(this.#call, at.ours.value));
  }

  /** @param {Record<string, any>} call */
  render({ call, mode, mine, stated, recorders, silenced }) {
    const { ours, theirs } = stated;
    this.#call = call;
    put(this.#at.mode, mode === "audio" ? "" : say(`mode.${mode}`));
    this.#at.lamps.hidden = mode !== "audio"; // no recorder is missed where none should be
    put(this.#at.kept, say(`keep.${mode}`));
    put(this.#at.theirs, theirs ? say(`keep.${theirs}`) : "");
    this.#at.ours.disabled = !mine;
    this.#renderSwitch(mode === "audio" && mine, recorders, silenced);
    if (ours && document.activeElement !== this.#at.ours) this.#at.ours.value = ours;
  }

  #renderSwitch(possible, { ours, theirs }, silenced) {
    const at = this.#at;
    this.#off = Boolean(ours.switched_off);
    at.switch.hidden = !possible;
    at.why.hidden = at.reason.disabled = this.#off;
    put(at.turn, say(this.#off ? "recorder.on" : "recorder.off"));
    const told = [ours.reason && say("recorder.off.ours", { reason: ours.reason }),
      theirs.reason && say("recorder.off.theirs", { reason: theirs.reason }), silenced && say("recorder.muted")];
    put(at.stopped, possible ? told.filter(Boolean).join("\n") : "");
  }
}
