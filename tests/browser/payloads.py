"""Keeps what a page's encoder sends and what arrives for its decoder, byte for byte.

`Page.inject(PAYLOADS_JS)` after the script of `browser.audio`: `tests.sent` and `tests.arrived` are
lists of hex strings, one an Opus payload, as the browser's own encoded-frame streams show them.
"""

PAYLOADS_JS = """
(() => {
  const Listening = RTCPeerConnection;
  tests.sent = [];
  tests.arrived = [];
  const hex = (data) => Array.from(new Uint8Array(data), (b) => b.toString(16).padStart(2, "0"))
    .join("");
  const keep = (end, kept) => {
    const { readable, writable } = end.createEncodedStreams();
    readable.pipeThrough(new TransformStream({
      transform(frame, out) {
        kept.push(hex(frame.data));
        out.enqueue(frame);
      },
    })).pipeTo(writable);
  };
  window.RTCPeerConnection = class extends Listening {
    constructor(config) {
      super({ ...config, encodedInsertableStreams: true });
    }
    addTransceiver(...given) {
      const made = super.addTransceiver(...given);
      if (made.direction === "sendonly") keep(made.sender, tests.sent);
      else keep(made.receiver, tests.arrived);
      return made;
    }
  };
})();
"""
