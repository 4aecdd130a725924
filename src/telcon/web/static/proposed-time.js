/**
 * A time proposed in the words of a declined call: `YYYY-MM-DD HH:MM UTC`, written so in both logs and
 * shown to each reader in their own time zone. Pure.
 */
const FORM = /(?<!\d)(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}) UTC(?![\p{L}\d])/u;

/**
 * The moment that `text` proposes.
 * @param {string|null} text
 * @returns {number|null} µs since 1970, UTC; null when there is none, or none that exists
 */
export default function proposedTime(text) {
  const found = FORM.exec(text ?? "");
  if (!found) return null;
  const ms = Date.parse(`${found[1]}T${found[2]}Z`);
  return Number.isNaN(ms) || formatProposal(ms * 1000) !== found[0] ? null : ms * 1000;
}

/**
 * What stands before the moment in `text`, the moment as written, and what follows; all before when there is none.
 * @param {string} text
 * @returns {[string, string, string]}
 */
export function aroundProposal(text) {
  const found = FORM.exec(text);
  if (!found) return [text, "", ""];
  return [text.slice(0, found.index), found[0], text.slice(found.index + found[0].length)];
}

/**
 * `us` as it stands in the words, to the minute.
 * @param {number} us µs since 1970, UTC
 */
export function formatProposal(us) {
  return `${new Date(us / 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
