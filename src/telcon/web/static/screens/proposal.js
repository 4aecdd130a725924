/** Another time for a call that cannot be taken now: two taps, or a moment of one's own choice. */
import { formatProposal } from "../proposed-time.js";
import { nowUs, when } from "../clock.js";
import { parts, put } from "../parts.js";
import { say } from "../words.js";

const MINUTE_US = 60_000_000;
const STEP_US = 5 * MINUTE_US; // proposed times are round ones
const QUICK_MIN = { quarter: 15, hour: 60 };
const MORNING_H = 9;

export default class Proposal {
  #at;
  #onChosen;
  #isFilled = false;

  /**
   * @param {HTMLFormElement} form
   * @param {(words: string) => void} onChosen
   */
  constructor(form, onChosen) {
    this.#at = parts(form);
    this.#onChosen = onChosen;
    Object.entries(QUICK_MIN).forEach(([name, minutes]) =>
      this.#at[name].addEventListener("click", () => this.#propose(soon(minutes))));
    this.#at.morning.addEventListener("click", () => this.#propose(tomorrow()));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const ms = new Date(this.#at.moment.value).getTime(); // without a zone it is this device's own
      if (Number.isNaN(ms)) return this.#at.moment.focus();
      this.#propose(ms * 1000);
    });
  }

  /** Shows what each quick choice would be now. @param {number} now µs */
  render(now) {
    put(this.#at["quarter-time"], when(soon(QUICK_MIN.quarter)));
    put(this.#at["hour-time"], when(soon(QUICK_MIN.hour)));
    put(this.#at["morning-time"], when(tomorrow()));
    if (this.#isFilled) return;
    this.#isFilled = true;
    this.#at.moment.min = local(now);
    this.#at.moment.value = local(soon(QUICK_MIN.hour * 2));
  }

  #propose(us) {
    const words = say("incoming.proposal", { time: formatProposal(us) });
    this.#onChosen(words.replace(/[\u2066-\u2069]/gu, "")); // marks are for pages; this is for the logs
  }
}

/** In so many minutes, at the next round time. */
function soon(minutes) {
  return Math.ceil((nowUs() + minutes * MINUTE_US) / STEP_US) * STEP_US;
}

/** Tomorrow morning, where this person is. */
function tomorrow() {
  const now = new Date(nowUs() / 1000);
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1, MORNING_H).getTime() * 1000;
}

/** `YYYY-MM-DDTHH:MM` in this device's own zone, as a field for a moment wants it. */
function local(us) {
  const then = new Date(us / 1000);
  return new Date(then.getTime() - then.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
