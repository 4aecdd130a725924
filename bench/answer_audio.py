"""Answering: from the tap on Answer in one browser to the first sound in the other, both ways.

Two Chromium pages on two nodes, each node a process of its own; microphones are tones. Both ends
are read in the pages on one clock (`Date.now`, whole milliseconds): the tap in the event that it
makes, the first sound in an audio worklet on the received track, that is after network, jitter
buffer and decoder. All calls use the same two pages, as people do; the first one is not counted.

Beside each call stands what the browser takes alone: the same two pages, connected to each other
without any node, from opening a microphone to the first sound at the other. On few cores most of
either time is the browser's.
"""

import json
import tempfile
from pathlib import Path

from bench.figures import Row, at_most, every, median, spread
from bench.two_nodes import paired_nodes
from browser.audio import voice
from browser.cdp import Browser, Page
from demo.nodes import DemoNode

__all__ = ["run"]

CALLS = 20
LIMIT_MS, LIMIT_WORST_MS = 100.0, 300.0
ARCADIAN_HZ, BOREALIAN_HZ = 440, 880
SHOW_ADDRESSES = "--disable-features=WebRtcHideLocalIpsWithMdns"  # for the direct connection
REACTION_S = 1.0  # between the first ring and the tap; both legs are armed by then

# The tests' own ears look ten times a second at most; these look at every sample.
EARS_JS = """
(() => {
  const worklet = `registerProcessor("first", class extends AudioWorkletProcessor {
    process([[samples]]) {
      if (this.told || !samples?.some((sample) => Math.abs(sample) > 0.01)) return true;
      this.told = true;
      this.port.postMessage(Date.now());
      return true;
    }
  });`;
  const loaded = tests.context().audioWorklet.addModule(
    URL.createObjectURL(new Blob([worklet], {type: "text/javascript"})));
  tests.tapped = 0;
  tests.first = 0;
  tests.listen = async (track) => {
    await loaded;
    const ear = new AudioWorkletNode(tests.context(), "first", {numberOfOutputs: 0});
    ear.port.onmessage = ({data}) => { tests.first ||= data; };
    new MediaStreamAudioSourceNode(tests.context(), {mediaStream: new MediaStream([track])})
      .connect(ear);
  };
  addEventListener("click", () => { tests.tapped = Date.now(); }, {capture: true});

  const described = async (connection) => {
    await connection.setLocalDescription();
    while (connection.iceGatheringState !== "complete") {
      await new Promise((done) => { connection.onicegatheringstatechange = done; });
    }
    return connection.localDescription.sdp;
  };
  tests.offer = () => {
    tests.direct = new RTCPeerConnection();
    tests.sender = tests.direct.addTransceiver("audio", {direction: "sendonly"}).sender;
    return described(tests.direct);
  };
  tests.answer = async (sdp) => {
    tests.direct = new RTCPeerConnection();
    tests.direct.ontrack = ({track}) => {
      const player = new Audio();
      player.srcObject = new MediaStream([track]);
      player.play();
    };
    await tests.direct.setRemoteDescription({type: "offer", sdp});
    return described(tests.direct);
  };
  tests.accept = (sdp) => tests.direct.setRemoteDescription({type: "answer", sdp});
  tests.speak = async () => {
    tests.tapped = Date.now();
    const stream = await navigator.mediaDevices.getUserMedia({audio: true});
    await tests.sender.replaceTrack(stream.getTracks()[0]);
  };
})();
"""


def signed_in(browser: Browser, node: DemoNode, hz: int) -> Page:
    """Open the page of a node's principal, who has allowed the microphone before."""
    page = browser.new_page()
    page.call("Page.setBypassCSP", enabled=True)  # for the worklet above, which is not telcon's
    page.inject(voice(hz) + EARS_JS)
    browser.call(
        "Browser.grantPermissions",
        {
            "origin": f"http://{node.party.host}:{node.web_port}",
            "permissions": ["audioCapture"],
            "browserContextId": page.context,
        },
    )
    page.goto(node.sign_in_link())
    page.click("Sign in", "button")
    return page


def call(browser: Browser, caller: Page, callee: Page) -> tuple[float, float]:
    """Call, answer, hang up; return the milliseconds to first sound at caller and callee."""
    caller.click("Call Elena Voss", "button")
    callee.wait_text("Incoming call")
    for page in (caller, callee):
        page.wait_for("tests.connections.at(-1)?.connectionState === 'connected'")
    browser.pump(REACTION_S)
    for page in (caller, callee):
        page.evaluate("tests.first = 0")
    callee.click("Answer", "button")
    for page in (caller, callee):
        page.wait_for("tests.first")
    tapped = callee.evaluate("tests.tapped")
    times = [page.evaluate("tests.first") - tapped for page in (caller, callee)]
    caller.click("End call", "button")
    for page in (caller, callee):
        page.click("Done", "button")
    return times[0], times[1]


def direct(browser: Browser, listener: Page, speaker: Page) -> float:
    """Connect the pages to each other; return the milliseconds from microphone to first sound."""
    offer = speaker.evaluate("tests.offer()")
    answer = listener.evaluate(f"tests.answer({json.dumps(offer)})")
    speaker.evaluate(f"tests.accept({json.dumps(answer)})")
    for page in (listener, speaker):
        page.wait_for("tests.direct.connectionState === 'connected'")
    browser.pump(REACTION_S)
    listener.evaluate("tests.first = 0")
    speaker.evaluate("tests.speak()")
    listener.wait_for("tests.first")
    took: float = listener.evaluate("tests.first") - speaker.evaluate("tests.tapped")
    for page in (listener, speaker):
        page.evaluate("tests.direct.close(), tests.tracks.at(-1)?.stop()")
    return took


def run() -> list[Row]:
    """Measure, print, and return the rows."""
    found: list[tuple[float, float]] = []
    floor: list[float] = []
    with (
        tempfile.TemporaryDirectory(prefix="telcon-bench-") as place,
        paired_nodes(Path(place)) as (arcadia, borealis),
        Browser(SHOW_ADDRESSES) as browser,
    ):
        caller = signed_in(browser, arcadia, ARCADIAN_HZ)
        callee = signed_in(browser, borealis, BOREALIAN_HZ)
        callee.wait_text("Adrian Rey")
        call(browser, caller, callee)
        direct(browser, caller, callee)
        for _ in range(CALLS):
            found.append(call(browser, caller, callee))
            floor.append(direct(browser, caller, callee))
    return report(found, floor)


def report(found: list[tuple[float, float]], floor: list[float]) -> list[Row]:
    """Print all values, and how the medians compare; return the rows."""
    caller, callee = ([times[side] for times in found] for side in (0, 1))
    print("tap on Answer to the first sound at the far page, ms")
    for name, times in (("caller hears", caller), ("callee hears", callee)):
        print(f"  {name}\n{every(times, digits=0)}\n    {spread(times, digits=0)}")
    print("the same pages connected to each other, microphone to first sound, ms")
    print(f"{every(floor, digits=0)}\n    {spread(floor, digits=0)}")
    for name, times in (("caller", caller), ("callee", callee)):
        more = median(times) - median(floor)
        print(f"  {name}: {median(times) / median(floor):.2f} of that, {more:.0f} ms more")
    beside = f"the browsers alone {median(floor):.0f} ms, worst {max(floor):.0f} ms"
    rows = []
    for name, times in (("caller hears", caller), ("callee hears", callee)):
        what = f"answer to first audio, {name}"
        rows += [
            at_most(f"{what}: median", median(times), "ms", LIMIT_MS, beside, times),
            at_most(f"{what}: worst of {CALLS}", max(times), "ms", LIMIT_WORST_MS, beside),
        ]
    return rows
