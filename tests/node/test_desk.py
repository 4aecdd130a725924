"""What a principal sees: drawn from the fold, true at every moment, cheap however long the past."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from fakes.two_nodes import Phone, TwoNodes, desk_of, line_of, on_two_nodes
from telcon.core import draft as drafts
from telcon.core.call import CallState
from telcon.core.seal import Media, Person
from telcon.errors import OperatorError, StorageError, StorageTrouble
from telcon.node.history_desk import SHOWN_CALLS
from telcon.node.message_desk import SHOWN_MESSAGES

CALLS = 120
REY = Person("en", "Adrian Rey", "President of Arcadia", "Arcadia")


def messages(phone: Phone) -> list[Mapping[str, Any]]:
    return list(phone.shown["messages"][phone.line])


async def write(phone: Phone, text: str) -> str:
    done = await phone.do("message", line=phone.line, text=text, tag=f"tag {text}", lang="en")
    return str(done["id"])


@on_two_nodes
async def test_a_message_waits_then_is_signed_by_both_and_is_never_shown_twice_or_empty(
    both: TwoNodes,
) -> None:
    rey, voss = both.two_phones()
    seen: list[list[Mapping[str, Any]]] = []
    loop = asyncio.get_running_loop()

    def look() -> None:  # as a page's connection does: when it is woken, not in the middle
        loop.call_soon(lambda: seen.append(messages(rey)))

    both.arcadia.desk.subscribe("watcher", look, lambda _: None)
    place = await write(rey, "hello")
    await rey.wait(lambda _: messages(rey)[0]["state"] == "signed by both")
    await voss.wait(lambda _: bool(messages(voss)))
    assert {**messages(voss)[0], "ours": True} == messages(rey)[0]
    assert {len(shown) for shown in seen} <= {0, 1}
    shown = [one for few in seen for one in few]
    assert {one["text"] for one in shown} == {"hello"}
    assert next(one["state"] for one in shown) == "waiting"
    assert {one["id"] for one in shown} == {"tag hello", place}


@on_two_nodes
async def test_messages_go_when_the_line_is_back(both: TwoNodes) -> None:
    rey, voss = both.two_phones()
    await both.unlink()
    await rey.wait(lambda shown: not shown["lines"][0]["up"])
    await write(rey, "later")
    assert messages(rey)[0]["state"] == "waiting"
    assert rey.shown["lines"][0]["waiting"] >= 1
    both.relink()
    await voss.wait(lambda _: bool(messages(voss)))
    await rey.wait(lambda shown: shown["lines"][0]["waiting"] == 0)
    assert messages(rey)[0]["state"] == "signed by both"


@on_two_nodes
async def test_only_the_newest_messages_are_shown(both: TwoNodes) -> None:
    rey, voss = both.two_phones()
    count = SHOWN_MESSAGES + 5
    await asyncio.gather(*(write(rey, f"{number}") for number in range(count)))
    await voss.wait(lambda _: bool(messages(voss)) and messages(voss)[-1]["text"] == f"{count - 1}")
    texts = [one["text"] for one in messages(voss)]
    assert texts == [f"{number}" for number in range(5, count)]


async def past_calls(both: TwoNodes, count: int) -> None:
    """Let Arcadia ring and take back `count` times, without anybody's media."""
    line = line_of(both.arcadia)
    media = Media("00" * 32, "00" * 32, "00" * 32)
    for number in range(count):
        call = f"{number:032x}"
        ring = drafts.ring(call, call[-16:], mode="audio", track=1, person=REY, media=media)
        held = await line.act(ring)
        await line.act(drafts.cancel(call, (held.origin, held.index)))


@on_two_nodes
async def test_history_is_newest_first_and_older_pieces_can_be_asked_for(both: TwoNodes) -> None:
    rey = both.phone(both.arcadia)
    await past_calls(both, CALLS)
    shown = list(rey.shown["history"][rey.line])
    while len(piece := (await older(rey, shown[-1]["call"]))) == SHOWN_CALLS:
        shown += piece
    shown += piece
    assert [int(one["call"], 16) for one in shown] == list(reversed(range(CALLS)))
    assert {one["phase"] for one in shown} == {"cancelled"}
    assert await older(rey, shown[-1]["call"]) == []


async def older(phone: Phone, before: str) -> list[Mapping[str, Any]]:
    return list((await phone.do("history", line=phone.line, before=before))["history"])


@on_two_nodes
async def test_a_screen_costs_the_same_however_many_calls_are_past(both: TwoNodes) -> None:
    rey = both.phone(both.arcadia)
    await past_calls(both, CALLS)
    calls = line_of(both.arcadia).machine.fold.calls
    draw, drawn = calls._draw, []

    def count(call: str) -> CallState:
        drawn.append(call)
        return draw(call)

    calls._draw = count
    calls._drawn = dict.fromkeys(calls._drawn)
    assert len(rey.shown["history"][rey.line]) == SHOWN_CALLS
    assert len(drawn) == SHOWN_CALLS


@on_two_nodes
async def test_trouble_with_the_disk_does_not_hide_that_a_line_is_broken(both: TwoNodes) -> None:
    page = both.phone(both.arcadia)
    desk = desk_of(both.arcadia)
    desk.broken = "This line has ended."
    both.arcadia._storage(page.line, StorageError("full", trouble=StorageTrouble.FULL))
    line = page.shown["lines"][0]
    assert (line["broken"], line["trouble"]) == ("This line has ended.", "full")
    both.arcadia._storage(page.line, None)
    line = page.shown["lines"][0]
    assert (line["broken"], line["trouble"]) == ("This line has ended.", None)


@on_two_nodes
async def test_what_no_page_should_ask_is_refused_in_words(both: TwoNodes) -> None:
    page = both.phone(both.arcadia)
    with pytest.raises(OperatorError, match="no such line"):
        await page.do("ring", line="0" * 32, mode="audio", certificate="00" * 32)
    with pytest.raises(OperatorError, match="over"):
        await page.do("hang-up", call="0" * 32)
    with pytest.raises(OperatorError, match="does not know"):
        await page.do("dance")


@on_two_nodes
async def test_a_page_that_is_closed_is_forgotten(both: TwoNodes) -> None:
    page = both.phone(both.arcadia)
    assert both.arcadia.desk.pages() == 1
    page.gone()
    assert both.arcadia.desk.pages() == 0
    assert both.arcadia.desk._slots == {}
