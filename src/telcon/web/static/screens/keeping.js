/** What may be kept of the live call: what each side lets, the stricter of which holds, and our own say. */
import { put } from "../parts.js";
import { say } from "../words.js";

export default class Keeping {
  #at;
  #call = "";

  /**
   * @param {import("../page.js").default} page
   * @param {Record<string, any>} at the parts of the screen
   */
  constructor(page, at) {
    this.#at = at;
    at.ours.addEventListener("change", () => page.acts.keep(this.#call, at.ours.value));
  }

  /** @param {Record<string, any>} call */
  render({ call, mode, mine, stated }) {
    const { ours, theirs } = stated;
    this.#call = call;
    put(this.#at.mode, mode === "audio" ? "" : say(`mode.${mode}`));
    this.#at.lamps.hidden = mode !== "audio"; // no recorder is missed where none should be
    put(this.#at.kept, say(`keep.${mode}`));
    put(this.#at.theirs, theirs ? say(`keep.${theirs}`) : "");
    this.#at.ours.disabled = !mine;
    if (ours && document.activeElement !== this.#at.ours) this.#at.ours.value = ours;
  }
}
