/** What must be said before anything else: signed out, no contact yet, no microphone. */
import LinePicture from "../line-picture.js";
import { put } from "../parts.js";
import { say } from "../words.js";
import Screen from "./screen.js";

/**
 * @typedef {object} Notice
 * @property {string} heading
 * @property {string} text
 * @property {string} [steps]
 * @property {[string, () => void][]} [keys] at most two: words and what they do
 */
export default class NoticeScreen extends Screen {
  #picture = new LinePicture(this.at.line);
  /** @type {[string, () => void][]} */ #keys = [];

  constructor(page) {
    super(page, "t-notice");
    this.at.first.addEventListener("click", () => this.#keys[0][1]());
    this.at.second.addEventListener("click", () => this.#keys[1][1]());
  }

  render(view) {
    const notice = noticeFor(this.page, view);
    this.#keys = notice.keys ?? [];
    this.#picture.show("down");
    put(this.at.heading, notice.heading);
    put(this.at.text, notice.text);
    put(this.at.steps, notice.steps ?? "");
    [this.at.first, this.at.second].forEach((button, index) => {
      button.hidden = !this.#keys[index];
      put(button, this.#keys[index]?.[0] ?? "");
    });
  }
}

/** @returns {Notice} */
function noticeFor(page, view) {
  const { contact } = page.link;
  if (contact === "signed-out") return { heading: say("signed-out.heading"), text: say("signed-out.text") };
  if (contact === "replaced") {
    const keys = /** @type {[string, () => void][]} */ ([[say("elsewhere.button"), () => location.reload()]]);
    return { heading: say("elsewhere.heading"), text: say("elsewhere.text"), keys };
  }
  return page.opening.refusal ? microphone(page, view) : { heading: say("connecting.heading"), text: say("connecting.text") };
}

/** @returns {Notice} */
function microphone(page, { call }) {
  const { acts, opening } = page;
  const { error, again } = opening.refusal;
  const rings = call?.phase === "ringing" && call.side === "theirs";
  const other = /** @type {[string, () => void]} */ (rings
    ? [say("microphone.decline"), () => acts.decline(call.call, null)]
    : [say("microphone.back"), () => opening.forgetRefusal()]);
  return {
    heading: say(error.blocked ? "microphone.heading" : "microphone.none"),
    text: rings ? say("microphone.still-ringing", { name: call.peer.name }) : say("microphone.text"),
    steps: say(error.blocked ? "microphone.steps" : "microphone.none.steps"),
    keys: [[say("microphone.again"), again], other],
  };
}
