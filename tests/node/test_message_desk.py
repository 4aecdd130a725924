"""Older messages, search, history with gaps, and the wish to be told: as a page asks for them."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import pytest

from fakes.two_nodes import Phone, TwoNodes, desk_of, line_of, on_two_nodes
from telcon.core import draft as drafts
from telcon.core.seal import Person, Text
from telcon.errors import OperatorError
from telcon.node import search
from telcon.node.message_desk import SHOWN_MESSAGES
from telcon.node.search import folded
from telcon.node.store.engine import DATABASE, connect_writer
from telcon.node.store.reader import Reader

REY = Person("en", "Adrian Rey", "President of Arcadia", "Arcadia")
MANY = 3 * SHOWN_MESSAGES + 7


async def write_many(both: TwoNodes, texts: list[str]) -> None:
    line = line_of(both.arcadia)
    await asyncio.gather(
        *(line.act_bulk(drafts.message(REY, REY, Text("en", text))) for text in texts)
    )


def texts(messages: list[Mapping[str, Any]]) -> list[str]:
    return [one["text"] for one in messages]


@on_two_nodes
async def test_older_messages_come_in_pieces_until_the_first(both: TwoNodes) -> None:
    rey = both.phone(both.arcadia)
    await write_many(both, [f"{number}" for number in range(MANY)])
    shown = list(rey.shown["messages"][rey.line])
    older = 1
    while older:
        piece = await ask(rey, "messages", place=shown[0]["id"], **{"from": "before"})
        shown, older = piece["messages"] + shown, piece["older"]
    assert texts(shown) == [f"{number}" for number in range(MANY)]


async def ask(phone: Phone, do: str, **members: Any) -> dict[str, Any]:
    return dict(await phone.do(do, line=phone.line, **members))


@on_two_nodes
async def test_what_was_found_is_shown_among_its_neighbours(both: TwoNodes) -> None:
    rey = both.phone(both.arcadia)
    await write_many(both, [f"number {number:03}" for number in range(MANY)])
    (found,) = (await ask(rey, "search", words="number 100"))["found"]
    around = await ask(rey, "messages", place=found["id"], **{"from": "around"})
    assert found["text"] in texts(around["messages"])
    assert around["older"] + len(around["messages"]) + around["newer"] == MANY
    last = around["messages"][-1]
    after = await ask(rey, "messages", place=last["id"], **{"from": "after"})
    number = int(last["text"].split()[1])
    assert texts(after["messages"])[0] == f"number {number + 1:03}"


@on_two_nodes
async def test_search_is_newest_first_in_pieces_and_says_how_far_it_is(both: TwoNodes) -> None:
    rey = both.phone(both.arcadia)
    await write_many(both, [f"Äpfel {number}" for number in range(MANY)])
    first = await ask(rey, "search", words="APFEL")
    assert texts(first["found"]) == [f"Äpfel {n}" for n in range(MANY - 1, MANY - 51, -1)]
    assert (first["next"], first["of"]) == (MANY - 50, MANY)
    second = await ask(rey, "search", words="apfel", before=first["next"])
    assert texts(second["found"])[0] == f"Äpfel {MANY - 51}"


@on_two_nodes
async def test_one_ask_reads_a_bounded_number_of_messages(both: TwoNodes) -> None:
    rey = both.phone(both.arcadia)
    await write_many(both, ["the needle", *(f"hay {number}" for number in range(30))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "MESSAGES_AN_ASK", 20)
        first = await ask(rey, "search", words="needle")
        assert (first["found"], first["next"], first["of"]) == ([], 11, 31)
        second = await ask(rey, "search", words="needle", before=first["next"])
    assert texts(second["found"]) == ["the needle"]
    assert second["next"] == 0


@on_two_nodes
async def test_what_lies_between_two_messages_is_not_read(both: TwoNodes) -> None:
    await write_many(both, [f"{number}" for number in range(60)])
    messages = line_of(both.arcadia).machine.fold.messages
    read: list[Any] = []
    rows = Reader.rows

    def counted(reader: Reader, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        found = rows(reader, statement, values)
        read.extend(found)
        return found

    places = [messages[0], messages[59]]  # as if all between were void
    numbers = desk_of(both.arcadia).messages._numbers
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Reader, "rows", counted)
        found = await search.search_messages(both.arcadia.store, numbers, places, "59", 2)
    assert found.positions == (1,)
    assert len(read) == 2


async def check_gone(both: TwoNodes, change: str) -> None:
    """Change what one text lies in by a statement; see that the page shows the rest."""
    rey = both.phone(both.arcadia)
    await write_many(both, ["secret plan", "public plan"])
    secret, _ = desk_of(both.arcadia).messages._messages()
    log = both.arcadia.store.stored_log(secret.origin)
    with closing(connect_writer(both.arcadia.folder / DATABASE)) as writer:
        where = "WHERE member = 'text' AND log = ? AND position = ?"
        writer.exec_driver_sql(f"{change} {where}", (log.number, secret.index))
        writer.commit()
    assert texts(rey.shown["messages"][rey.line]) == [None, "public plan"]
    assert texts((await ask(rey, "search", words="plan"))["found"]) == ["public plan"]


@on_two_nodes
async def test_what_was_destroyed_is_shown_as_unreadable_and_never_found(both: TwoNodes) -> None:
    await check_gone(both, "DELETE FROM opening")


@on_two_nodes
async def test_what_is_damaged_is_shown_as_unreadable_and_never_found(both: TwoNodes) -> None:
    await check_gone(both, "UPDATE opening SET sealed = zeroblob(60)")


@on_two_nodes
async def test_a_search_of_many_messages_does_not_hold_up_the_loop(both: TwoNodes) -> None:
    await write_many(both, [f"Überlegung {number}" for number in range(2_000)])
    rey = both.phone(both.arcadia)
    longest, running = 0.0, True

    async def watch() -> None:
        nonlocal longest
        while running:
            began = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - began)

    watching = asyncio.create_task(watch())
    began = time.perf_counter()
    assert (await ask(rey, "search", words="no such word"))["found"] == []
    lasted = time.perf_counter() - began
    running = False
    await watching
    assert longest < lasted / 2  # it ran beside the loop, not on it


@pytest.mark.parametrize(
    ("text", "words"),
    [("Élysée", "elysee"), ("STRASSE", "straße"), ("Ёлка", "елка"), ("ﬁnal", "FINAL")],
)
def test_case_and_accents_do_not_matter(text: str, words: str) -> None:
    assert folded(words) in folded(text)


@on_two_nodes
async def test_a_message_that_is_not_there_is_refused_in_words(both: TwoNodes) -> None:
    rey = both.phone(both.arcadia)
    for place in (
        "borealis.example/line/0#1",
        f"{line_of(both.arcadia).identity.own_card.log.name}#9",
    ):
        with pytest.raises(OperatorError, match="no such message"):
            await ask(rey, "messages", place=place, **{"from": "around"})


@on_two_nodes
async def test_who_wished_to_be_told_is_told_once_that_the_line_is_back(both: TwoNodes) -> None:
    rey = both.phone(both.arcadia)
    told: list[str] = []
    both.arcadia.desk.on_back.append(told.append)
    await both.unlink()
    await rey.wait(lambda shown: not shown["lines"][0]["up"])
    await ask(rey, "wish", wanted=True)
    assert rey.shown["lines"][0]["wished"] is True
    both.relink()
    await rey.wait(lambda shown: shown["lines"][0]["up"])
    assert told == [rey.line]
    assert rey.shown["lines"][0]["wished"] is True  # until the page has said it to somebody
    await ask(rey, "wish", wanted=False)
    assert rey.shown["lines"][0]["wished"] is False


@on_two_nodes
async def test_only_our_messages_count_as_waiting_not_tests(both: TwoNodes) -> None:
    rey = both.phone(both.arcadia)
    await both.unlink()
    await rey.wait(lambda shown: not shown["lines"][0]["up"])
    await line_of(both.arcadia).act(drafts.line_test())
    assert rey.shown["lines"][0]["messages_waiting"] == 0
    await write_many(both, ["later"])
    assert rey.shown["lines"][0]["messages_waiting"] == 1
    assert desk_of(both.arcadia).messages.count() == 1
