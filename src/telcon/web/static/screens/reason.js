/** Why a call ended, in the words of who ended it; a time that they propose also in the reader's own. */
import { when } from "../clock.js";
import { put } from "../parts.js";
import proposedTime, { aroundProposal } from "../proposed-time.js";
import { say, sayReason } from "../words.js";

/**
 * @param {Record<string, any>} at with the parts `reason` and `proposed`
 * @param {{phase: string, by: string|null, reason: string|null}} ended
 * @param {string} name of the other person
 */
export default function putReason(at, { phase, by, reason }, name) {
  const moment = phase === "declined" ? proposedTime(reason) : null;
  const whose = by === "theirs" ? "ended.proposed" : "ended.proposed-by-you";
  putWhole(at.reason, reason ? sayReason(phase, reason) : "");
  put(at.proposed, moment === null ? "" : say(whose, { name, time: when(moment) }));
  at.reason.hidden = !reason;
  at.proposed.hidden = moment === null;
}

/** Shows `words`, and never a date of theirs broken in two. */
function putWhole(node, words) {
  if (node.textContent === words) return;
  const date = document.createElement("span");
  date.className = "whole";
  const [before, moment, after] = aroundProposal(words);
  date.textContent = moment;
  node.replaceChildren(before, date, after);
}
