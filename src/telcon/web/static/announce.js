/**
 * Says one sentence aloud, once: to screen readers at once, and to the room by a voice of this device.
 * A voice that would be fetched from elsewhere is never used: who talks with whom is nobody's business.
 */
const TONES_HZ = [440, 554.37, 440];
const TONE_S = 0.3;

/** @param {string} sentence */
export default function announce(sentence) {
  document.getElementById("said").textContent = sentence;
  const language = document.documentElement.lang;
  const voices = window.speechSynthesis?.getVoices() ?? [];
  const voice = voices.find((one) => one.localService && one.lang.startsWith(language));
  if (!voice) return sound();
  const words = new SpeechSynthesisUtterance(sentence.replace(/[\u2066-\u2069]/gu, ""));
  words.voice = voice;
  words.lang = voice.lang;
  speechSynthesis.speak(words);
}

/** Three soft tones, for a device without a voice of its own. */
function sound() {
  const context = new AudioContext();
  const start = context.currentTime + 0.05;
  TONES_HZ.forEach((frequency, index) => {
    const tone = new OscillatorNode(context, { frequency });
    const from = start + index * TONE_S;
    const level = new GainNode(context, { gain: 0 });
    level.gain.setTargetAtTime(0.15, from, 0.02);
    level.gain.setTargetAtTime(0, from + TONE_S - 0.1, 0.03);
    tone.connect(level).connect(context.destination);
    tone.start(from);
    tone.stop(from + TONE_S);
    if (index === TONES_HZ.length - 1) tone.onended = () => context.close();
  });
}
