/** What the person has chosen about sound, on this device alone; the node is told nothing of it. */
const PLACE = "telcon.audio";

/**
 * @typedef {object} Preferences
 * @property {string} microphone the browser's id of it; "" is the device's own choice
 * @property {string} microphoneName as the browser calls it: an id says nothing once it is gone
 * @property {string} output
 * @property {string} outputName
 * @property {boolean} echo cancel echoes
 * @property {boolean} noise suppress noise
 * @property {boolean} gain even out the level
 */
const USUAL = { microphone: "", microphoneName: "", output: "", outputName: "", echo: true, noise: true, gain: true };

/** @returns {Preferences} */
export default function preferences() {
  return { ...USUAL, ...JSON.parse(localStorage.getItem(PLACE) ?? "{}") };
}

/** @param {Partial<Preferences>} changes */
export function prefer(changes) {
  localStorage.setItem(PLACE, JSON.stringify({ ...preferences(), ...changes }));
}
