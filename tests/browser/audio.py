"""Ears and a voice for pages under test, put around the browser's own calls from outside.

`Page.inject(voice(880))` before loading makes the microphone a tone and keeps what the page does:

    tests.opened          how often a microphone was asked for
    tests.tracks          the microphone tracks given
    tests.connections     every RTCPeerConnection
    tests.remote          how often setRemoteDescription was called
    tests.heard()         [[Hz, dB], …]: the loudest frequency in each received track now
"""

from __future__ import annotations

LISTENING_JS = """
(() => {
  const RealConnection = RTCPeerConnection;
  const analysers = [];
  let context = null;
  const tests = window.tests = {opened: 0, tracks: [], connections: [], remote: 0};
  tests.context = () => (context ??= new AudioContext({sampleRate: 48000}));
  tests.listen = (track) => {
    const node = new AnalyserNode(tests.context(), {fftSize: 8192, smoothingTimeConstant: 0});
    new MediaStreamAudioSourceNode(tests.context(), {mediaStream: new MediaStream([track])})
      .connect(node);
    analysers.push(node);
  };
  tests.heard = () => analysers.map((node) => {
    const levels = new Float32Array(node.frequencyBinCount);
    node.getFloatFrequencyData(levels);
    const best = levels.reduce((best, level, at) => (level > levels[best] ? at : best), 1);
    return [best * 48000 / 8192, levels[best]];
  });
  tests.hears = (hz) => tests.heard().some(([at, level]) => Math.abs(at - hz) < 12 && level > -60);
  window.RTCPeerConnection = class extends RealConnection {
    constructor(...given) {
      super(...given);
      tests.connections.push(this);
      this.addEventListener("track", (event) => tests.listen(event.track));
    }
    setRemoteDescription(...given) {
      tests.remote += 1;
      return super.setRemoteDescription(...given);
    }
  };
  tests.tone = (hz) => {
    const out = new MediaStreamAudioDestinationNode(tests.context(), {channelCount: 1});
    const tone = new OscillatorNode(tests.context(), {frequency: hz});
    tone.connect(new GainNode(tests.context(), {gain: 0.5})).connect(out);
    tone.start();
    return out.stream;
  };
})();
"""


def voice(hz: int) -> str:
    """Return a script whose microphone is a tone of `hz`, and that listens to what arrives."""
    return (
        LISTENING_JS
        + f"""
if (navigator.mediaDevices) navigator.mediaDevices.getUserMedia = async () => {{
  tests.opened += 1;
  const stream = tests.tone({hz});
  tests.tracks.push(...stream.getTracks());
  return stream;
}};
"""
    )


def no_voice(error: str = "NotAllowedError") -> str:
    """Return a script whose microphone is refused with `error` until `tests.allow` is set."""
    return (
        voice(440)
        + f"""
const allowed = navigator.mediaDevices.getUserMedia;
navigator.mediaDevices.getUserMedia = (...given) => tests.allow ? allowed(...given)
  : (tests.opened += 1, Promise.reject(new DOMException("not here", "{error}")));
"""
    )
