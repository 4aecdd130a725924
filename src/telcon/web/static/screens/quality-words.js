/** What a judgement about the sound says to a person, and its figures for who asks. */
import { say } from "../words.js";

/**
 * @param {string} leg state of the own leg
 * @param {import("../media/quality.js").Judgement} judgement
 * @returns {[string, string]} state, for the eye, and the sentence
 */
export function qualityWords(leg, judgement) {
  if (leg === "lost") return ["interrupted", say("quality.interrupted")];
  if (leg !== "connected" && judgement.state !== "interrupted") return ["measuring", say("quality.connecting")];
  const { state, why } = judgement;
  return [state, say(why ? `quality.${state}.${why}` : `quality.${state}`)];
}

/** @returns {[string, string][]} what was measured, and how much */
export function qualityFigures(judgement) {
  const { concealed, missed, lost, wait_ms: wait, roundTrip_ms: there } = judgement;
  return [
    [say("quality.concealed"), percent(concealed)],
    [say("quality.lost"), percent(lost)],
    [say("quality.missed"), percent(missed)],
    [say("quality.wait"), say("quality.ms", { ms: Math.round(wait) })],
    [say("quality.there"), say("quality.ms", { ms: Math.round(there) })],
  ];
}

function percent(part) {
  return say("quality.percent", { percent: part < 0.1 ? (part * 100).toFixed(1) : `${Math.round(part * 100)}` });
}
