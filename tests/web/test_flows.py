"""What a person does at the page, from tap to what the node is asked."""

from __future__ import annotations

import pytest

from browser.audio import no_voice
from browser.cdp import Browser, Page
from fakes.desk import CALL, GOOD_SECRET, LINE, NOW_US, idle, in_call, line, message, over, past
from telcon.errors import BusyError, LinkDownError, OperatorError
from web.serving import Served

pytestmark = pytest.mark.browser


def test_a_link_signs_in_after_a_tap_and_leaves_no_secret(browser: Browser, pages: Served) -> None:
    page = browser.new_page(f"{pages.address}/sign-in#{GOOD_SECRET}")
    page.wait_text("This link signs you in")
    assert page.evaluate("location.href") == f"{pages.address}/sign-in"
    assert pages.sign_in.links  # looking at it uses nothing up
    page.click("Sign in", "button")
    page.wait_text("Elena Voss")
    assert page.evaluate("location.pathname") == "/"
    assert GOOD_SECRET not in str(page.evaluate("JSON.stringify(history.state)"))
    assert page.errors == []


def test_a_used_link_says_whom_to_ask(browser: Browser, pages: Served) -> None:
    pages.sign_in.links.clear()
    page = browser.new_page(f"{pages.address}/sign-in#{GOOD_SECRET}")
    page.click("Sign in", "button")
    page.wait_text("This link does not open any more")
    page.wait_text("telcon link NAME")
    assert not page.has("Sign in", "button")


def test_an_address_without_secret_says_so_at_once(browser: Browser, pages: Served) -> None:
    page = browser.new_page(f"{pages.address}/sign-in")
    page.wait_text("not a whole sign-in link")


def test_without_a_session_the_page_says_how_to_sign_in(browser: Browser, pages: Served) -> None:
    page = browser.new_page(pages.address)
    page.wait_text("You are signed out")
    page.wait_text("telcon link NAME")
    assert page.errors == []


def test_signing_out_ends_the_session(page: Page, pages: Served) -> None:
    page.click("This device", "button")
    page.click("Sign out", "button")
    page.wait_text("You are signed out")
    assert pages.sign_in.tokens == set()


def test_rings_and_cancels_by_keyboard_alone(spoken: Page, pages: Served) -> None:
    pages.desk.after["ring"] = in_call("ringing")
    spoken.tab_to("Call Elena Voss")
    spoken.press("Enter")
    spoken.wait_text("Ringing at Borealis")
    spoken.tab_to("Cancel")
    spoken.press("Space")
    assert pages.desk.wait(lambda: pages.desk.asked("cancel") == [{"do": "cancel", "call": CALL}])
    spoken.wait_text("Good morning")
    assert spoken.wait_for("tests.tracks.every((track) => track.readyState === 'ended')")


def test_a_ring_bears_this_pages_certificate(spoken: Page, pages: Served) -> None:
    pages.desk.after["ring"] = in_call("ringing")
    spoken.click("Call Elena Voss", "button")
    assert pages.desk.wait(lambda: bool(pages.desk.asked("offer")))
    ring, offer = pages.desk.asked("ring")[0], pages.desk.asked("offer")[0]
    stated = offer["sdp"].split("a=fingerprint:sha-256 ")[1].split("\r\n")[0]
    assert ring["certificate"] == stated.replace(":", "").lower()
    assert offer["sdp"].count("m=audio") == 5
    assert offer["sdp"].count("a=recvonly") == 4


def test_a_refused_microphone_rings_nobody_and_says_what_to_do(tab: Page, pages: Served) -> None:
    tab.inject(no_voice())
    tab.goto(pages.address)
    tab.click("Call Elena Voss", "button")
    tab.wait_text("The microphone is blocked")
    tab.wait_text("allow the microphone for this page")
    assert pages.desk.asked("ring") == []
    assert tab.wait_for("tests.opened") == 1
    tab.evaluate("tests.allow = true")
    tab.click("Try again", "button")
    assert pages.desk.wait(lambda: len(pages.desk.asked("ring")) == 1)
    assert "audit.web.microphone-refused" in pages.audit.names()  # it came before the ring


def test_no_microphone_at_all_says_so(tab: Page, pages: Served) -> None:
    tab.inject(no_voice("NotFoundError"))
    tab.goto(pages.address)
    tab.click("Call Elena Voss", "button")
    tab.wait_text("No microphone was found")
    tab.click("Back", "button")
    tab.wait_text("Good morning")


def test_a_ring_that_the_node_refuses_is_explained(spoken: Page, pages: Served) -> None:
    pages.desk.answers["ring"] = LinkDownError("no path")
    spoken.click("Call Elena Voss", "button")
    spoken.wait_text("The line is down just now")
    assert spoken.wait_for("tests.tracks.every((track) => track.readyState === 'ended')")


def test_a_foreign_ring_opens_no_microphone(spoken: Page, pages: Served) -> None:
    pages.show(in_call("ringing", "theirs"))
    spoken.wait_text("Incoming call")
    assert pages.desk.wait(lambda: bool(pages.desk.asked("offer")))  # armed
    assert spoken.evaluate("tests.opened") == 0
    assert spoken.evaluate("document.title").endswith("is ringing")


def test_answers_with_a_microphone_opened_at_the_tap(spoken: Page, pages: Served) -> None:
    pages.show(in_call("ringing", "theirs"))
    pages.desk.after["answer"] = in_call("live", "theirs")
    spoken.click("Answer", "button")
    spoken.wait_text("End call")
    assert spoken.evaluate("tests.opened") == 1
    assert pages.desk.asked("answer")[0]["call"] == CALL


def test_no_key_pressed_elsewhere_answers(spoken: Page, pages: Served) -> None:
    spoken.evaluate(f"void (location.hash = 'messages/{LINE}')")
    spoken.click("Write to Elena Voss", "textbox")
    pages.show(in_call("ringing", "theirs"))
    spoken.wait_text("Incoming call")
    spoken.press("Enter")
    spoken.press("Space")
    assert spoken.focused() == "Elena Voss"
    assert pages.desk.asked("answer") == pages.desk.asked("decline") == []


def test_declines_with_a_reason(spoken: Page, pages: Served) -> None:
    pages.show(in_call("ringing", "theirs"))
    spoken.click("Decline with a reason", "button")
    spoken.click("In a meeting", "button")
    assert pages.desk.wait(lambda: bool(pages.desk.asked("decline")))
    assert pages.desk.asked("decline")[0]["reason"] == "In a meeting"


def test_declines_in_own_words(spoken: Page, pages: Served) -> None:
    pages.show(in_call("ringing", "theirs"))
    spoken.click("Decline with a reason", "button")
    spoken.click("Your own words", "textbox")
    spoken.type("asleep, try 07:00")
    spoken.press("Enter")
    assert pages.desk.wait(lambda: bool(pages.desk.asked("decline")))
    assert pages.desk.asked("decline")[0]["reason"] == "asleep, try 07:00"


def test_hanging_up_closes_the_microphone_whatever_the_node_does(
    spoken: Page, pages: Served
) -> None:
    pages.show(in_call("ringing", "theirs"))
    pages.desk.after["answer"] = in_call("live", "theirs")
    spoken.click("Answer", "button")
    pages.desk.answers["hang-up"] = BusyError("stuck")
    spoken.click("End call", "button")
    assert spoken.wait_for("tests.tracks[0].readyState === 'ended'")


def test_a_hint_of_the_other_side_closes_the_microphone(spoken: Page, pages: Served) -> None:
    pages.show(in_call("ringing", "theirs"))
    pages.desk.after["answer"] = in_call("live", "theirs")
    spoken.click("Answer", "button")
    spoken.wait_text("End call")
    hint = {"hint": {"call": CALL, "kind": "hang-up"}}
    pages.call(lambda: pages.desk.pass_by(hint))
    assert spoken.wait_for("tests.tracks[0].readyState === 'ended'")


def test_mutes_here_and_tells_the_node(spoken: Page, pages: Served) -> None:
    pages.show(in_call("ringing", "theirs"))
    pages.desk.after["answer"] = in_call("live", "theirs")
    spoken.click("Answer", "button")
    spoken.click("Mute", "button")
    assert spoken.wait_for("tests.tracks[0].enabled === false")
    assert pages.desk.wait(lambda: bool(pages.desk.asked("mute")))
    spoken.click("Unmute", "button")
    assert spoken.wait_for("tests.tracks[0].enabled === true")
    assert pages.desk.wait(lambda: len(pages.desk.asked("mute")) == 2)
    assert [act["muted"] for act in pages.desk.asked("mute")] == [True, False]


def test_a_second_device_joins_without_a_microphone(spoken: Page, pages: Served) -> None:
    pages.show(in_call("live", mine=False))
    pages.desk.after["join"] = in_call("live")
    spoken.click("Join on this device", "button")
    spoken.wait_text("Stop listening")
    assert pages.desk.wait(lambda: bool(pages.desk.asked("offer")))
    assert spoken.evaluate("tests.opened") == 0


def test_looks_at_messages_during_a_call_and_comes_back(spoken: Page, pages: Served) -> None:
    pages.show(in_call("live"))
    spoken.click("Messages", "button")
    spoken.wait_text("Nothing written yet")
    spoken.click("Back to the call", "button")
    spoken.wait_text("End call")


def test_a_call_that_ended_before_the_page_came_is_history(page: Page, pages: Served) -> None:
    pages.show(over("ended", "ours", "theirs"))
    page.goto(f"{pages.address}/?again")
    page.wait_text("Good morning")
    assert "Call ended" not in page.text()


def test_an_ended_call_is_put_away(page: Page, pages: Served) -> None:
    pages.show(in_call("ringing"))
    page.wait_text("Ringing at Borealis")
    pages.show(over("declined", "ours", "theirs", "In a meeting"))
    page.wait_text("In a meeting")
    page.press("Escape")
    page.wait_text("Good morning")


def test_an_ended_call_stays_until_it_is_put_away(page: Page, pages: Served) -> None:
    pages.show(in_call("ringing"))
    page.wait_text("Ringing at Borealis")
    pages.show(over("declined", "ours", "theirs", "In a meeting"))
    page.wait_text("In a meeting")
    pages.show(idle())  # the node has forgotten it
    page.wait_for("new Promise((done) => setTimeout(done, 100, true))")
    assert "In a meeting" in page.text()
    page.click("Done", "button")
    page.wait_text("Good morning")


def test_a_signature_that_comes_at_once_is_no_news(page: Page, pages: Served) -> None:
    pages.show(in_call("live", countersigned=False))
    page.wait_text("Signed by both so far")
    pages.show({**in_call("live", countersigned=False), "now_us": NOW_US + 3_000_000})
    page.wait_text("Not countersigned yet")


def test_older_calls_are_fetched(page: Page, pages: Served) -> None:
    newest = [past(n) for n in range(50)]
    pages.desk.answers["history"] = {"history": [past(77, phase="missed", side="theirs")]}
    pages.show(idle(history={LINE: newest}))
    page.evaluate(f"void (location.hash = 'history/{LINE}')")
    page.click("Show older calls", "button")
    page.wait_text("nobody answered here")
    assert pages.desk.asked("history")[0]["before"] == newest[-1]["call"]
    assert not page.has("Show older calls")


def test_a_text_that_cannot_be_read_is_said_to_be_so(page: Page, pages: Served) -> None:
    pages.show(idle(messages={LINE: [{**message(0, "", ours=False), "text": None}]}))
    page.evaluate(f"void (location.hash = 'messages/{LINE}')")
    page.wait_text("This text cannot be read")


def test_two_rings_that_meet_keep_the_microphone(spoken: Page, pages: Served) -> None:
    met = {"side": "both", "call": "d0" * 16}
    pages.desk.after["ring"] = in_call("ringing")
    spoken.click("Call Elena Voss", "button")
    spoken.wait_text("Ringing at Borealis")
    merged = {"phase": "merged", "by": None, "reason": None}
    pages.show(in_call("merged", ended=merged))
    spoken.wait_text("You rang each other")
    pages.show(in_call("live", mine=False, **met))
    spoken.wait_text("Join on this device")
    pages.show(in_call("live", **met))
    spoken.wait_text("End call")
    assert spoken.evaluate("tests.tracks.map((track) => track.readyState)") == ["live"]
    assert pages.desk.wait(lambda: pages.desk.asked("offer")[-1]["call"] == met["call"])


def test_ringing_whom_rings_here_answers(spoken: Page, pages: Served) -> None:
    pages.desk.answers["ring"] = OperatorError("a call is going on already")
    pages.desk.after["ring"] = in_call("ringing", "theirs")
    pages.desk.after["answer"] = in_call("live", "theirs")
    spoken.click("Call Elena Voss", "button")
    spoken.wait_text("End call")
    assert [act["call"] for act in pages.desk.asked("answer")] == [CALL]
    assert spoken.evaluate("tests.tracks.map((track) => track.readyState)") == ["live"]


def test_rings_again_from_the_end_of_a_call(spoken: Page, pages: Served) -> None:
    pages.desk.after["ring"] = in_call("ringing")
    spoken.click("Call Elena Voss", "button")
    spoken.wait_text("Ringing at Borealis")
    pages.show(over("missed", "ours", None))
    again = "e0" * 16
    pages.desk.answers["ring"] = {"call": again}
    pages.desk.after["ring"] = in_call("ringing", call=again)
    spoken.click("Call again", "button")
    spoken.wait_text("Ringing at Borealis")
    states = spoken.evaluate("tests.tracks.map((track) => track.readyState)")
    assert states == ["ended", "live"]


def test_writes_a_message(page: Page, pages: Served) -> None:
    page.evaluate(f"void (location.hash = 'messages/{LINE}')")
    page.click("Write to Elena Voss", "textbox")
    page.type("Yes. I will call at ten.")
    held = message(1, "Yes. I will call at ten.", ours=True, state="waiting")
    pages.desk.after["message"] = idle(messages={LINE: [held]})
    page.press("Enter")
    page.wait_text("waiting: not held by the other side yet")
    assert pages.desk.asked("message")[0]["text"] == "Yes. I will call at ten."
    assert page.evaluate("document.querySelectorAll('.bubble').length") == 1


def test_a_message_that_was_not_taken_is_not_lost(page: Page, pages: Served) -> None:
    pages.desk.answers["message"] = BusyError("4096 waiting")
    page.evaluate(f"void (location.hash = 'messages/{LINE}')")
    page.click("Write to Elena Voss", "textbox")
    page.type("Important")
    page.click("Send", "button")
    page.wait_text("More is waiting than your node can take")
    assert page.wait_for("document.querySelector('textarea').value") == "Important"


def test_a_draft_survives_an_incoming_call(page: Page, pages: Served) -> None:
    page.evaluate(f"void (location.hash = 'messages/{LINE}')")
    page.click("Write to Elena Voss", "textbox")
    page.type("Half a sent")
    pages.show(in_call("ringing", "theirs"))
    page.wait_text("Incoming call")
    pages.show(idle())
    assert page.wait_for("document.querySelector('textarea')?.value") == "Half a sent"


def test_losing_the_own_node_is_said_and_mended(page: Page, pages: Served) -> None:
    page.go_offline()
    page.evaluate("void dispatchEvent(new Event('offline'))")
    page.wait_text("No contact with your own node since")
    page.go_offline(offline=False)
    page.evaluate("void dispatchEvent(new Event('online'))")
    page.wait_for("document.getElementById('lost').hidden")
    page.errors.clear()  # the browser's own words about the cut


def test_names_cannot_turn_the_text_around(page: Page, pages: Served) -> None:
    peer = {**in_call("ringing")["call"]["peer"], "name": "Elena \u202etnediserP"}
    pages.show(idle(line(0, peer)))
    page.wait_text("Elena �tnediserP")
    assert "\u202e" not in str(page.evaluate("document.body.textContent"))


def test_words_of_others_are_never_markup(page: Page, pages: Served) -> None:
    evil = "<img src=x onerror=alert(1)><b>bold</b>"
    pages.show(idle(messages={LINE: [message(0, evil, ours=False)]}))
    page.evaluate(f"void (location.hash = 'messages/{LINE}')")
    page.wait_text(evil)
    assert page.evaluate("document.querySelectorAll('main img, main .bubble b').length") == 0


def test_nothing_is_loaded_from_elsewhere(page: Page, pages: Served) -> None:
    page.goto(f"{pages.address}/?again")
    page.wait_text("Elena Voss")
    assert page.requests
    assert {url for url in page.requests if not url.startswith(pages.address)} == set()


def test_mirrors_for_readers_from_right_to_left(page: Page, pages: Served) -> None:
    page.evaluate("void (document.documentElement.dir = 'rtl')")
    where = "document.querySelector('.row {}').getBoundingClientRect().x"
    assert page.evaluate(f"{where.format('.face')} > {where.format('.ring')}")


def choose(page: Page, label: str, mode: str) -> None:
    """Choose `mode` in the list that is labelled so, as a person does."""
    page.wait_text(label)
    page.evaluate(
        "(([label, mode]) => { const list = [...document.querySelectorAll('.field')]"
        ".find((one) => one.textContent.includes(label)).querySelector('select');"
        "list.value = mode; list.dispatchEvent(new Event('change', { bubbles: true })); })"
        f"({[label, mode]!r})"
    )


def test_a_ring_proposes_what_may_be_kept(spoken: Page, pages: Served) -> None:
    spoken.evaluate(f"void (location.hash = 'line/{LINE}')")
    spoken.wait_text("The other side can always record by other means")
    choose(spoken, "What may be kept of a call", "notes only")
    spoken.click("Call Elena Voss", "button")
    assert pages.desk.wait(lambda: bool(pages.desk.asked("ring")))
    assert pages.desk.asked("ring")[0]["mode"] == "notes only"


def test_who_answers_may_lessen_what_is_kept(spoken: Page, pages: Served) -> None:
    pages.show(in_call("ringing", "theirs", mode="transcript only"))
    spoken.wait_text("Only a transcript is kept, no audio")
    offered = "[...document.querySelector('[data-part=most]').options].map((one) => one.disabled)"
    assert spoken.evaluate(offered) == [True, False, False, False]
    choose(spoken, "let no more be kept than", "existence only")
    spoken.click("Answer", "button")
    assert pages.desk.wait(lambda: bool(pages.desk.asked("answer")))
    assert pages.desk.asked("answer")[0]["mode"] == "existence only"


def test_what_is_kept_is_changed_in_the_call_and_the_recorder_switched(
    spoken: Page, pages: Served
) -> None:
    pages.show(in_call("live", stated={"ours": "audio", "theirs": "notes only"}, mode="notes only"))
    spoken.click("What is kept")
    spoken.wait_text("They let be kept")
    spoken.wait_text("The stricter of the two holds")
    assert not spoken.has("Switch our recorder off", "button")
    choose(spoken, "You let be kept", "existence only")
    assert pages.desk.wait(lambda: bool(pages.desk.asked("keep")))
    assert pages.desk.asked("keep")[0]["mode"] == "existence only"
    pages.show(in_call("live"))
    spoken.click("Switch our recorder off", "button")  # without a reason nothing happens
    spoken.evaluate("document.querySelector('[data-part=reason]').focus()")
    spoken.type("Legal")
    spoken.click("Switch our recorder off", "button")
    assert pages.desk.wait(lambda: bool(pages.desk.asked("recorder")))
    assert [one["reason"] for one in pages.desk.asked("recorder")] == ["Legal"]
    off = {"on": False, "age_ms": 9, "switched_off": True, "reason": "Legal"}
    pages.show(in_call("live", recorders={"ours": off, "theirs": {"on": True, "age_ms": 9}}))
    spoken.wait_for("document.getElementById('said').textContent === 'Our recorder has stopped.'")
    spoken.click("Switch our recorder on again", "button")
    assert pages.desk.wait(lambda: len(pages.desk.asked("recorder")) == 2)
    assert pages.desk.asked("recorder")[1]["reason"] is None
    pages.show(in_call("live"))
    spoken.wait_for("document.getElementById('said').textContent === 'Our recorder is on again.'")
    stopped = {"ours": {"on": True, "age_ms": 9}, "theirs": {"on": False, "age_ms": 9}}
    pages.show(in_call("live", recorders=stopped))
    spoken.wait_for("document.getElementById('said').textContent.startsWith('Their recorder has')")
    pages.show(in_call("live"))
    spoken.wait_for("document.getElementById('said').textContent === 'Their recorder is on again.'")


def test_the_reason_for_switching_off_is_typed_into_a_field_like_every_other(
    page: Page, pages: Served
) -> None:
    pages.show(in_call("live"))
    page.click("What is kept")
    look = "((one) => [one.borderTopColor, one.borderTopWidth, one.backgroundColor])"
    styles = [
        page.evaluate(f"{look}(getComputedStyle(document.querySelector('[data-part={part}]')))")
        for part in ("reason", "ours")
    ]
    assert styles[0] == styles[1]
    assert styles[0][1] == "1px"
