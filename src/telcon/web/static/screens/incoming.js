/** Somebody rings: who, as stated by which node, what will be kept; answer, decline, say why, propose a time. */
import { day } from "../clock.js";
import LinePicture from "../line-picture.js";
import { put, putPerson } from "../parts.js";
import { say } from "../words.js";
import Proposal from "./proposal.js";
import Screen from "./screen.js";

export default class Incoming extends Screen {
  #picture = new LinePicture(this.at.line);
  #call = "";
  #offered = "";
  #proposal = new Proposal(this.at.times, (words) => this.#decline(words));
  /** Which card is open, by the button that opened it. @type {HTMLElement|null} */ #opener = null;

  constructor(page) {
    super(page, "t-incoming");
    const { answer, decline, why, time, reasons, own } = this.at;
    answer.addEventListener("click", () => page.opening.answer(this.#call, this.at.most.value));
    decline.addEventListener("click", () => this.#decline(null));
    why.addEventListener("click", () => this.#open(why, reasons));
    time.addEventListener("click", () => this.#open(time, this.at.times));
    this.root.querySelectorAll("[data-back]").forEach((button) => button.addEventListener("click", () => this.#fold()));
    reasons.querySelectorAll("[data-reason]").forEach((button) =>
      button.addEventListener("click", () => this.#decline(button.textContent.trim())));
    reasons.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#decline(own.value.trim() || null);
    });
  }

  render({ call, line, now }) {
    this.#call = call.call;
    const opened = call.ringing?.line_opened_us;
    const node = call.peer.node ?? line.peer.node;
    putPerson(this.at, call.peer, say("person.stated", { node }));
    this.#picture.show("ring-theirs");
    put(this.at.mode, say(`mode.${call.mode}`));
    this.#offer(call);
    put(this.at.since, opened ? say("incoming.line-of", { date: day(opened) }) : say("incoming.kicker"));
    this.#proposal.render(now);
  }

  /** Who answers may let less be kept than the ring proposes, and not more. */
  #offer({ call, mode }) {
    if (this.#offered === call) return;
    this.#offered = call;
    const options = [...this.at.most.options];
    const proposed = options.findIndex(({ value }) => value === mode);
    options.forEach((option, at) => (option.hidden = option.disabled = at < proposed));
    this.at.most.value = mode;
    this.at.keep.hidden = proposed === options.length - 1;
  }

  escape() {
    this.#fold();
  }

  #decline(words) {
    this.page.acts.decline(this.#call, words);
  }

  #open(opener, card) {
    this.#opener = opener;
    this.root.classList.add("choosing");
    this.at.choose.hidden = true;
    card.hidden = false;
    card.querySelector("button").focus();
  }

  #fold() {
    if (!this.#opener) return;
    this.root.classList.remove("choosing");
    this.at.reasons.hidden = this.at.times.hidden = true;
    this.at.choose.hidden = false;
    this.#opener.focus();
    this.#opener = null;
  }
}
