/**
 * Who this page is to its node: an id, and the DTLS certificate whose hash goes into ring, answer and
 * join, so that both logs vouch for the device that speaks. A page that is reloaded takes both up again,
 * and with them its seat in a call. The key never leaves the browser; it is forgotten at sign-out.
 */
const PLACE = "telcon.page";
const DATABASE = "telcon";
const STORE = "certificates";
const DAY_MS = 86_400_000;

let page = "";
/** @type {Promise<{certificate: RTCCertificate, fingerprint: string}>|undefined} */
let made;

/**
 * This page's id: 32 hex digits. That of the page before a reload, if its certificate is still here.
 * @returns {Promise<string>}
 */
export async function takeUp() {
  const left = sessionStorage.getItem(PLACE);
  sessionStorage.removeItem(PLACE); // a second tab made of this one must not be the same page
  addEventListener("pagehide", () => page && sessionStorage.setItem(PLACE, page));
  addEventListener("pageshow", (event) => event.persisted && sessionStorage.removeItem(PLACE));
  const kept = left ? await recall(left) : null;
  if (kept) made = withFingerprint(kept);
  page = kept ? left : [...crypto.getRandomValues(new Uint8Array(16))].map((n) => n.toString(16).padStart(2, "0")).join("");
  return page;
}

/** @returns {Promise<{certificate: RTCCertificate, fingerprint: string}>} fingerprint is SHA-256 in hex */
export default async function ownCertificate() {
  const now = await (made ??= make());
  if (now.certificate.expires - Date.now() > DAY_MS) return now;
  return (made = make()); // the page has been open for weeks
}

/** Forgets all that was kept: the person signs out. @returns {Promise<void>} */
export function forgetIdentity() {
  made = undefined;
  page = ""; // and nothing is taken up after it
  return new Promise((done) => {
    const asked = indexedDB.deleteDatabase(DATABASE);
    asked.onsuccess = asked.onerror = asked.onblocked = () => done();
  });
}

async function make() {
  const certificate = await RTCPeerConnection.generateCertificate(
    /** @type {any} */ ({ name: "ECDSA", namedCurve: "P-256" }));
  keep(certificate);
  return withFingerprint(certificate);
}

async function withFingerprint(certificate) {
  const value = certificate.getFingerprints?.().find((print) => print.algorithm === "sha-256")?.value
    ?? await fingerprintFromOffer(certificate);
  return { certificate, fingerprint: value.replaceAll(":", "").toLowerCase() };
}

/** For browsers that do not tell: every offer states it. */
async function fingerprintFromOffer(certificate) {
  const connection = new RTCPeerConnection({ certificates: [certificate] });
  connection.createDataChannel("");
  const offer = await connection.createOffer();
  connection.close();
  return offer.sdp.match(/^a=fingerprint:sha-256 (\S+)/imu)[1];
}

/** @returns {Promise<IDBDatabase>} */
function database() {
  return new Promise((done, fail) => {
    const asked = indexedDB.open(DATABASE, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(STORE);
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => fail(asked.error);
  });
}

/** Keeps `certificate` under this page's id. Where a browser keeps nothing, a reload begins anew. */
async function keep(certificate) {
  try {
    const opened = await database();
    opened.transaction(STORE, "readwrite").objectStore(STORE).put(certificate, page);
    opened.close();
  } catch (error) {
    console.info("the certificate is not kept over a reload", error);
  }
}

/** @param {string} id @returns {Promise<RTCCertificate|null>} */
async function recall(id) {
  try {
    const opened = await database();
    const store = opened.transaction(STORE, "readwrite").objectStore(STORE);
    dropOld(store);
    const kept = await new Promise((done) => {
      const asked = store.get(id);
      asked.onsuccess = () => done(asked.result ?? null);
      asked.onerror = () => done(null);
    });
    opened.close();
    return kept;
  } catch (error) {
    console.info("no certificate is left of the page before", error);
    return null;
  }
}

/** @param {IDBObjectStore} store */
function dropOld(store) {
  store.openCursor().onsuccess = (event) => {
    const cursor = /** @type {IDBRequest<IDBCursorWithValue>} */ (event.target).result;
    if (!cursor) return;
    if (cursor.value.expires - Date.now() < DAY_MS) cursor.delete();
    cursor.continue();
  };
}
