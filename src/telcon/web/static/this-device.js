/** What is chosen for this device alone: language, rings in the background, push, a place on its screen. */
import { parts, put } from "./parts.js";
import { canPush, pushState, turnOff, turnOn } from "./push.js";
import { say } from "./words.js";

const YEAR_S = 365 * 24 * 3600;

/** The browser's offer to install the page; it comes once, soon after the page. @type {any} */
let offer = null;
addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault(); // offered in a calm place, not over a call
  offer = event;
});

export default class ThisDevice {
  #at;
  /** @type {import("./push.js").PushState|null} */ #push = null;

  /** @param {HTMLElement} root a copy of the fold-out "This device" */
  constructor(root) {
    this.#at = parts(root);
    const { language, notify, push, install } = this.#at;
    root.addEventListener("toggle", () => this.#look());
    language.value = document.documentElement.lang;
    language.addEventListener("change", () => speak(language.value));
    notify.addEventListener("click", () => this.#allow());
    push.addEventListener("click", () => this.#togglePush());
    install.addEventListener("click", () => this.#install());
  }

  /** @param {boolean} busy a call is going on: the page must not be loaded anew */
  render(busy) {
    this.#at.language.disabled = busy;
    const { permission } = globalThis.Notification ?? { permission: "none" };
    this.#at.notify.hidden = permission !== "default";
    const said = { granted: "device.notify.on", denied: "device.notify.blocked" }[permission];
    put(this.#at["notify-state"], said ? say(said) : "");
    this.#at.install.hidden = !offer;
    this.#renderPush(permission);
  }

  #renderPush(permission) {
    const offered = Boolean(this.#push?.key) && canPush() && permission === "granted";
    this.#at.push.hidden = this.#at["push-text"].hidden = !offered;
    put(this.#at.push, say(this.#push?.on ? "device.push.off" : "device.push.on"));
  }

  async #look() {
    this.#push = await pushState();
    this.render(this.#at.language.disabled);
  }

  async #allow() {
    await Notification.requestPermission();
    this.render(this.#at.language.disabled);
  }

  async #togglePush() {
    const { push } = this.#at;
    push.disabled = true;
    const done = this.#push.on ? await turnOff() : await turnOn(this.#push.key);
    push.disabled = false;
    put(this.#at["push-trouble"], done ? "" : say("device.push.failed"));
    await this.#look();
  }

  async #install() {
    await offer.prompt();
    offer = null;
    this.#at.install.hidden = true;
  }
}

/** The choice stays with the browser, not with the person: a shared desk may speak another one. */
function speak(language) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  const chosen = `telcon-language=${language}`;
  document.cookie = `${chosen}; Path=/; Max-Age=${YEAR_S}; SameSite=Strict${secure}`;
  if (document.cookie.includes(chosen)) location.reload(); // once read back it is there for the next request
}
