"""Any bytes into a machine: nothing is raised, nothing is written, memory stays bounded."""

import random

import msgspec
import pytest

from fakes.joined import Pair
from fakes.line_checks import check_folds
from fakes.villain import Victim, Villain
from telcon.core import frames
from telcon.core.machine import PeerMisbehaved


def recorded(seed: int) -> list[bytes]:
    """Return the frames of a true conversation, as Borealis sent them."""
    pair = Pair(seed)
    pair.open()
    for number in range(20):
        pair.say(pair.sides[number % 2], f"{number}")
        pair.run(0.015)
    pair.run()
    return [data for name, data in pair.carried if name == pair.borealis.name]


def mangled(world: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(world.randrange(1, 5)):
        at = world.randrange(len(changed))
        match world.randrange(3):
            case 0:
                changed[at] ^= 1 << world.randrange(8)
            case 1:
                del changed[at : at + world.randrange(1, 9)]
            case _:
                changed[at:at] = world.randbytes(world.randrange(1, 9))
        if not changed:
            break
    return bytes(changed)


@pytest.mark.parametrize("seed", range(8))
def test_mangled_frames_raise_nothing_and_change_no_log(seed: int) -> None:
    world = random.Random(seed)
    frames_sent = recorded(seed)
    victim = Victim()
    for _ in range(400):
        victim.link_up()
        for data in frames_sent[:1] + world.sample(frames_sent, 3):
            given = data if world.random() < 0.4 else mangled(world, data)
            victim.machine.receive_frame(given, victim.now())
            victim.turn()
    true = [data for data in frames_sent if data[1:6] == b"\xa4push"]
    entries = [entry for data in true for entry in msgspec.msgpack.decode(data)[2]]
    assert victim.store.theirs.all_entries() == entries[: victim.store.theirs.size]


@pytest.mark.parametrize("seed", range(4))
def test_random_frames_of_the_right_form_raise_nothing(seed: int) -> None:
    world = random.Random(seed)
    villain = Villain()
    victim = Victim()
    for _ in range(300):
        victim.link_up()
        victim.receive(villain.hello())
        for _ in range(4):
            victim.receive(any_frame(world, villain))
    assert victim.state in ("going", "broken")
    assert victim.store.own.size == 0


def any_frame(world: random.Random, villain: Villain) -> frames.Frame:
    number = world.choice([0, 1, 2, 3, 100, 2**53 - 1])
    note = world.choice([b"", b"x", villain.note(), villain.note(1), b"a\n1\n\n\xe2\x80\x94 a b\n"])
    entries = world.choice([[b"x"], [b""], [entry for entry, _ in villain.log.rows]])
    opening = frames.SentOpening(number, "text", world.randbytes(32), b"content")
    kinds: list[frames.Frame] = [
        frames.AskLast(),
        frames.Last(note),
        frames.Push(number, entries, [opening], note),
        villain.push(),
        frames.Cosigned(number, note),
        frames.Refused(world.choice(["gap", "over credit", "?"]), number, ""),
        frames.Fetch(number),
        frames.Refill(number, entries, [opening], world.random() < 0.5),
        frames.Evidence(note, note),
        frames.Signal("", "", b""),
    ]
    return world.choice(kinds)


@pytest.mark.parametrize("seed", range(6))
def test_frames_replayed_in_any_order_never_make_the_logs_differ(seed: int) -> None:
    pair = Pair(seed)
    pair.open()
    for number in range(30):
        pair.say(pair.sides[number % 2], f"{number}")
        pair.run(0.01)
        name, data = pair.random.choice(pair.carried)
        side = pair.borealis if name == pair.arcadia.name else pair.arcadia
        pair.send_raw(side, data)
        if any(event.close for event in side.misbehaviour()):
            side.events = [e for e in side.events if not isinstance(e, PeerMisbehaved)]
            pair.run(0.001)
            pair.connect()
    pair.connect()
    pair.run()
    for side in pair.sides:
        assert side.store.own.all_entries() == pair.other(side).store.theirs.all_entries()
    check_folds(pair)
