"""A line that was down for long says how far it is, until all is made up for."""

import asyncio
from types import SimpleNamespace
from typing import Any

from fakes.two_nodes import TwoNodes, line_of, on_two_nodes
from telcon.core import draft as drafts
from telcon.core.seal import Person, Text
from telcon.node.catching_up import STUCK_S, WORTH_TELLING, CatchingUp

REY = Person("en", "Adrian Rey", "President of Arcadia", "Arcadia")
MANY = 20 * WORTH_TELLING


@on_two_nodes
async def test_both_sides_count_up_to_the_end_and_then_say_no_more(both: TwoNodes) -> None:
    phones = both.two_phones()
    await both.unlink()
    line = line_of(both.arcadia)
    for _ in range(0, MANY, 1_000):
        words = (drafts.message(REY, REY, Text("en", "text")) for _ in range(1_000))
        await asyncio.gather(*(line.act_bulk(draft) for draft in words))
    seen: list[list[tuple[int, int]]] = [[], []]

    def watch(number: int) -> None:
        catching = phones[number].shown["lines"][0]["catching"]
        if catching is not None:
            seen[number].append((catching["count"], catching["total"]))

    for number, node in enumerate(both.nodes):
        node.desk.subscribe(f"watcher {number}", lambda n=number: watch(n), lambda _: None)  # type: ignore[misc]
    both.relink()
    for phone in phones:
        await phone.wait(lambda shown: len(shown["messages"][phones[0].line]) > 0)
        await phone.wait(lambda shown: shown["lines"][0]["catching"] is None)
    await both.up()
    assert any(told[-1][0] > told[0][0] for told in seen)
    for told in seen:
        assert told
        counts = [count for count, _ in told]
        assert counts == sorted(counts)
        assert {total for _, total in told} <= set(range(MANY, MANY + 50))


@on_two_nodes
async def test_a_few_messages_are_no_catching_up(both: TwoNodes) -> None:
    rey = both.phone(both.arcadia)
    line = line_of(both.arcadia)
    shown = []
    both.arcadia.desk.subscribe(
        "watcher", lambda: shown.append(rey.shown["lines"][0]["catching"]), lambda _: None
    )
    words = (drafts.message(REY, REY, Text("en", "text")) for _ in range(WORTH_TELLING // 2))
    await asyncio.gather(*(line.act_bulk(draft) for draft in words))
    await rey.wait(lambda now: now["lines"][0]["waiting"] == 0)
    assert set(shown) == {None}


def test_what_is_said_to_be_missing_and_never_comes_is_forgotten() -> None:
    machine = SimpleNamespace(missing=2**52, waiting=3)
    line: Any = SimpleNamespace(machine=machine, up_since_us=1)
    now = [100.0]
    catching = CatchingUp(line, lambda: now[0])
    assert catching.view() == {"count": 0, "total": 2**52 + 3}
    now[0] += STUCK_S + 1
    assert catching.view() is None
    machine.missing = 300  # it has connected again, and says something else
    assert catching.view() == {"count": 0, "total": 303}
