/**
 * The service worker: keeps the shell for when the node cannot be reached, and rings while no page is
 * open. `SHELL` stands above this when the node serves it. It keeps no state: no snapshot, no message.
 */
const KEPT = `telcon-shell-${SHELL.version}`;
const TAG = "ring";
const LOOK_MS = 2000;
const RING_MS = 60_000; // no ring lasts longer

self.addEventListener("install", (event) => {
  self.skipWaiting(); // open pages hold all they need: a live call does not notice
  event.waitUntil(keep());
});

self.addEventListener("activate", (event) => event.waitUntil(takeOver()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (request.mode === "navigate") event.respondWith(fetch(request).catch(() => kept("/offline")));
  else if (SHELL.files.includes(pathname)) event.respondWith(fetch(request).catch(() => kept(pathname)));
});

self.addEventListener("push", (event) => event.waitUntil(pushed(event.data?.text() ?? "")));

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(openPage());
});

async function keep() {
  const cache = await caches.open(KEPT);
  await cache.addAll(SHELL.files.map((file) => new Request(file, { cache: "no-cache" })));
}

async function takeOver() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== KEPT).map((name) => caches.delete(name)));
  await self.clients.claim();
}

/** @param {string} path */
async function kept(path) {
  return (await caches.match(path, { ignoreVary: true })) ?? Response.error();
}

/** Rings, unless somebody looks at the page: it rings by itself. @param {string} text */
async function pushed(text) {
  if (text !== "ring" || (await pages()).some((page) => page.visibilityState === "visible")) return;
  await show("push.title", "push.text", true);
  const missed = await ringEnds();
  if (missed) await show("push.missed", "push.missed.text", false);
  else await clear();
}

/** Waits until the ring is over. @returns {Promise<boolean>} whether nobody took it */
async function ringEnds() {
  const until = Date.now() + RING_MS;
  while (Date.now() < until) {
    const answer = await fetch("/ringing", { cache: "no-store" }).catch(() => null);
    const { ring } = answer?.ok ? await answer.json() : { ring: "unknown" };
    if (!["ringing", "unknown"].includes(ring)) return ring === "missed";
    await new Promise((done) => setTimeout(done, LOOK_MS));
  }
  return true;
}

function show(title, text, stays) {
  return self.registration.showNotification(SHELL.words[title], {
    body: SHELL.words[text], tag: TAG, requireInteraction: stays, renotify: stays, lang: SHELL.lang, dir: SHELL.dir,
    icon: "/static/icons/icon-192.png", badge: "/static/icons/badge-96.png",
  });
}

async function clear() {
  (await self.registration.getNotifications({ tag: TAG })).forEach((shown) => shown.close());
}

function pages() {
  return self.clients.matchAll({ type: "window", includeUncontrolled: true });
}

async function openPage() {
  const [page] = await pages();
  if (page) return page.focus();
  return self.clients.openWindow("/");
}
