"""Whatever frames and entries a peer with true keys makes: nothing raises, and the line goes on."""

import asyncio
import logging
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hostile.peer import CERTIFICATE, EVE, PAGE, TRUNK_KEY, HostilePeer, node_in, run
from telcon.core import draft as drafts
from telcon.core import frames
from telcon.core.draft import Draft
from telcon.core.seal import Text
from telcon.core.signals import HintSignal, RecorderSignal, TrunkSignal, format_signal
from telcon.errors import MisuseError, TelconError

CALLS = ["c" * 32, "d" * 32]
SEED = 20261122


def honest_frames(eve: HostilePeer) -> list[bytes]:
    note = eve._piece().note
    bodies = [
        ("hint", format_signal(HintSignal("hang-up", "e" * 16))),
        ("recorder", format_signal(RecorderSignal(True, 5))),
        ("trunk", format_signal(TrunkSignal(TRUNK_KEY, 5, [("127.0.0.1", 9)]))),
    ]
    made: list[frames.Frame] = [
        frames.Hello(1, eve.name, eve.line, 2, 2, b""),
        frames.AskLast(),
        frames.Last(note),
        frames.Refused("gap", 1, "x"),
        frames.Fetch(0),
        frames.Refill(0, [b"x"], [], True),
        frames.Evidence(note, note),
        frames.Second(note),
        frames.Seconded(1, note),
        eve._piece(),
        *(frames.Signal(kind, call, body) for kind, body in bodies for call in (*CALLS, "")),
    ]
    return [frames.format_frame(frame) for frame in made]


def mangled(data: bytes, chance: random.Random) -> bytes:
    kind = chance.randrange(4)
    if kind == 0:
        at = chance.randrange(len(data))
        return data[:at] + chance.randbytes(chance.randrange(4)) + data[at + 1 :]
    if kind == 1:
        return data[: chance.randrange(len(data))]
    read: list[Any] = msgspec.msgpack.decode(data)
    at = chance.randrange(len(read))
    read[at] = chance.choice(
        [None, -1, 2**53, 2**64 - 1, "", "x" * 64, b"", [], {}, True, 1.5, [[]]]
    )
    return msgspec.msgpack.encode(read)


def test_mangled_frames_end_at_most_their_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(SEED)

    async def attack() -> None:
        async with node_in(tmp_path / "arcadia") as node:
            eve = await HostilePeer(tmp_path, node).pair(tmp_path)
            await eve.live_call(CALLS[0])
            line = eve.victim.line
            made = honest_frames(eve)
            for _ in range(3_000):
                line.link_up(lambda _: None, lambda _: None)
                line.link_frame(made[0])
                for _ in range(3):
                    line.link_frame(mangled(chance.choice(made[1:]), chance))
            await asyncio.sleep(0)
            node.desk.snapshot(PAGE)
            await eve.reconnect()
            await eve.act(drafts.blank())

    run(attack())
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


def wild_act(eve: HostilePeer, chance: random.Random) -> Draft:
    call, by = chance.choice(CALLS), chance.choice("abe") * 16
    own, theirs = eve.log.origin, eve.held.origin
    place = (chance.choice([own, theirs]), chance.randrange(eve.log.size + 3))
    track = (chance.choice([own, theirs, "x.example/line/" + "0" * 32]), chance.randrange(1, 256))
    mode = chance.choice(["audio", "existence only"])
    media = eve.media(chance.choice([TRUNK_KEY, b"other"]))
    person = {"role": "interpreter", "track": chance.randrange(1, 4), "person": EVE}
    return chance.choice(
        [
            eve.ring(call, by=by, track=chance.randrange(1, 4)),
            drafts.ringing(call, place, chance.randrange(2**53)),
            drafts.answer(call, by, place, mode="audio", track=1, person=EVE, media=media),
            drafts.answer(
                call, by, place, mode="audio", track=1, person=EVE, media=media,
                own_ring=(own, chance.randrange(eve.log.size)),
            ),
            drafts.decline(call, place, Text("en", "no")),
            drafts.cancel(call, place),
            drafts.missed(call, place),
            drafts.join(call, by, media=media, **person),  # type: ignore[arg-type]
            drafts.leave(call, by),
            drafts.mode(call, by, mode),  # type: ignore[arg-type]
            drafts.record_on(call, track),
            drafts.record_off(call, track, bytes(32), 5),
            drafts.record_chunk(call, [(1, 0, 5, bytes(32))], bytes(32)),
            drafts.hang_up(call, by),
            drafts.fail(call, Text("en", "x")),
            drafts.line_test(),
            drafts.line_tested(place),
            drafts.line_terms("end"),
            drafts.blank(),
        ]
    )  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_wild_acts_in_and_out_of_calls_leave_a_node_that_rings_and_answers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    chance = random.Random(seed)

    async def attack() -> None:
        async with node_in(tmp_path / "arcadia") as node:
            eve = await HostilePeer(tmp_path, node).pair(tmp_path)
            for number in range(300):
                try:
                    eve.write(wild_act(eve, chance), time_us=chance.choice([0, 1, 2**53 - 1]))
                except MisuseError:
                    continue  # no entry at all
                await eve.flush()
                if number % 10 == 0:
                    await principal_does_something(eve, chance)
                node.desk.snapshot(PAGE)
                CALLS[1] = f"{number // 50:032x}"
            fresh = "f" * 32
            running = eve.victim.board.calls.running
            await eve.act(eve.ring(fresh, by="f" * 16))
            await eve.until(lambda: fresh in running or eve.phase(fresh) == "missed")

    run(attack())
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


async def principal_does_something(eve: HostilePeer, chance: random.Random) -> None:
    shown = eve.node.desk.snapshot(PAGE)["call"]
    acts = eve.victim.board.acts
    try:
        if shown is None:
            await acts.ring(PAGE, "audio", CERTIFICATE, None)
        elif shown["phase"] == "ringing" and shown["side"] == "theirs":
            await acts.answer(PAGE, shown["call"], CERTIFICATE)
        elif chance.random() < 0.5:
            await acts.hang_up(PAGE, shown["call"])
    except TelconError:
        return
