"""Two browsers on a bad network: little is concealed, and a cut leg finds its way back."""

import time

import pytest

from bench.loss import CASES, Call, Case, a_call, measure
from browser.cdp import Page
from fakes.ports import own_ports
from fakes.udp_proxy import FAIR, Weather

pytestmark = [pytest.mark.browser, pytest.mark.process]

CUT_S = 30.0
BACK_S = 2.0  # the limit
BUSY = 5.0  # how much longer a loaded machine may take, a browser's checks included
BURSTS = Case("20 % lost in bursts", "trunk", {"loss": 0.2, "burst": 3.0})
STREAMS_JS = """tests.connections[0].remoteDescription.sdp.split("\\r\\n")
  .filter((line) => !/^(o=|a=(ice-ufrag|ice-pwd|candidate|end-of-candidates))/.test(line))"""


def came(page: Page) -> float:
    """Return how many packets have come to a page."""
    return float(
        page.evaluate(
            "tests.connections[0].getStats().then((stats) => [...stats.values()]"
            ".filter((one) => one.type === 'inbound-rtp')"
            ".reduce((sum, one) => sum + one.packetsReceived, 0))"
        )
    )


def check_a_cut_leg(call: Call) -> None:
    """Cut both legs until the pages look for a way; see that they find it and agree nothing new."""
    streams = [page.evaluate(STREAMS_JS) for page in call.pages]
    for proxy in call.proxies:
        proxy.set(Weather(cut=True))
        proxy.set(FAIR, clients=call.trunk_ports)
    for page in call.pages:
        page.wait_for("tests.connections[0].connectionState === 'disconnected'", 60)
    before = [came(page) for page in call.pages]
    time.sleep(CUT_S - 6.0)
    assert [came(page) for page in call.pages] == before
    for proxy in call.proxies:
        proxy.set(FAIR)
    began = time.monotonic()
    while any(came(page) < was + 5 for page, was in zip(call.pages, before, strict=True)):
        assert time.monotonic() - began < BACK_S * BUSY
    print(f"heard again {time.monotonic() - began:.2f} s after a cut of {CUT_S:g} s was mended")
    for page, agreed in zip(call.pages, streams, strict=True):
        page.wait_for("tests.connections[0].connectionState === 'connected'", 60)
        assert page.evaluate("tests.connections.length") == 1
        assert page.evaluate(STREAMS_JS) == agreed


def test_what_is_lost_is_mended_and_a_cut_leg_comes_back() -> None:
    with a_call(own_ports(8)) as call:
        measured = measure(call, BURSTS, 6.0)
        print(f"{BURSTS.name}: {measured}")
        # Unmended, all 20 % would never come. What is concealed a starved browser adds to: see
        # `python -m bench loss`.
        assert measured["missed"] < 14.0
        call.set(CASES[0])
        check_a_cut_leg(call)
