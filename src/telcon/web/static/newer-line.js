/** Which line goes on in place of one that is stopped, as `telcon line list` says it. */

/**
 * @param {Record<string, any>} line
 * @param {Record<string, any>[]} lines all of the snapshot, the oldest first
 * @returns {{line: string, renewed: boolean}|null} the newest line with the same node, and whether the old
 *   one was stopped by both sides' words that new keys take its place; null if it goes on, or ended in an alarm
 */
export default function newerLine(line, lines) {
  if (!line.frozen || line.broken || line.forked) return null;
  const place = lines.findIndex((other) => other.line === line.line);
  const later = lines.slice(place + 1).filter((other) => other.peer.node === line.peer.node);
  if (later.length === 0) return null;
  return { line: later.at(-1).line, renewed: later.some((other) => other.line === line.renewed_by) };
}

/** Whether nothing more is signed on `line`. @param {Record<string, any>} line */
export function isStopped(line) {
  return Boolean(line.frozen || line.broken || line.forked);
}
