"""Sound and microphone: chosen, checked, unplugged, muted by the device, and kept."""

from __future__ import annotations

import pytest

from browser.audio import no_voice, voice
from browser.cdp import Page
from fakes.desk import idle, in_call
from web.serving import Served

pytestmark = pytest.mark.browser

# A desk with one microphone and one loudspeaker besides the device's own; both can be unplugged.
DEVICES_JS = """
window.devices = [
  {kind: "audioinput", deviceId: "desk", label: "Desk microphone"},
  {kind: "audiooutput", deviceId: "room", label: "Room speaker"},
];
window.asked = [];
window.sinks = [];
navigator.mediaDevices.enumerateDevices = async () => devices;
const openTone = navigator.mediaDevices.getUserMedia;
navigator.mediaDevices.getUserMedia = async ({audio}) => {
  asked.push(audio);
  const id = audio.deviceId?.exact;
  if (id && !devices.some((one) => one.deviceId === id)) {
    throw new DOMException("gone", "OverconstrainedError");
  }
  const stream = await openTone({audio});
  stream.getAudioTracks()[0].getSettings = () => ({deviceId: id ?? "own"});
  return stream;
};
HTMLMediaElement.prototype.setSinkId = async function (id) {
  const here = !id || devices.some((one) => one.deviceId === id);
  if (!here) throw new DOMException("gone", "NotFoundError");
  sinks.push(id);
};
"""


@pytest.fixture
def desk(tab: Page, pages: Served) -> Page:
    """Give a tab with the page open, on a device with two microphones and two outputs."""
    tab.inject(voice(880) + DEVICES_JS)
    tab.goto(pages.address)
    tab.wait_text("Adrian Rey")
    return tab


def settings(page: Page) -> None:
    page.click("Sound and microphone", "link")
    page.wait_text("Check the microphone")


def choose(page: Page, which: str, value: str) -> None:
    page.wait_for(f"!!document.querySelector('[data-part={which}] [value={value}]')")
    page.evaluate(
        f"(() => {{ const list = document.querySelector('[data-part={which}]');"
        f" list.value = {value!r}; list.dispatchEvent(new Event('change')); }})()"
    )


def on_a_call(page: Page, pages: Served) -> None:
    pages.show(in_call("ringing", "theirs"))
    pages.desk.after["answer"] = in_call("live", "theirs")
    page.click("Answer", "button")
    page.wait_for("tests.tracks.length === 1")
    page.wait_text("Mute")


def test_a_check_says_that_the_microphone_is_heard_and_closes_it(desk: Page) -> None:
    settings(desk)
    assert desk.evaluate("tests.opened") == 0  # nothing is opened before the tap
    desk.click("Check the microphone", "button")
    desk.wait_text("We hear you")
    desk.wait_for("document.querySelector('[role=meter]').ariaValueNow > 30")
    desk.click("Stop the check", "button")
    assert desk.wait_for("tests.tracks[0].readyState === 'ended'")


def test_leaving_the_screen_closes_a_checked_microphone(desk: Page) -> None:
    settings(desk)
    desk.click("Check the microphone", "button")
    desk.wait_text("We hear you")
    desk.press("Escape")
    desk.wait_text("Good morning")
    assert desk.wait_for("tests.tracks[0].readyState === 'ended'")


def test_the_chosen_microphone_is_the_one_that_rings(desk: Page, pages: Served) -> None:
    settings(desk)
    choose(desk, "microphone", "desk")
    desk.press("Escape")
    pages.desk.after["ring"] = in_call("ringing")
    desk.click("Call Elena Voss", "button")
    desk.wait_text("Ringing at Borealis")
    assert desk.evaluate("asked[0].deviceId") == {"exact": "desk"}


def test_a_chosen_microphone_that_is_gone_is_replaced_and_said_to_be(
    desk: Page, pages: Served
) -> None:
    settings(desk)
    choose(desk, "microphone", "desk")
    desk.evaluate("void devices.splice(0)")
    desk.evaluate("void navigator.mediaDevices.dispatchEvent(new Event('devicechange'))")
    desk.wait_text("Desk microphone is not here now")
    desk.press("Escape")
    pages.desk.after["ring"] = in_call("ringing")
    desk.click("Call Elena Voss", "button")
    desk.wait_text("Ringing at Borealis")
    assert desk.evaluate("asked.map((how) => how.deviceId?.exact ?? '')") == ["desk", ""]


def test_what_is_chosen_outlives_the_page(desk: Page, pages: Served) -> None:
    settings(desk)
    desk.click("Cancel echo", "checkbox")
    choose(desk, "output", "room")
    desk.goto(f"{pages.address}/?again")
    desk.wait_text("Adrian Rey")
    settings(desk)
    desk.wait_for("document.querySelector('[data-part=output]').value === 'room'")
    assert not desk.evaluate("document.querySelector('[data-part=echo]').checked")
    desk.click("Check the microphone", "button")
    desk.wait_text("We hear you")
    treated = "[asked[0].echoCancellation, asked[0].noiseSuppression, asked[0].autoGainControl]"
    assert desk.evaluate(treated) == [False, True, True]


def test_a_test_sound_goes_where_it_was_told_to(desk: Page) -> None:
    settings(desk)
    choose(desk, "output", "room")
    desk.click("Play a test sound", "button")
    desk.wait_text("It is playing now")
    assert desk.evaluate("sinks") == ["room"]
    desk.evaluate("void devices.splice(1)")
    desk.click("Play a test sound", "button")
    desk.wait_text("it is playing from the device’s own")


def test_a_browser_that_cannot_choose_an_output_says_so(tab: Page, pages: Served) -> None:
    tab.inject("delete HTMLMediaElement.prototype.setSinkId")
    tab.goto(pages.address)
    settings(tab)
    tab.wait_text("This browser plays where the device plays")
    assert not tab.has("You hear them from")


def test_a_refused_microphone_is_explained_where_it_is_checked(tab: Page, pages: Served) -> None:
    tab.inject(no_voice())
    tab.goto(pages.address)
    settings(tab)
    tab.click("Check the microphone", "button")
    tab.wait_text("allow the microphone for this page")


def test_another_microphone_takes_over_within_a_call_and_stays_muted(
    desk: Page, pages: Served
) -> None:
    on_a_call(desk, pages)
    desk.click("Mute", "button")
    desk.click("Sound", "button")
    desk.wait_text("Changes are heard in the call at once")
    choose(desk, "microphone", "desk")
    assert desk.wait_for("tests.tracks.length === 2 && tests.tracks[0].readyState === 'ended'")
    assert desk.evaluate("tests.tracks[1].enabled") is False
    desk.click("Back to the call", "button")
    desk.click("Unmute", "button")
    assert desk.wait_for("tests.tracks[1].enabled")


def test_a_microphone_unplugged_in_a_call_is_replaced_by_the_devices_own(
    desk: Page, pages: Served
) -> None:
    on_a_call(desk, pages)
    desk.evaluate("void tests.tracks[0].dispatchEvent(new Event('ended'))")
    assert desk.wait_for("tests.tracks.length === 2 && tests.tracks[1].readyState === 'live'")
    assert desk.has("Mute", "button")


def test_without_any_microphone_left_a_tap_opens_the_next(tab: Page, pages: Served) -> None:
    tab.inject(no_voice("NotFoundError"))
    tab.goto(pages.address)
    tab.wait_text("Adrian Rey")
    tab.evaluate("tests.allow = true")
    on_a_call(tab, pages)
    tab.evaluate("tests.allow = false")
    tab.evaluate("void tests.tracks[0].dispatchEvent(new Event('ended'))")
    tab.wait_text("Your microphone is gone: you hear, but are not heard")
    assert not tab.has("Mute", "button")
    tab.evaluate("tests.allow = true")
    tab.click("Go on speaking", "button")
    assert tab.wait_for("tests.tracks[1]?.readyState === 'live'")


def test_a_call_that_ended_meanwhile_gets_no_microphone(desk: Page, pages: Served) -> None:
    on_a_call(desk, pages)
    desk.evaluate(
        "void (navigator.mediaDevices.getUserMedia = () => new Promise((done) =>"
        " (window.give = () => { const stream = tests.tone(440);"
        " tests.tracks.push(...stream.getTracks()); done(stream); })))"
    )
    desk.evaluate("void tests.tracks[0].dispatchEvent(new Event('ended'))")
    desk.wait_text("Your microphone is gone")
    desk.click("End call", "button")
    pages.show(idle())
    desk.wait_text("Good morning")
    desk.evaluate("give()")
    assert desk.wait_for("tests.tracks[1].readyState === 'ended'")


def test_every_setting_is_reached_by_keyboard(desk: Page) -> None:
    desk.tab_to("Sound and microphone")
    desk.press("Enter")
    desk.wait_text("Check the microphone")
    wanted = ["microphone", "check", "echo", "noise", "gain", "output", "tone"]
    for part in wanted:  # from the heading on, in the order of reading
        desk.press("Tab")
        assert desk.evaluate("document.activeElement.dataset.part") == part


# -- a page that is loaded anew in a call


def test_a_page_that_was_reloaded_keeps_its_call_and_goes_on_with_a_tap(
    desk: Page, pages: Served
) -> None:
    on_a_call(desk, pages)
    assert pages.desk.wait(lambda: bool(pages.desk.asked("offer")))
    offers = len(pages.desk.asked("offer"))
    desk.reload()
    desk.wait_text("You were on this call before the page was loaded anew")
    assert desk.evaluate("tests.opened") == 0  # no microphone before the tap
    desk.click("Go on speaking", "button")
    desk.wait_text("Mute")
    assert pages.desk.wait(lambda: len(pages.desk.asked("offer")) > offers)
    devices = {device for device, _ in pages.desk.done}
    certificates = {_certificate(offer["sdp"]) for offer in pages.desk.asked("offer")}
    assert (len(devices), len(certificates)) == (1, 1)
    assert pages.desk.gone == []


def _certificate(sdp: str) -> str:
    return str(sdp.split("a=fingerprint:sha-256 ")[1].split("\r\n")[0])


def test_a_second_tab_made_of_this_one_is_another_device(desk: Page, pages: Served) -> None:
    on_a_call(desk, pages)
    assert pages.desk.wait(lambda: bool(pages.desk.asked("offer")))
    desk.reload()
    desk.wait_text("You were on this call before the page was loaded anew")
    kept = desk.evaluate("JSON.stringify(sessionStorage)")  # what a second tab would be given
    assert kept == "{}"


def test_signing_out_leaves_no_certificate(desk: Page, pages: Served) -> None:
    on_a_call(desk, pages)
    pages.show(idle())
    desk.click("This device", "button")
    desk.click("Sign out", "button")
    desk.wait_text("You are signed out")
    kept = "indexedDB.databases().then((all) => all.map((one) => one.name))"
    assert desk.evaluate(kept) == []
