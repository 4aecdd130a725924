/** Which screen to show: one decision, in one order. Pure. */

/**
 * @param {object} page
 * @param {string} page.contact contact with the own node
 * @param {Record<string, any>|null} page.snapshot
 * @param {boolean} page.refused the microphone was refused
 * @param {string} page.pending the line that is being rung, before the node has said so
 * @param {boolean} page.aside the person looks at something else during the call
 * @param {Record<string, any>|null} page.call the call to show
 * @param {{name: string, line: string}} page.route
 * @returns {{name: string, line: string}} screen and the line it is about
 */
export default function choose({ contact, snapshot, refused, pending, aside, call, route }) {
  if (contact === "signed-out" || contact === "replaced" || !snapshot) return { name: "notice", line: "" };
  if (refused) return { name: "notice", line: call?.line ?? "" };
  if (call?.phase === "ringing" && call.side === "theirs") return { name: "incoming", line: call.line };
  if (call && !(aside && call.phase === "live")) return { name: screenOf(call), line: call.line };
  if (pending) return { name: "ringing", line: pending };
  if (route.name === "audio") return { name: "audio", line: "" };
  if (snapshot.lines.some((line) => line.line === route.line)) return { name: route.name, line: route.line };
  return { name: "contacts", line: "" };
}

function screenOf(call) {
  if (call.phase === "merged") return "ringing"; // for a moment: the call that both rang is about to be live
  if (call.ended || !["ringing", "live"].includes(call.phase)) return "ended";
  return call.phase === "live" ? "live" : "ringing";
}
