/**
 * The words of the page, from the catalogue that came with it.
 * What is put into a sentence is isolated, so that a name in another direction cannot turn the rest around.
 */

/** @type {Record<string, string>} */
const catalogue = JSON.parse(document.getElementById("words").textContent);
const plurals = new Intl.PluralRules(catalogue.language);

/** Embeddings, overrides and isolates: they can make a text read as another one. */
const TURNING = /[\u202A-\u202E\u2066-\u2069]/gu;

/**
 * What somebody else wrote, without the marks that turn text around unseen.
 * @param {string} text
 */
export function plain(text) {
  return text.replace(TURNING, "\uFFFD");
}

/**
 * The sentence under `key`, with `values` put in.
 * @param {string} key
 * @param {Record<string, string|number>} [values]
 */
export function say(key, values = {}) {
  const sentence = catalogue[key];
  if (sentence === undefined) throw new Error(`no words for ${key}`);
  return sentence.replace(/\{(\w+)\}/gu, (_, name) =>
    typeof values[name] === "number" ? `${values[name]}` : `\u2068${plain(values[name])}\u2069`);
}

/**
 * Something said by this page already, to be put into another sentence: it is isolated there as a whole.
 * @param {string} said
 */
export function inner(said) {
  return said.replace(/[\u2068\u2069]/gu, "");
}

/**
 * The plural form of `key` that fits `count`.
 * @param {string} key
 * @param {number} count
 */
export function sayCount(key, count) {
  const form = `${key}.${plurals.select(count)}`;
  return say(form in catalogue ? form : `${key}.other`, { count });
}

/**
 * Why a call ended: a node's reason has words of its own, what a person said is quoted.
 * @param {string} phase
 * @param {string} reason
 */
export function sayReason(phase, reason) {
  const key = `reason.${reason}`;
  return phase === "failed" && key in catalogue ? say(key) : say("ended.reason", { reason });
}

/**
 * Whether there are words under `key`.
 * @param {string} key
 */
export function hasWords(key) {
  return key in catalogue;
}

/** How times and dates are written. */
export const locale = catalogue.locale;
