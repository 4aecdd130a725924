"""Everything a person does at the page, with the keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from browser.audio import no_voice
from browser.cdp import Browser, Page
from fakes.desk import CALL, GOOD_SECRET, LINE, idle, in_call, line, message, over, past
from web.gallery import ALL, DESK, PHONE, Gallery, gallery
from web.serving import Served

pytestmark = pytest.mark.browser
HISTORY, MESSAGES = f"history/{LINE}", f"messages/{LINE}"


@pytest.fixture(scope="module")
def shown(browser: Browser) -> Iterator[Gallery]:
    with gallery(browser) as opened:
        yield opened


def press(page: Page, name: str, key: str = "Enter") -> None:
    """Walk to what is called `name`, and press it."""
    page.tab_to(name)
    page.press(key)


def asked(pages: Served, do: str) -> dict[str, object]:
    assert pages.desk.wait(lambda: bool(pages.desk.asked(do))), f"{do} was never asked for"
    return dict(pages.desk.asked(do)[-1])


@pytest.mark.parametrize("name", ALL)
def test_tab_reaches_every_control_in_order_and_gets_out_again(name: str, shown: Gallery) -> None:
    shown.show(name)
    shown.look(PHONE)
    stops = shown.ask("sight.stops()")
    *there, out = walk(shown, len(stops) + 1)
    assert there == stops
    assert out in ("", *stops[:1])  # out of the page, or around
    assert walk(shown, len(stops), back=True) == stops[::-1]


def walk(shown: Gallery, steps: int, *, back: bool = False) -> list[str]:
    """Press Tab from the end of the page; return the first stops one comes to, each time seen."""
    shown.ask(f"sight.begin({str(back).lower()})")
    names: list[str] = []
    while len(names) < steps:
        shown.tab.press("Tab", shift=back)
        at = shown.ask("sight.standing()")
        assert not (at["name"] and at["hidden"]), f"{at['name']} is hidden by {at['hidden']}"
        if [at["name"]] != names[-1:]:  # a field of a date has stops within it
            names.append(at["name"])
    return names


@pytest.mark.parametrize("name", ALL)
def test_a_new_screen_has_the_keyboard(name: str, shown: Gallery) -> None:
    shown.show(name)
    pages_that_load = ("sign", "timeline", "no-contact", "refused", "contacts", "no-lines", "not-")
    if not name.startswith(pages_that_load):  # these begin at their top, as every page does
        assert shown.ask("sight.standing()")["name"]


def test_signs_in(browser: Browser, pages: Served) -> None:
    page = browser.new_page(f"{pages.address}/sign-in#{GOOD_SECRET}")
    press(page, "Sign in")
    page.wait_text("Elena Voss")
    assert page.errors == []


def test_signs_out(page: Page, pages: Served) -> None:
    press(page, "This device")
    press(page, "Sign out", "Space")
    page.wait_text("You are signed out")
    assert pages.sign_in.tokens == set()


def test_rings_and_cancels(spoken: Page, pages: Served) -> None:
    pages.desk.after["ring"] = in_call("ringing")
    press(spoken, "Call Elena Voss")
    spoken.wait_text("Ringing at Borealis")
    press(spoken, "Cancel", "Space")
    assert asked(pages, "cancel")["call"] == CALL


def test_rings_from_the_screen_of_a_person(spoken: Page, pages: Served) -> None:
    pages.desk.after["ring"] = in_call("ringing")
    press(spoken, "Elena Voss Chancellor of Borealis")
    spoken.wait_text("The line is up")
    press(spoken, "Call Elena Voss")
    assert asked(pages, "ring")["line"] == LINE


def test_answers_mutes_unmutes_and_ends(spoken: Page, pages: Served) -> None:
    pages.show(in_call("ringing", "theirs"))
    spoken.wait_text("Answer")
    pages.desk.after["answer"] = in_call("live", "theirs")
    press(spoken, "Answer")
    spoken.wait_text("End call")
    press(spoken, "Mute", "Space")
    assert asked(pages, "mute")["muted"] is True
    assert spoken.focused() == "Unmute"
    spoken.press("Space")
    assert pages.desk.wait(lambda: len(pages.desk.asked("mute")) == 2)
    press(spoken, "End call")
    assert asked(pages, "hang-up")["call"] == CALL


def test_declines(spoken: Page, pages: Served) -> None:
    pages.show(in_call("ringing", "theirs"))
    spoken.wait_text("Answer")
    press(spoken, "Decline", "Space")
    assert asked(pages, "decline")["reason"] is None


def test_declines_with_a_reason_after_a_change_of_mind(spoken: Page, pages: Served) -> None:
    pages.show(in_call("ringing", "theirs"))
    spoken.wait_text("Answer")
    press(spoken, "Decline with a reason")
    spoken.wait_text("Say why, and decline")
    spoken.press("Escape")
    assert spoken.focused() == "Decline with a reason"
    spoken.press("Enter")
    spoken.press("Tab")
    assert spoken.focused() == "I will call back today"
    spoken.press("Tab", shift=True)
    spoken.press("Space")
    assert asked(pages, "decline")["reason"] == "In a meeting"


def test_declines_in_own_words(spoken: Page, pages: Served) -> None:
    pages.show(in_call("ringing", "theirs"))
    spoken.wait_text("Answer")
    press(spoken, "Decline with a reason")
    spoken.tab_to("Your own words")
    spoken.type("asleep, try 07:00")
    spoken.press("Enter")
    assert asked(pages, "decline")["reason"] == "asleep, try 07:00"


def test_proposes_a_time(spoken: Page, pages: Served) -> None:
    pages.show(in_call("ringing", "theirs"))
    spoken.wait_text("Answer")
    press(spoken, "Propose a time")
    spoken.wait_text("Propose a time, and decline")
    assert "In 15 minutes" in spoken.focused()
    spoken.press("Space")
    assert str(asked(pages, "decline")["reason"]).endswith("UTC?")


def test_proposes_a_time_typed_into_the_field(spoken: Page, pages: Served) -> None:
    pages.show(in_call("ringing", "theirs"))
    spoken.wait_text("Answer")
    press(spoken, "Propose a time")
    spoken.tab_to("Another moment")
    moment = "document.activeElement"
    before = spoken.evaluate(f"{moment}.value")
    spoken.press("ArrowUp")
    assert spoken.evaluate(f"{moment}.value") != before
    spoken.press("Enter")
    assert "UTC" in str(asked(pages, "decline")["reason"])


def test_writes_in_a_call_and_comes_back_to_it(spoken: Page, pages: Served) -> None:
    pages.show(in_call("live"))
    spoken.wait_text("End call")
    press(spoken, "Messages")
    spoken.wait_text("Nothing written yet")
    spoken.tab_to("Write to Elena Voss")
    spoken.type("One minute.")
    spoken.press("Enter")
    assert asked(pages, "message")["text"] == "One minute."
    press(spoken, "Back to the call")
    spoken.wait_text("End call")
    assert spoken.focused()


def test_joins_speaks_and_stops_listening(spoken: Page, pages: Served) -> None:
    pages.show(in_call("live", mine=False))
    spoken.wait_text("Join on this device")
    pages.desk.after["join"] = in_call("live")
    press(spoken, "Join on this device")
    spoken.wait_text("Stop listening")
    assert asked(pages, "join")["call"] == CALL
    assert spoken.wait_for("document.activeElement !== document.body")  # what was pressed is gone
    press(spoken, "Stop listening", "Space")
    assert asked(pages, "leave")["call"] == CALL


def test_writes_and_sends(page: Page, pages: Served) -> None:
    press(page, "Elena Voss Chancellor of Borealis")
    press(page, "Messages")
    page.wait_text("Nothing written yet")
    page.tab_to("Write to Elena Voss")
    page.type("Yes. I will call at ten.")
    press(page, "Send", "Space")
    assert asked(pages, "message")["text"] == "Yes. I will call at ten."
    assert page.wait_for("document.activeElement.tagName === 'TEXTAREA'")


def test_scrolls_the_messages_with_arrows(page: Page, pages: Served) -> None:
    talk = [
        message(n, "Words that fill a line or two on a phone. " * 3, ours=False) for n in range(9)
    ]
    pages.show(idle(messages={LINE: talk}))
    page.evaluate(f"void (location.hash = '{MESSAGES}')")
    log = "document.querySelector('[role=log]')"
    page.wait_for(f"{log}.scrollTop > 100")
    page.evaluate(f"void {log}.focus()")
    before = page.evaluate(f"{log}.scrollTop")
    page.press("ArrowUp")
    assert page.wait_for(f"{log}.scrollTop < {before}")


def test_searches_and_jumps_to_what_was_found(page: Page, pages: Served) -> None:
    hit = message(0, "The Élysée at noon.", ours=False)
    pages.desk.answers["search"] = {"found": [hit], "next": 0, "of": 1}
    pages.desk.answers["messages"] = {"messages": [hit], "older": 7, "newer": 60}
    pages.show(idle(messages={LINE: [hit]}))
    page.evaluate(f"void (location.hash = '{MESSAGES}')")
    page.wait_text("The Élysée at noon")
    press(page, "Search", "Space")
    page.wait_for("document.activeElement.type === 'search'")
    page.type("elysee")
    page.press("Enter")
    page.wait_text("1 message found")
    assert asked(pages, "search")["words"] == "elysee"
    press(page, "The Élysée at noon")
    assert page.wait_for("document.activeElement.closest('.said') !== null")
    press(page, "Search")
    page.press("Escape")
    assert page.wait_for("document.activeElement.matches('[data-part=find], h1')")


def test_asks_to_be_told_when_a_line_is_back(page: Page, pages: Served) -> None:
    pages.show(idle(line(up=False)))
    press(page, "Elena Voss Chancellor of Borealis")
    page.wait_text("The line is down")
    press(page, "Tell me when it is back", "Space")
    assert asked(pages, "wish") == {"do": "wish", "line": LINE, "wanted": True}
    page.wait_text("You will be told when it is back")
    assert page.focused() == "You will be told when it is back"  # it was not taken away
    pages.show(idle(line(wished=True)))
    page.wait_text("The line to Elena Voss is back")
    press(page, "Close")
    assert pages.desk.wait(lambda: pages.desk.asked("wish")[-1]["wanted"] is False)


def test_opens_what_is_folded_in_a_call(spoken: Page, pages: Served) -> None:
    pages.show(in_call("live"))
    spoken.wait_text("End call")
    press(spoken, "Security", "Space")
    assert spoken.wait_for("document.querySelector('[data-part=security]').open")
    spoken.press("Escape")
    assert spoken.wait_for("!document.querySelector('[data-part=security]').open")


def test_opens_the_timeline_of_a_call(page: Page, pages: Served) -> None:
    pages.show(idle(history={LINE: [past(0)]}))
    press(page, "Elena Voss Chancellor of Borealis")
    press(page, "History")
    page.wait_text("Timeline")
    page.tab_to("Timeline")
    assert "Timeline" in page.focused()


def test_fetches_older_calls(page: Page, pages: Served) -> None:
    pages.desk.answers["history"] = {"history": [past(77, phase="missed", side="theirs")]}
    pages.show(idle(history={LINE: [past(n) for n in range(50)]}))
    press(page, "Elena Voss Chancellor of Borealis")
    press(page, "History")
    page.wait_text("Show older calls")
    page.evaluate("void document.querySelector('[data-part=older]').focus()")
    page.press("Enter")
    page.wait_text("nobody answered here")
    assert page.wait_for("document.activeElement !== document.body")  # what was pressed is gone


def test_goes_back_by_link_and_by_escape(page: Page, pages: Served) -> None:
    press(page, "Elena Voss Chancellor of Borealis")
    press(page, "History")
    page.wait_text("No call yet")
    page.press("Escape")
    page.wait_text("The line is up")
    press(page, "Lines")
    page.wait_text("Good morning")


def test_puts_an_ended_call_away(spoken: Page, pages: Served) -> None:
    pages.show(in_call("ringing"))
    spoken.wait_text("Ringing at Borealis")
    pages.show(over("declined", "ours", "theirs", "In a meeting"))
    spoken.wait_text("Call declined")
    press(spoken, "Done", "Space")
    spoken.wait_text("Good morning")


def test_tries_a_blocked_microphone_again(tab: Page, pages: Served) -> None:
    tab.inject(no_voice())
    tab.goto(pages.address)
    tab.wait_text("Elena Voss")
    press(tab, "Call Elena Voss")
    tab.wait_text("The microphone is blocked")
    tab.evaluate("tests.allow = true")
    press(tab, "Try again")
    assert asked(pages, "ring")["line"] == LINE


def test_sets_the_sound(spoken: Page, pages: Served) -> None:
    press(spoken, "Sound and microphone")
    spoken.wait_text("Cancel echo")
    echo = "document.querySelector('[data-part=echo]')"
    spoken.evaluate(f"void {echo}.focus()")
    before = spoken.evaluate(f"{echo}.checked")
    spoken.press("Space")
    assert spoken.evaluate(f"{echo}.checked") is not before
    spoken.evaluate("void document.querySelector('[data-part=check]').focus()")
    spoken.press("Enter")
    assert spoken.wait_for("tests.opened") == 1


def test_chooses_a_language(page: Page, pages: Served) -> None:
    press(page, "This device")
    page.wait_text("English")
    page.evaluate("void document.querySelector('[data-part=language]').focus()")
    page.press("ArrowDown")
    page.wait_for("document.documentElement.lang !== 'en'")
    assert page.wait_for("document.documentElement.dataset.screen === 'contacts'")


def test_nothing_typed_into_a_field_is_lost_or_pressed_by_a_ring(page: Page, pages: Served) -> None:
    page.evaluate(f"void (location.hash = '{MESSAGES}')")
    page.tab_to("Write to Elena Voss")
    page.type("Half a sent")
    pages.show(in_call("ringing", "theirs"))
    page.wait_text("Answer")
    page.press("Enter")
    page.press("Space")
    assert pages.desk.asked("answer") == pages.desk.asked("decline") == []
    assert page.focused() == "Elena Voss"


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_the_keyboard_is_never_left_nowhere(
    size: tuple[int, int], spoken: Page, pages: Served
) -> None:
    spoken.set_viewport(*size)
    ways = [
        in_call("ringing", "theirs"),
        in_call("live", "theirs"),
        in_call("live", "theirs", mine=False),
        over("ended", "theirs", "theirs"),
        idle(line(up=False)),
        in_call("ringing"),
        idle(),
    ]
    spoken.tab_to("Call Elena Voss")
    for number, snapshot in enumerate(ways):
        pages.show({**snapshot, "now_us": snapshot["now_us"] + number})
        spoken.wait_for("new Promise((done) => setTimeout(done, 60, true))")
        assert spoken.evaluate("document.activeElement !== document.body"), number
        spoken.press("Tab")
