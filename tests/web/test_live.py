"""The WebSocket between page and node, without a browser."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from fakes.desk import CALL, LINE, idle, in_call
from telcon.errors import BusyError, IllegalActError, LinkDownError, OperatorError
from telcon.web import live as live_module
from web.asking import PAGE, ask, live, read
from web.serving import Served

FINGERPRINT = "ef" * 32


def closing_code(pages: Served, **how: str) -> int:
    with live(pages, **how) as socket, pytest.raises(ConnectionClosed) as closed:
        while True:
            read(socket)
    return closed.value.rcvd.code if closed.value.rcvd else 0


def test_shows_the_state_first(pages: Served) -> None:
    with live(pages) as socket:
        assert read(socket) == {"state": idle()}


def test_without_a_session_there_is_nothing_to_see(pages: Served) -> None:
    assert closing_code(pages, cookie="telcon-arcadia.example=forged") == 4401


def test_the_cookie_of_another_node_opens_nothing(pages: Served) -> None:
    pages.signed_in()
    assert closing_code(pages, cookie="telcon-borealis.example=token-of-tests") == 4401


def test_a_page_without_a_name_is_not_served(pages: Served) -> None:
    assert closing_code(pages, page="../../etc") == 4401


def test_shows_every_change(pages: Served) -> None:
    with live(pages) as socket:
        read(socket)
        pages.show(in_call("ringing"))
        assert read(socket)["state"]["call"]["phase"] == "ringing"


def test_joins_a_burst_of_changes(pages: Served) -> None:
    with live(pages) as socket:
        read(socket)
        pages.call(lambda: deque(map(pages.desk.show, [idle(now_us=n) for n in range(1000)]), 0))
        assert read(socket)["state"]["now_us"] == 999


def test_keeps_the_newest_of_what_passes_by(pages: Served) -> None:
    with live(pages) as socket:
        read(socket)
        levels = [{"level": {"a": n}} for n in range(9)]
        pages.call(lambda: deque(map(pages.desk.pass_by, levels), 0))
        assert read(socket) == {"level": {"a": 8}}


def test_an_act_reaches_the_desk_and_is_answered(pages: Served) -> None:
    act = {"do": "ring", "line": LINE, "mode": "audio", "certificate": FINGERPRINT}
    with live(pages) as socket:
        assert ask(socket, **act) == {"call": CALL, "answer": 7, "ok": True}
    assert pages.desk.done == [(PAGE, {**act, "topic": None})]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (LinkDownError("dial failed 3 times"), "The line is down just now."),
        (IllegalActError("call.answer", "already answered"), "already been answered"),
        (IllegalActError("call.answer", "no such call"), "not possible any more"),
        (BusyError("4096 waiting"), "More is waiting"),
        (OperatorError("words of its own", advice="and advice"), "words of its own"),
    ],
)
def test_an_error_becomes_a_sentence(pages: Served, error: OperatorError, words: str) -> None:
    pages.desk.answers["cancel"] = error
    with live(pages) as socket:
        answer = ask(socket, do="cancel", call=CALL)
    assert answer["ok"] is False
    assert words in answer["error"]
    assert answer["advice"]


def test_what_is_no_ask_is_answered_and_not_passed_on(pages: Served) -> None:
    with live(pages) as socket:
        assert ask(socket, do="fire")["ok"] is False
        assert ask(socket, do="cancel", call="x")["ok"] is False
        assert ask(socket, do="cancel", call=CALL, extra=1)["ok"] is False
        assert ask(socket, do="cancel", call=CALL)["ok"] is True
    assert len(pages.desk.done) == 1


def test_a_stuck_act_does_not_hold_up_another(pages: Served) -> None:
    gate = pages.call(asyncio.Event)

    async def hold(message: Mapping[str, Any]) -> None:
        if message["do"] == "message":
            await gate.wait()

    pages.desk.hold = hold
    with live(pages) as socket:
        socket.send(f'{{"do":"message","line":"{LINE}","text":"a","tag":"t","lang":"en","ask":1}}')
        assert ask(socket, do="hang-up", call=CALL)["ok"] is True
        pages.call(gate.set)
        while "answer" not in (answer := read(socket)):
            pass
        assert answer["answer"] == 1


def test_too_many_acts_at_once_are_refused(pages: Served) -> None:
    gate = pages.call(asyncio.Event)

    async def hold(message: Mapping[str, Any]) -> None:
        await gate.wait()

    pages.desk.hold = hold
    with live(pages) as socket:
        for number in range(live_module.ASKS_AT_ONCE):
            socket.send(f'{{"do":"cancel","call":"{CALL}","ask":{number + 10}}}')
        assert "More is waiting" in ask(socket, do="cancel", call=CALL)["error"]
        pages.call(gate.set)


def test_a_refused_microphone_is_written_down_and_goes_no_further(pages: Served) -> None:
    with live(pages) as socket:
        assert ask(socket, do="microphone-refused", why="NotAllowedError")["ok"] is True
    assert ("audit.web.microphone-refused", {"why": "NotAllowedError"}) in pages.audit.events
    assert pages.desk.done == []


def test_signing_out_elsewhere_ends_this_page_at_its_next_act(pages: Served) -> None:
    with live(pages) as socket:
        read(socket)
        pages.sign_in.tokens.clear()
        with pytest.raises(ConnectionClosed, match="4401"):
            ask(socket, do="cancel", call=CALL)
    assert pages.desk.done == []


def test_signing_out_elsewhere_shows_nothing_more(pages: Served) -> None:
    with live(pages) as socket:
        read(socket)
        pages.sign_in.tokens.clear()
        pages.show(in_call("live"))
        with pytest.raises(ConnectionClosed, match="4401"):
            read(socket)


def test_a_page_that_was_closed_is_gone_at_once(pages: Served) -> None:
    with live(pages) as socket:
        read(socket)
    assert pages.desk.wait(lambda: pages.desk.gone == [PAGE])


def test_a_page_whose_path_broke_may_come_back(
    pages: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    with live(pages) as socket:
        read(socket)
        socket.socket.shutdown(2)
    assert pages.desk.wait(lambda: pages.desk.pages == 0)
    with live(pages) as socket:
        read(socket)
        assert pages.desk.gone == []


def test_a_page_that_was_reloaded_may_come_back_under_its_name(pages: Served) -> None:
    with live(pages) as socket:
        read(socket)
        socket.close(1001)
    assert pages.desk.wait(lambda: pages.desk.pages == 0)
    with live(pages) as socket:
        read(socket)
        assert pages.desk.gone == []


def test_a_page_that_was_closed_and_does_not_come_back_is_gone(
    pages: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(live_module.GRACE_S, 1001, 0.05)
    with live(pages) as socket:
        read(socket)
        socket.close(1001)
    assert pages.desk.wait(lambda: pages.desk.gone == [PAGE])


def test_a_page_may_ask_whether_it_is_heard(pages: Served) -> None:
    with live(pages) as socket:
        assert ask(socket, do="here")["ok"] is True
    assert pages.desk.done == []


def test_a_page_that_stays_away_is_gone(pages: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "AWAY_S", 0.05)
    with live(pages) as socket:
        read(socket)
        socket.socket.shutdown(2)
    assert pages.desk.wait(lambda: pages.desk.gone == [PAGE])


def test_the_newer_connection_of_a_page_replaces_the_older(pages: Served) -> None:
    with live(pages) as older:
        read(older)
        with live(pages) as newer:
            read(newer)
            with pytest.raises(ConnectionClosed, match="4409"):
                read(older)
            assert ask(newer, do="cancel", call=CALL)["ok"] is True
            assert pages.desk.gone == []


def test_a_quiet_node_still_says_that_it_is_there(
    pages: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "QUIET_S", 0.02)
    with live(pages) as socket:
        assert read(socket) == read(socket) == {"state": idle()}
