"""A paired peer against a whole node: rings, joins, hints and words without measure."""

import asyncio
import os
from pathlib import Path

import pytest

from hostile.peer import EVE, PAGE, TRUNK_KEY, HostilePeer, node_in, run
from telcon.core import draft as drafts
from telcon.core.seal import Media, Person, Text
from telcon.core.signals import HintSignal, TrunkSignal, format_signal
from telcon.node import calls
from telcon.node.assembly import _rings_here
from telcon.node.commands import Commands

CALL = "c" * 32


def test_ten_thousand_rings_ring_four_times_and_end_as_missed(tmp_path: Path) -> None:
    async def attack() -> None:
        async with node_in(tmp_path / "arcadia") as node:
            eve = await HostilePeer(tmp_path, node).pair(tmp_path)
            rung = [os.urandom(16).hex() for _ in range(1_000)]
            await eve.act(*(eve.ring(call, by=os.urandom(8).hex()) for call in rung))
            assert len(eve.victim.board.calls.running) <= calls.MAX_RUNNING
            assert 0 < len(_rings_here(eve.victim)) <= calls.MAX_RUNNING  # of these push is told
            await eve.until(lambda: [eve.phase(call) for call in rung].count("missed") > 990)
            shown = node.desk.snapshot(PAGE)
            assert shown["call"]["phase"] == "ringing"
            await eve.victim.board.acts.decline(shown["call"]["call"], "enough")

    run(attack())


def test_255_people_open_no_more_files_than_sixteen(tmp_path: Path) -> None:
    async def attack() -> None:
        async with node_in(tmp_path / "arcadia") as node:
            eve = await HostilePeer(tmp_path, node).pair(tmp_path)
            await eve.live_call(CALL)
            crowd = (
                drafts.join(
                    CALL,
                    f"{number:016x}",
                    role="interpreter",
                    track=number,
                    person=Person("en", "N" * 2_000, "", ""),
                    media=Media("00" * 32, "11" * 32, ""),
                )
                for number in range(2, 256)
            )
            await eve.act(*crowd)
            await eve.until(lambda: len(node.store.recordings(CALL)) == 1 + calls.MAX_SPEAKERS)
            shown = node.desk.snapshot(PAGE)["call"]
            assert shown["recorders"]["ours"]["on"]
            assert max(len(person["name"]) for person in shown["people"]) < 400

    run(attack())


def test_a_hint_without_an_entry_hushes_for_moments_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "HINT_HOLDS_S", 0.2)

    async def attack() -> None:
        async with node_in(tmp_path / "arcadia") as node:
            eve = await HostilePeer(tmp_path, node).pair(tmp_path)
            await eve.live_call(CALL)
            floor = eve.running(CALL).floor
            assert floor.gate.play
            eve.signal("hint", CALL, format_signal(HintSignal("hang-up", "e" * 16)))
            await eve.until(lambda: not floor.gate.play)
            await eve.until(lambda: bool(floor.gate.play))
            assert eve.phase(CALL) == "live"

    run(attack())


def test_hints_about_our_people_and_about_nobody_mean_nothing(tmp_path: Path) -> None:
    async def attack() -> None:
        async with node_in(tmp_path / "arcadia") as node:
            eve = await HostilePeer(tmp_path, node).pair(tmp_path)
            await eve.live_call(CALL)
            running = eve.running(CALL)
            own = running.seats[PAGE]
            for kind in ("mute", "hang-up", "leave", "cancel"):
                eve.signal("hint", CALL, format_signal(HintSignal(kind, own)))
            for number in range(1_000):
                eve.signal("hint", CALL, format_signal(HintSignal("mute", f"{number:016x}")))
            await eve.act(drafts.blank())
            assert running.muted == set()
            assert running.floor.gate.play

    run(attack())


def test_our_ring_under_its_own_id_from_the_other_side_fails_and_leaks_nothing(
    tmp_path: Path,
) -> None:
    async def attack() -> None:
        async with node_in(tmp_path / "arcadia") as node:
            eve = await HostilePeer(tmp_path, node).pair(tmp_path)
            before = eve.seen
            call = await eve.victim.board.acts.ring(PAGE, "audio", "ab" * 32, None)
            running = eve.running(call)
            eve.write(eve.ring(call), seen=before)  # as if it had not seen ours
            await eve.flush()
            assert eve.phase(call) == "failed"
            assert running.floor.is_cut

    run(attack())


def test_a_trunk_key_that_was_not_sealed_or_changes_is_not_used(tmp_path: Path) -> None:
    async def attack() -> None:
        async with node_in(tmp_path / "arcadia") as node:
            eve = await HostilePeer(tmp_path, node).pair(tmp_path)
            await eve.live_call(CALL)
            trunk = eve.running(CALL).floor._trunk
            eve.trunk(CALL, ("127.0.0.1", 9), key=bytes(44))
            await eve.act(drafts.blank())
            assert trunk.next_deadline() is None
            eve.trunk(CALL, ("127.0.0.1", 9))
            await eve.until(lambda: trunk.next_deadline() is not None)
            other = TrunkSignal(TRUNK_KEY, 1, [("127.0.0.1", 10)])
            eve.signal("trunk", CALL, format_signal(other))
            await eve.act(drafts.blank())
            assert trunk._peer is not None
            assert trunk._peer.prefix == 0xE0E0E0
            assert eve.is_open

    run(attack())


def test_absurd_clocks_neither_break_the_screen_nor_hide_the_true_history(tmp_path: Path) -> None:
    async def attack() -> None:
        async with node_in(tmp_path / "arcadia") as node:
            eve = await HostilePeer(tmp_path, node).pair(tmp_path)
            for number in range(60):
                call = f"{number:032x}"
                await eve.act(eve.ring(call, by=f"{number:016x}"), time_us=2**53 - 1 - number)
                index = eve.log.size - 1
                await eve.act(drafts.cancel(call, (eve.log.origin, index)), time_us=0)
            await eve.act(eve.ring(CALL), time_us=0)
            await eve.victim.board.acts.decline(CALL, None)
            await eve.until(lambda: eve.phase(CALL) == "declined")
            (history,) = node.desk.snapshot(PAGE)["history"].values()
            assert history[0]["call"] == CALL
            eve.cosign(time_s=2**63 - 1)
            eve.cosign(time_s=0)
            await eve.act(drafts.blank())
            assert eve.is_open

    run(attack())


def test_texts_of_all_sorts_reach_the_screen_as_text(tmp_path: Path) -> None:
    words = "\u202egnissim\u202c\u0000\u001b[2J\u009b" + "\U0001f4de" * 1_900

    async def attack() -> None:
        async with node_in(tmp_path / "arcadia") as node:
            eve = await HostilePeer(tmp_path, node).pair(tmp_path)
            await eve.act(drafts.message(EVE, EVE, Text("en", words)))
            entry, openings = eve.compose(drafts.message(EVE, EVE, Text("en", "x")))
            eve.write_bytes(entry, openings)
            await eve.flush()
            (messages,) = node.desk.snapshot(PAGE)["messages"].values()
            assert [message["text"] for message in messages] == [words, "x"]

    run(attack())


def test_a_flood_of_tests_does_not_keep_our_own_acts_from_being_written(tmp_path: Path) -> None:
    async def attack() -> None:
        async with node_in(tmp_path / "arcadia") as node:
            eve = await HostilePeer(tmp_path, node).pair(tmp_path)
            await eve.act(*(drafts.line_test() for _ in range(3_000)))
            async with asyncio.timeout(5):
                await eve.victim.board.acts.ring(PAGE, "audio", "ab" * 32, None)

    run(attack())


def test_a_peer_that_never_cosigns_is_not_talked_to_and_the_call_fails(tmp_path: Path) -> None:
    async def attack() -> None:
        async with node_in(tmp_path / "arcadia") as node:
            eve = await HostilePeer(tmp_path, node).pair(tmp_path)
            await eve.act(eve.ring(CALL))
            eve.cosigns = False
            await eve.victim.board.acts.answer(PAGE, CALL, "ab" * 32)
            assert not eve.running(CALL).floor.gate.send
            await eve.until(lambda: eve.phase(CALL) == "failed", limit_s=10)

    run(attack())


def test_terms_withdrawn_in_a_call_do_not_keep_our_principal_in_it(tmp_path: Path) -> None:
    """The peer states that it gives effect to nothing: hang-up, failure and freezing were void."""

    async def attack() -> None:
        async with node_in(tmp_path / "arcadia") as node:
            eve = await HostilePeer(tmp_path, node).pair(tmp_path)
            await eve.live_call(CALL)
            await eve.act(drafts.line_terms("end", []))
            await eve.victim.board.acts.hang_up(PAGE, CALL)
            assert eve.phase(CALL) == "ended"
            await Commands(node)._freeze({"peer": eve.name, "reason": "enough"}, lambda step: None)
            assert eve.victim.view()["frozen"]

    run(attack())
