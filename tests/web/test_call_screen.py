"""The screens of a call: how it rings, what may be proposed, how it sounds, what is said aloud."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from browser.cdp import Page
from fakes.desk import LINE, NOW_US, idle, in_call, line, message, over, past, ringing
from web.serving import Served

pytestmark = pytest.mark.browser

# Keeps what the page schedules on the audio graph, and when, in seconds from now.
SOUNDS_JS = """
window.sounds = [];
const realStart = AudioBufferSourceNode.prototype.start;
const realStop = AudioBufferSourceNode.prototype.stop;
AudioBufferSourceNode.prototype.start = function (when) {
  sounds.push(this);
  this.inS = when - this.context.currentTime;
  this.on = true;
  return realStart.call(this, when);
};
AudioBufferSourceNode.prototype.stop = function (...given) {
  this.on = false;
  return realStop.apply(this, given);
};
"""


@pytest.fixture
def hearing(tab: Page, pages: Served) -> Page:
    """Give a tab with the page open that tells what it is about to sound."""
    tab.inject(SOUNDS_JS)
    tab.goto(pages.address)
    tab.wait_text("Adrian Rey")
    return tab


def rings_in(ms: int) -> dict[str, object]:
    return in_call("ringing", "theirs", ringing=ringing(sounds_in_ms=ms))


def test_a_ring_lights_up_at_once_and_sounds_when_the_node_says(
    hearing: Page, pages: Served
) -> None:
    pages.show(rings_in(60_000))
    hearing.wait_text("Incoming call, line of 14 March 2025")
    in_s = hearing.wait_for("window.sounds[0]?.inS")
    assert 50 < in_s <= 60
    assert hearing.evaluate("sounds[0].loop && sounds[0].on")


def test_a_ring_that_sounds_elsewhere_already_sounds_here_at_once(
    hearing: Page, pages: Served
) -> None:
    pages.show(rings_in(0))
    hearing.wait_for("window.sounds.length")
    assert hearing.evaluate("sounds[0].inS") <= 0  # the moment it was scheduled for has passed


def test_a_slip_taken_back_in_time_wakes_nobody(hearing: Page, pages: Served) -> None:
    pages.show(rings_in(60_000))
    hearing.wait_for("window.sounds.length")
    pages.show(over("cancelled", "theirs", "theirs"))
    hearing.wait_text("Call cancelled")
    assert hearing.evaluate("sounds.map((one) => one.on)") == [False]
    assert hearing.evaluate("sounds[0].inS") > 0


def test_a_later_snapshot_does_not_begin_the_ring_anew(hearing: Page, pages: Served) -> None:
    pages.show(rings_in(60_000))
    hearing.wait_for("window.sounds.length")
    pages.show({**rings_in(59_000), "node": "arcadia-two.example"})
    hearing.wait_for("document.body.textContent.includes('arcadia-two.example')")
    assert hearing.evaluate("sounds.length") == 1


def test_the_caller_sees_how_long_a_slip_stays_unheard(page: Page, pages: Served) -> None:
    pages.show(in_call("ringing", ringing=ringing(sounds_in_ms=60_000)))
    page.wait_text("Lit up there, still silent: it sounds in")
    page.wait_text("3 devices ring")


def test_the_caller_sees_that_no_device_is_open(page: Page, pages: Served) -> None:
    pages.show(in_call("ringing", ringing=ringing(devices=0)))
    page.wait_text("None of their devices is open just now")


def proposed(pages: Served) -> str:
    assert pages.desk.wait(lambda: bool(pages.desk.asked("decline")))
    return str(pages.desk.asked("decline")[0]["reason"])


def test_proposes_a_time_by_two_taps(page: Page, pages: Served) -> None:
    pages.show(in_call("ringing", "theirs"))
    page.click("Propose a time", "button")
    page.click("In 15 minutes", "button")
    words = proposed(pages)
    assert words.startswith("Can we talk at 2026-03-14 10:")
    assert words.endswith(" UTC?")
    assert words.isascii()  # no marks of the page in what both logs keep
    assert pages.desk.asked("decline")[0]["lang"] == "en"


def test_proposes_a_moment_of_ones_own_in_ones_own_zone(page: Page, pages: Served) -> None:
    page.call("Emulation.setTimezoneOverride", timezoneId="Asia/Kathmandu")
    pages.show(in_call("ringing", "theirs"))
    page.click("Propose a time", "button")
    page.evaluate("document.querySelector('[type=datetime-local]').value = '2026-03-16T09:30'")
    page.click("Propose", "button")
    there = datetime(2026, 3, 16, 9, 30, tzinfo=ZoneInfo("Asia/Kathmandu"))
    utc = there.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    assert proposed(pages) == f"Can we talk at {utc}?"


def test_a_proposed_time_is_shown_in_the_readers_own_zone(tab: Page, pages: Served) -> None:
    tab.call("Emulation.setTimezoneOverride", timezoneId="Asia/Kathmandu")
    tab.goto(pages.address)
    tab.wait_text("Adrian Rey")
    pages.show(in_call("ringing"))
    tab.wait_text("Ringing at Borealis")
    pages.show(over("declined", "ours", "theirs", "Can we talk at 2026-03-14 20:15 UTC?"))
    tab.wait_text("“Can we talk at 2026-03-14 20:15 UTC?”")
    tab.wait_text("Elena Voss proposes to talk tomorrow 02:00, your time")
    declined = past(0, phase="declined", by="ours", reason="At 2026-03-14 20:15 UTC?")
    pages.show(idle(history={LINE: [declined]}))
    tab.click("Done", "button")
    tab.evaluate(f"void (location.hash = 'history/{LINE}')")
    tab.wait_text("You proposed to talk tomorrow 02:00, your time")


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("at 2026-03-14 10:00 UTC?", NOW_US),
        ("à 2026-03-14 10:00 UTC, ou jamais", NOW_US),
        ("12026-03-14 10:00 UTC", None),
        ("2026-02-30 10:00 UTC", None),
        ("2026-03-14 25:00 UTC", None),
        ("2026-03-14 10:00 UTCX", None),
        ("2026-03-14 10:00", None),
        ("", None),
    ],
)
def test_a_proposed_time_is_read_or_it_is_none(page: Page, text: str, us: int | None) -> None:
    read = "import('/static/proposed-time.js').then((module) => module.default({!r}))"
    assert page.evaluate(read.format(text)) == us


def test_all_ways_to_decline_are_reached_by_keyboard_and_left_by_escape(
    page: Page, pages: Served
) -> None:
    pages.show(in_call("ringing", "theirs"))
    page.wait_text("Incoming")
    page.tab_to("Propose a time")
    page.press("Enter")
    assert "In 15 minutes" in page.focused()
    page.press("Escape")
    assert page.focused() == "Propose a time"
    page.press("Tab")
    assert page.focused() == "Decline with a reason"
    page.press("Space")
    assert page.focused() == "In a meeting"
    page.press("Escape")
    assert page.focused() == "Decline with a reason"
    assert pages.desk.asked("decline") == []


def test_a_call_that_goes_on_unsigned_is_said_aloud_once(page: Page, pages: Served) -> None:
    page.evaluate("void (window.spoken = [])")
    page.evaluate("speechSynthesis.getVoices = () => []")
    page.evaluate(
        "void new MutationObserver(() => spoken.push(document.getElementById('said').textContent))"
        ".observe(document.getElementById('said'), {childList: true})"
    )
    unsigned: dict[str, Any] = {
        "unsigned_since_us": NOW_US - 61_000_000,
        "goes_on_unsigned": True,
    }
    pages.show(in_call("live", **unsigned))
    page.wait_for("spoken.some((words) => words.includes('goes on without'))")
    pages.show(in_call("live", **unsigned, late=True))
    pages.show(idle())
    page.wait_text("Good morning")
    assert len(page.evaluate("spoken.filter((words) => words.includes('goes on without'))")) == 1
    assert page.evaluate("document.getElementById('said').ariaLive") == "assertive"


def test_no_voice_is_fetched_from_elsewhere(page: Page, pages: Served) -> None:
    page.evaluate("void (window.spoken = [])")
    page.evaluate("speechSynthesis.getVoices = () => [{lang: 'en-GB', localService: false}]")
    page.evaluate("speechSynthesis.speak = (words) => spoken.push(words)")
    page.evaluate("void import('/static/announce.js').then((module) => module.default('Hello'))")
    page.wait_for("document.getElementById('said').textContent === 'Hello'")
    assert page.evaluate("spoken.length") == 0


def test_the_screen_stays_on_while_it_rings_and_no_longer(tab: Page, pages: Served) -> None:
    tab.inject("""
      window.locks = [];
      Object.defineProperty(navigator, 'wakeLock', {value: {request: async (kind) => {
        const lock = Object.assign(new EventTarget(), {kind, held: true});
        lock.release = () => { lock.held = false; lock.dispatchEvent(new Event('release')); };
        locks.push(lock);
        return lock;
      }}});
    """)
    tab.goto(pages.address)
    tab.wait_text("Adrian Rey")
    pages.show(in_call("ringing", "theirs"))
    assert tab.wait_for("locks[0]?.held")
    tab.evaluate("locks[0].release()")  # the page was hidden
    tab.evaluate("void document.dispatchEvent(new Event('visibilitychange'))")
    assert tab.wait_for("locks[1]?.held")
    pages.show(idle())
    tab.wait_for("!locks[1].held")
    assert tab.evaluate("locks.length") == 2


def test_a_page_that_comes_back_asks_at_once_whether_the_node_is_there(
    page: Page, pages: Served
) -> None:
    page.evaluate("""
      WebSocket.prototype.send = new Proxy(WebSocket.prototype.send, {
        apply: (send, socket, [text]) => {
          (window.sent ??= []).push(text);
          if (!window.dead) send.call(socket, text);
        },
      });
    """)
    page.evaluate("void (window.dead = true)")  # what is sent arrives nowhere, as after a sleep
    opened = pages.call(lambda: pages.desk.opened)
    page.evaluate("void document.dispatchEvent(new Event('resume'))")
    page.wait_for("window.sent?.some((text) => text.includes('\"here\"'))")
    assert pages.desk.wait(lambda: pages.desk.opened > opened)


def test_the_tab_tells_what_is_going_on(page: Page, pages: Served) -> None:
    pages.show(in_call("ringing"))
    page.wait_for("document.title.includes('Calling')")
    pages.show(in_call("live"))
    page.wait_for("document.title.includes('On a call with')")
    pages.show(idle(line(), messages={line()["line"]: [message(0, "Hello", ours=False)]}))
    page.wait_for("document.title.includes('1 new')")
    pages.show(in_call("ringing", "theirs"))
    page.wait_for("document.title.endsWith('is ringing')")


def test_every_key_of_a_call_fits_a_short_phone(page: Page, pages: Served) -> None:
    page.set_viewport(360, 560)
    pages.show(in_call("live"))
    page.wait_text("End call")
    inside = (
        "[...document.querySelectorAll('.keys button')].filter((one) => one.checkVisibility())"
        ".every((one) => one.getBoundingClientRect().bottom <= innerHeight)"
    )
    assert page.wait_for(inside)
    pages.show(in_call("ringing", "theirs"))
    page.wait_text("Answer")
    page.click("Propose a time", "button")
    page.wait_for("document.documentElement.scrollWidth <= 360")


def test_security_is_folded_and_says_whose_word_it_is(page: Page, pages: Served) -> None:
    pages.show(in_call("live"))
    page.wait_text("encrypted on every leg")
    assert "cannot check this leg" not in page.text()
    page.tab_to("Security")
    page.press("Enter")
    page.wait_text("Encrypted, as borealis.example states. Your node cannot check this leg.")
    page.wait_text("Both nodes can: they pass the sound on and record it.")
    page.press("Escape")
    page.wait_for("!document.querySelector('[data-part=security]').open")
