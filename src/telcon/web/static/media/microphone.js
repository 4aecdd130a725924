/** Opens the microphone, in the tap that rings or answers and never before. */
import preferences from "./preferences.js";

const GONE = ["OverconstrainedError", "NotFoundError"];

/** The browser gave no microphone; `why` is its own name for the reason. */
export class NoMicrophone extends Error {
  /** @param {string} why */
  constructor(why) {
    super(why);
    this.why = why;
  }

  /** Whether a person or a setting refused, rather than none being there. */
  get blocked() {
    return this.why === "NotAllowedError" || this.why === "SecurityError";
  }
}

/**
 * The microphone that the person has chosen; one that is gone is replaced by the device's own.
 * @returns {Promise<MediaStreamTrack>} rejects with NoMicrophone
 */
export default async function openMicrophone() {
  const { microphone, echo, noise, gain } = preferences();
  const how = { echoCancellation: echo, noiseSuppression: noise, autoGainControl: gain, channelCount: 1 };
  if (!microphone) return ask(how);
  try {
    return await ask({ ...how, deviceId: { exact: microphone } });
  } catch (error) {
    if (!(error instanceof NoMicrophone) || !GONE.includes(error.why)) throw error;
    return ask(how);
  }
}

/** Whether `track` is another microphone than the one chosen. @param {MediaStreamTrack} track */
export function isStandIn(track) {
  const { microphone } = preferences();
  return Boolean(microphone) && track.getSettings().deviceId !== microphone;
}

async function ask(audio) {
  if (!navigator.mediaDevices) throw new NoMicrophone("SecurityError");
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio });
    return stream.getAudioTracks()[0];
  } catch (error) {
    throw new NoMicrophone(error instanceof Error ? error.name : "Error");
  }
}

// Asked when the page comes: the browser takes some 10 ms, and an answer should not wait for it.
// Its state follows the setting. Null where the browser does not tell: ask first, answer after.
const permission = navigator.permissions
  ?.query({ name: /** @type {any} */ ("microphone") })
  .catch(() => null);

/** Whether the person has allowed it before, so that no question will come up. */
export async function isAllowed() {
  return (await permission)?.state === "granted";
}
