/** A soft chord through the chosen output: is this where I will hear them? */
const TONES_HZ = [523.25, 659.25, 783.99];
const LASTS_S = 0.9;

/**
 * @param {string} output the browser's id, "" for the device's own
 * @returns {Promise<boolean>} whether that output is gone, and the device's own was used
 */
export default async function testTone(output) {
  const context = new AudioContext();
  const out = new MediaStreamAudioDestinationNode(context);
  const player = new window.Audio();
  player.srcObject = out.stream;
  const gone = !(await reaches(player, output));
  TONES_HZ.forEach((frequency, index) => {
    const from = context.currentTime + 0.05 + index * 0.14;
    const tone = new OscillatorNode(context, { frequency });
    const level = new GainNode(context, { gain: 0 });
    level.gain.setTargetAtTime(0.12, from, 0.02);
    level.gain.setTargetAtTime(0, from + 0.25, 0.15);
    tone.connect(level).connect(out);
    tone.start(from);
    tone.stop(from + LASTS_S);
    if (index === TONES_HZ.length - 1) tone.onended = () => context.close();
  });
  await player.play();
  return gone;
}

async function reaches(player, output) {
  if (!player.setSinkId) return true;
  try {
    await player.setSinkId(output);
    return true;
  } catch {
    return false; // unplugged: the device's own plays
  }
}
