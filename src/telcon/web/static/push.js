/**
 * Web Push on this device: a service of the browser's maker wakes it with the one word "ring" while no
 * page is open. Off until the person turns it on, and only where the node allows it.
 */
import { install } from "./install.js";

/** @typedef {{key: string|null, on: boolean}} PushState what the node says: its key, null without push */

/** @returns {Promise<PushState|null>} null when the node does not answer */
export async function pushState() {
  const answer = await fetch("/push", { cache: "no-store" }).catch(() => null);
  return answer?.ok ? answer.json() : null;
}

/** Whether this browser can be woken at all. */
export function canPush() {
  return "PushManager" in globalThis && "serviceWorker" in navigator;
}

/**
 * Lets the browser's push service wake this device.
 * @param {string} key the node's, base64url
 * @returns {Promise<boolean>} whether it is so now
 */
export async function turnOn(key) {
  const registration = await install();
  if (!registration) return false;
  try {
    const options = { userVisibleOnly: true, applicationServerKey: octets(key) };
    const subscription = await registration.pushManager.subscribe(options);
    const answer = await fetch("/push", { method: "POST", body: JSON.stringify(subscription) });
    if (!answer.ok) await subscription.unsubscribe();
    return answer.ok;
  } catch {
    return false; // no push service, or the person said no
  }
}

/** @returns {Promise<boolean>} whether it is off now */
export async function turnOff() {
  const registration = await navigator.serviceWorker.getRegistration("/");
  const subscription = await registration?.pushManager.getSubscription();
  await subscription?.unsubscribe().catch(() => null);
  const answer = await fetch("/push", { method: "DELETE" }).catch(() => null);
  return Boolean(answer?.ok);
}

/** @param {string} text base64url */
function octets(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
}
