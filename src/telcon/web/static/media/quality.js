/**
 * How a call sounds, from what the browser counts and what the node knows: good, weak or interrupted,
 * and why. Judged over the last seconds, so that one lost packet is no news. Pure.
 */
const WINDOW_S = 5;
const CONCEALED_WEAK = 0.03; // of what is played; a word is missed now and then
const MISSED_WEAK = 0.08; // of what we send; the far encoder mends less than that
const LATE_MS = 400; // there and back, with the wait in the jitter buffer: people begin to talk at once
const SILENT_MS = 3000; // the nodes report to each other each second

/**
 * @typedef {object} Sample what was counted up to a moment
 * @property {number} at s
 * @property {number} samples played, all lines in together
 * @property {number} concealed of these, made up by the browser
 * @property {number} waited s in the jitter buffer, summed over `emitted` samples
 * @property {number} emitted
 * @property {number} roundTrip_ms to the own node and back
 * @property {string} suite cipher of the leg, as the browser calls it
 *
 * @typedef {object} Judgement
 * @property {"measuring"|"good"|"weak"|"interrupted"} state
 * @property {""|"in"|"out"|"late"|"nodes"} why
 * @property {number} concealed 0 to 1
 * @property {number} missed 0 to 1
 * @property {number} lost 0 to 1, between the nodes
 * @property {number} wait_ms in the jitter buffer
 * @property {number} roundTrip_ms
 */

/** @param {RTCStatsReport} report @returns {Sample} */
export function sampleOf(report) {
  const all = [...report.values()];
  const lines = all.filter((one) => one.type === "inbound-rtp" && one.packetsReceived > 0);
  const sum = (/** @type {(line: any) => number} */ of) => lines.reduce((total, line) => total + (of(line) || 0), 0);
  const transport = all.find((one) => one.type === "transport");
  const pair = report.get(transport?.selectedCandidatePairId) ?? all.find((one) => one.type === "candidate-pair" && one.nominated);
  return {
    at: (all[0]?.timestamp ?? 0) / 1000,
    samples: sum((line) => line.totalSamplesReceived),
    concealed: sum((line) => line.concealedSamples - (line.silentConcealedSamples ?? 0)),
    waited: sum((line) => line.jitterBufferDelay),
    emitted: sum((line) => line.jitterBufferEmittedCount),
    roundTrip_ms: (pair?.currentRoundTripTime ?? 0) * 1000,
    suite: transport?.srtpCipher ?? "",
  };
}

/** Keeps the samples of some seconds, and judges. */
export default class Quality {
  /** @type {(Sample & {node: Record<string, number>|null})[]} */ #past = [];

  /** @param {Sample} sample @param {Record<string, number>|null} node what the node knows at that moment */
  add(sample, node) {
    this.#past.push({ ...sample, node });
    this.#past = this.#past.filter((one) => sample.at - one.at <= WINDOW_S);
  }

  forget() {
    this.#past = [];
  }

  /** Cipher of the own leg, or "". */
  get suite() {
    return this.#past.at(-1)?.suite ?? "";
  }

  /** @returns {Judgement} */
  judge() {
    const [first] = this.#past;
    const last = this.#past.at(-1);
    if (!last || first === last) return { state: "measuring", why: "", concealed: 0, missed: 0, lost: 0, wait_ms: 0, roundTrip_ms: 0 };
    const facts = {
      concealed: part(last.concealed - first.concealed, last.samples - first.samples),
      missed: last.node?.missed ?? 0,
      lost: lostBetween(first.node, last.node),
      wait_ms: 1000 * part(last.waited - first.waited, last.emitted - first.emitted),
      roundTrip_ms: last.roundTrip_ms,
    };
    const [state, why] = verdict(facts, last.node);
    return { state, why, ...facts };
  }
}

function verdict(facts, node) {
  if ((node?.trunk_silent_ms ?? 0) > SILENT_MS) return ["interrupted", "nodes"];
  if (facts.concealed > CONCEALED_WEAK || facts.lost > MISSED_WEAK) return ["weak", "in"];
  if (facts.missed > MISSED_WEAK) return ["weak", "out"];
  if (facts.roundTrip_ms + facts.wait_ms > LATE_MS) return ["weak", "late"];
  return ["good", ""];
}

function lostBetween(first, last) {
  if (!first || !last) return 0;
  const lost = Math.max(0, last.trunk_lost - first.trunk_lost);
  return part(lost, lost + last.trunk_received - first.trunk_received);
}

function part(some, all) {
  return all > 0 ? Math.max(0, some / all) : 0;
}
