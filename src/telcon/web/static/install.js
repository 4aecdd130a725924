/** Makes the page installable and keeps its shell at hand: one service worker for the whole node. */

const WORKER = "/sw.js";

// Trusted types: the one address that a script may be loaded from by name.
const policy = globalThis.trustedTypes?.createPolicy("telcon-worker", {
  createScriptURL: (address) => {
    if (address !== WORKER) throw new TypeError(address);
    return address;
  },
});

/** @returns {Promise<ServiceWorkerRegistration|null>} null where the browser has none, or refuses */
export async function install() {
  if (!navigator.serviceWorker) return null;
  const address = /** @type {string} */ (policy?.createScriptURL(WORKER) ?? WORKER);
  try {
    return await navigator.serviceWorker.register(address, { scope: "/", updateViaCache: "none" });
  } catch {
    return null; // a private window, or a policy of the device: all but the background works
  }
}

/** The worker that stands, if any. @returns {Promise<ServiceWorkerRegistration|null>} */
export async function installed() {
  return (await navigator.serviceWorker?.getRegistration("/")) ?? null;
}

/** Nobody is signed in here any more: what was kept goes, and nothing rings. */
export async function forgetDevice() {
  const names = (await globalThis.caches?.keys()) ?? [];
  await Promise.all(names.map((name) => caches.delete(name)));
  const registration = await installed();
  const shown = (await registration?.getNotifications()) ?? [];
  shown.forEach((notification) => notification.close());
  await registration?.unregister(); // ends its push subscription too
}
