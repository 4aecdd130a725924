"""What two browsers conceal on a bad network, beside the same call in fair weather.

Two nodes as processes, two Chromium pages that speak, and proxies of our own for legs and trunk.
In each run the weather begins, and what both pages conceal is counted from that moment on: the time
until the speaker's encoder knows of the loss is part of the figure. Loss goes both ways. RED is in
use on every hop, as the pages and both nodes speak it.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figures import Row, every, median
from demo.nodes import ARCADIA, BOREALIS, DemoNode, pair
from demo.ports import FIRST, free_ports

OUTSIDE = "127.0.0.9"
LOOPBACK = "127.0.0.1"
VOICES = Path(__file__).parents[1] / "demo" / "voices"
RUNS = 5
MEASURED_S = 12.0
PAUSE_S = 2.0
LIMIT_LOSS, LIMIT_HEAVY, LIMIT_DELAY = 3.0, 2.0, 1.0  # per cent of samples; heavy: with RED
BURST = 3.0  # packets in a row, on average: 60 ms
SEED = 20_261_122

SPEECH_JS = """
navigator.mediaDevices.getUserMedia = async () => {
  const context = tests.context();
  const bytes = Uint8Array.from(atob("VOICE"), (letter) => letter.charCodeAt(0));
  const buffer = await context.decodeAudioData(bytes.buffer);
  const out = new MediaStreamAudioDestinationNode(context, {channelCount: 1});
  const speech = new AudioBufferSourceNode(context, {buffer, loop: true});
  speech.connect(out);
  speech.start();
  return out.stream;
};
"""
COUNT_JS = """
tests.connections[0].getStats().then((stats) => {
  const sum = {concealed: 0, total: 0, delay: 0, emitted: 0, lost: 0, came: 0, nacks: 0};
  for (const one of stats.values()) {
    if (one.type !== "inbound-rtp" || !one.packetsReceived) continue;
    sum.concealed += one.concealedSamples;
    sum.total += one.totalSamplesReceived;
    sum.delay += one.jitterBufferDelay;
    sum.emitted += one.jitterBufferEmittedCount;
    sum.lost += one.packetsLost;
    sum.came += one.packetsReceived;
    sum.nacks += one.nackCount ?? 0;
  }
  return sum;
})
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of weather and what may be concealed in it."""

    name: str
    place: str
    weather: dict[str, Any]
    limit: float | None = None


LOSS, HEAVY = {"loss": 0.1}, {"loss": 0.2}
CASES = (
    Case("fair weather", "trunk", {}),
    Case("10 % lost, each for itself", "trunk", LOSS, LIMIT_LOSS),
    Case("10 % lost in bursts", "trunk", {**LOSS, "burst": BURST}, LIMIT_LOSS),
    Case("100 ± 30 ms", "trunk", {"delay_s": 0.1, "jitter_s": 0.03}, LIMIT_DELAY),
    Case("10 % lost, each for itself", "leg", LOSS, LIMIT_LOSS),
    Case("10 % lost in bursts", "leg", {**LOSS, "burst": BURST}, LIMIT_LOSS),
    Case("100 ± 30 ms", "leg", {"delay_s": 0.1, "jitter_s": 0.03}, LIMIT_DELAY),
    Case("20 % lost, each for itself", "trunk", HEAVY, LIMIT_HEAVY),
    Case("20 % lost in bursts", "trunk", {**HEAVY, "burst": BURST}),
    Case("20 % lost, each for itself", "leg", HEAVY),
    Case("10 % lost in bursts, 100 ± 30 ms", "trunk", {**LOSS, "burst": BURST, "delay_s": 0.1,
                                                       "jitter_s": 0.03}),
)  # fmt: skip


@dataclass
class Call:
    """Two pages in a call, and the proxies between them."""

    pages: tuple[Any, Any]
    proxies: list[Any]
    trunk_ports: list[int]

    def set(self, case: Case) -> None:
        """Let the weather of `case` begin."""
        from fakes.udp_proxy import FAIR, Weather

        for proxy in self.proxies:
            proxy.set(Weather(**case.weather) if case.place == "leg" else FAIR)
            proxy.set(
                Weather(**case.weather) if case.place == "trunk" else FAIR,
                clients=self.trunk_ports,
            )

    def count(self) -> list[dict[str, float]]:
        """Return what each page has counted since the call began."""
        return [page.evaluate(COUNT_JS) for page in self.pages]


@contextlib.contextmanager
def a_call(ports: Sequence[int] = ()) -> Iterator[Call]:
    """Start nodes on eight `ports`, proxies and pages, and let one page call the other."""
    from browser.cdp import Browser
    from fakes.udp_proxy import UdpProxy

    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="telcon-bench-")))
        ports = list(ports) or free_ports(8, first=FIRST + 64 * (os.getpid() % 100))
        nodes = DemoNode(ARCADIA, folder / "arcadia"), DemoNode(BOREALIS, folder / "borealis")
        for number, node in enumerate(nodes):
            stack.callback(node.kill)
            node.set_up(ports[4 * number : 4 * number + 4])
            settings = node.folder / "node.toml"
            text = settings.read_text().replace(
                f'\nhosts = ["{LOOPBACK}"]', f'\nhosts = ["{OUTSIDE}"]'
            )
            settings.write_text(text)
            node.start()
        pair(*nodes, folder / "invitation")
        trunk_ports = [ports[3], ports[7]]
        proxies = [
            stack.enter_context(UdpProxy((OUTSIDE, port), (LOOPBACK, port), seed=SEED))
            for port in trunk_ports
        ]
        browser = stack.enter_context(Browser())
        pages = signed_in(browser, nodes[0], "arcadia"), signed_in(browser, nodes[1], "borealis")
        pages[0].click("Call Elena Voss", "button")
        pages[1].click("Answer", "button", 30)
        for page in pages:
            page.wait_for(f"{COUNT_JS}.then((sum) => sum.came > 100)", 60)
        yield Call(pages, proxies, trunk_ports)


def signed_in(browser: Any, node: DemoNode, voice: str) -> Any:
    """Open the page of a node's principal, whose microphone is speech."""
    from browser.audio import LISTENING_JS

    page = browser.new_page()
    encoded = base64.b64encode((VOICES / f"{voice}.opus").read_bytes()).decode()
    page.inject(LISTENING_JS + SPEECH_JS.replace("VOICE", encoded))
    page.goto(node.sign_in_link())
    page.click("Sign in", "button")
    return page


def measure(call: Call, case: Case, seconds: float = MEASURED_S) -> dict[str, float]:
    """Return what both pages concealed in one run of `case`, in per cent, and what went with it."""
    call.set(case)
    before = call.count()
    time.sleep(seconds)
    after = call.count()
    call.set(CASES[0])
    time.sleep(PAUSE_S)
    both = [{name: b[name] - a[name] for name in a} for a, b in zip(before, after, strict=True)]
    sums = {name: sum(one[name] for one in both) for name in both[0]}
    return {
        "concealed": 100 * sums["concealed"] / sums["total"],
        "buffer_ms": 1_000 * sums["delay"] / sums["emitted"],
        "missed": 100 * sums["lost"] / (sums["lost"] + sums["came"]),
        "nacks": sums["nacks"],
    }


def rows() -> list[Row]:
    """Measure every case and print every run."""
    found: list[Row] = []
    chosen = json.loads(os.environ.get("TELCON_BENCH_CASES", "null"))
    with a_call() as call:
        fair = 0.0
        for number, case in enumerate(CASES):
            if chosen is not None and number not in chosen:
                continue
            runs = [measure(call, case) for _ in range(RUNS)]
            values = [run["concealed"] for run in runs]
            worst, middle = max(values), median(values)
            fair = middle if not case.weather else fair
            print(
                f"{case.name}, on the {case.place}: concealed {middle:.2f} % (worst {worst:.2f}),"
                f" buffer {median([run['buffer_ms'] for run in runs]):.0f} ms, never came"
                f" {median([run['missed'] for run in runs]):.1f} %,"
                f" asked for {median([run['nacks'] for run in runs]):.0f}"
            )
            print(every(values, digits=2), flush=True)
            limit = "" if case.limit is None else f"≤ {case.limit:g}"
            met = None if case.limit is None else middle <= case.limit
            name = f"concealed, {case.name}, {case.place}"
            reference = f"{fair:.2f} in fair weather"
            found.append(Row(name, middle, "%", limit, met, reference, values))
    return found


def run() -> list[Row]:
    """Print what two browsers conceal in each kind of weather."""
    return rows()
