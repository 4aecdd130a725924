/**
 * A ring while the page is in the background: a notification and a badge, until the ring is over. It
 * says that somebody rings and not who: a lock screen may be in other hands.
 */
import { installed } from "./install.js";
import { say } from "./words.js";

const TAG = "ring";

export default class RingNotice {
  /** The call that rings, or "". */
  #call = "";
  #shown = false;

  connect() {
    document.addEventListener("visibilitychange", () => this.#look());
  }

  /** A snapshot came. @param {Record<string, any>|null} call */
  arrived(call) {
    const rings = call?.phase === "ringing" && call.side === "theirs";
    if (rings && call.call !== this.#call) {
      this.#call = call.call;
      // Lit at once, sounded after two seconds: a slip that is taken back wakes nobody.
      setTimeout(() => this.#call === call.call && this.#look(), call.ringing?.sounds_in_ms ?? 0);
    } else if (!rings && this.#call) {
      const missed = call?.call === this.#call && ["missed", "cancelled"].includes(call.phase);
      this.#call = "";
      this.#over(missed);
    }
  }

  #look() {
    if (document.hidden && this.#call) return this.#show("push.title", "push.text", true);
    if (!document.hidden) this.#clear();
  }

  #over(missed) {
    if (missed && document.hidden && this.#shown) return this.#show("push.missed", "push.missed.text", false);
    this.#clear();
  }

  async #show(title, text, stays) {
    this.#shown = true;
    navigator.setAppBadge?.(1)?.catch(() => null); // where there is nothing to put a badge on
    if (globalThis.Notification?.permission !== "granted") return;
    const registration = await installed();
    await registration?.showNotification(say(title), {
      body: say(text), tag: TAG, requireInteraction: stays, .../** @type {object} */ ({ renotify: stays }),
      icon: "/static/icons/icon-192.png", badge: "/static/icons/badge-96.png",
      lang: document.documentElement.lang, dir: /** @type {NotificationDirection} */ (document.documentElement.dir),
    });
    if (stays && !this.#call) await this.#clear(); // it ended while this was being shown
  }

  /** Also what the worker has shown while no page was open. */
  async #clear() {
    this.#shown = false;
    navigator.clearAppBadge?.()?.catch(() => null);
    const registration = await installed();
    const shown = (await registration?.getNotifications({ tag: TAG })) ?? [];
    shown.forEach((notification) => notification.close());
  }
}
