/** Somebody rings: who, as stated by which node, what will be kept; answer, decline, decline with a reason. */
import LinePicture from "../line-picture.js";
import { put, putPerson } from "../parts.js";
import { say } from "../words.js";
import Screen from "./screen.js";

export default class Incoming extends Screen {
  #picture = new LinePicture(this.at.line);
  #call = "";

  constructor(page) {
    super(page, "t-incoming");
    const decline = (/** @type {string|null} */ reason) => page.acts.decline(this.#call, reason);
    this.at.answer.addEventListener("click", () => page.opening.answer(this.#call));
    this.at.decline.addEventListener("click", () => decline(null));
    this.at.why.addEventListener("click", () => this.#choose(true));
    this.at.unwhy.addEventListener("click", () => this.#choose(false));
    this.root.querySelectorAll("[data-reason]").forEach((button) =>
      button.addEventListener("click", () => decline(button.textContent.trim())));
    this.at.reasons.addEventListener("submit", (event) => {
      event.preventDefault();
      decline(this.at.own.value.trim() || null);
    });
  }

  render({ call, line }) {
    this.#call = call.call;
    const node = call.peer.node ?? line.peer.node;
    putPerson(this.at, call.peer, say("person.stated", { node }));
    this.#picture.show("ring-theirs");
    put(this.at.mode, say(`mode.${call.mode}`));
  }

  escape() {
    this.#choose(false);
  }

  #choose(open) {
    this.root.classList.toggle("choosing", open);
    this.at.reasons.hidden = !open;
    this.at.choose.hidden = open;
    (open ? this.root.querySelector("[data-reason]") : this.at.why).focus();
  }
}
