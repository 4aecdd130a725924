"""Answering: from the tap on Answer in one browser to the first sound in the other, both ways.

Two Chromium pages on two nodes, each node a process of its own; microphones are tones. Both ends
are read in the pages on one clock (`Date.now`, whole milliseconds): the tap in the event that it
makes, the first sound in an audio worklet on the received track, that is after network, jitter
buffer and decoder. All calls use the same two pages, as people do; the first one is not counted.
"""

import statistics
import tempfile
from pathlib import Path

from demo.nodes import DemoNode

from bench.figures import every, spread
from bench.two_nodes import paired_nodes
from browser.audio import voice
from browser.cdp import Browser, Page

__all__ = ["run"]

CALLS = 20
ARCADIAN_HZ, BOREALIAN_HZ = 440, 880
REACTION_S = 1.0  # between the first ring and the tap; both legs are armed by then

# The tests' own ears look ten times a second at most; these look at every sample.
EARS_JS = """
(() => {
  const worklet = `registerProcessor("first", class extends AudioWorkletProcessor {
    process([[samples]]) {
      if (!samples || !samples.some((sample) => Math.abs(sample) > 0.01)) return true;
      this.port.postMessage(Date.now());
      return false;
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
    for page in (caller, callee):
        page.evaluate("tests.first = 0")
    caller.click("Call Elena Voss", "button")
    callee.wait_text("Incoming call")
    for page in (caller, callee):
        page.wait_for("tests.connections.at(-1)?.connectionState === 'connected'")
    browser.pump(REACTION_S)
    callee.click("Answer", "button")
    for page in (caller, callee):
        page.wait_for("tests.first")
    tapped = callee.evaluate("tests.tapped")
    times = [page.evaluate("tests.first") - tapped for page in (caller, callee)]
    caller.click("End call", "button")
    for page in (caller, callee):
        page.click("Done", "button")
    return times[0], times[1]


def run() -> None:
    """Measure and print."""
    found: list[tuple[float, float]] = []
    with (
        tempfile.TemporaryDirectory(prefix="telcon-bench-") as place,
        paired_nodes(Path(place)) as (arcadia, borealis),
        Browser() as browser,
    ):
        caller = signed_in(browser, arcadia, ARCADIAN_HZ)
        callee = signed_in(browser, borealis, BOREALIAN_HZ)
        callee.wait_text("Adrian Rey")
        call(browser, caller, callee)
        found = [call(browser, caller, callee) for _ in range(CALLS)]
    print("tap on Answer to the first sound at the far page, ms")
    for name, times in zip(("caller hears", "callee hears"), zip(*found, strict=True), strict=True):
        print(f"  {name}\n{every(times, digits=0)}\n    {spread(times, digits=0)}")
    both = [max(times) for times in found]
    print(f"  both hear: median {statistics.median(both):.0f} ms, worst {max(both):.0f} ms")
