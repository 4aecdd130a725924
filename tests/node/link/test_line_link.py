from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from fakes.wire import Wire
from node.link.rig import (
    ARCADIA,
    BOREALIS,
    LINE,
    QUICK,
    Handler,
    Node,
    fresh_line,
    run,
    two_nodes,
    until_tick,
)
from telcon.errors import KeyRefusedError, MisuseError, PinError
from telcon.node.link.dialling import dial
from telcon.node.link.line_link import LINK_PATH, LineLink
from telcon.node.link.times import LinkTimes
from telcon.node.link.tls import dialling_context, load_or_make_certificate


def test_one_side_dials_and_frames_go_both_ways(tmp_path: Path) -> None:
    async def test() -> None:
        ours, theirs = Handler(), Handler(echo=True)
        async with two_nodes(tmp_path) as (arcadia, borealis):
            borealis.add(arcadia, theirs)
            arcadia.add(borealis, ours, borealis.server.port)
            await ours.until_up()
            ours.send(b"one")
            ours.send(b"two" * 20_000)
            await ours.until(lambda: len(ours.frames) == 2)
        assert ours.frames == theirs.frames == [b"one", b"two" * 20_000]
        assert ours.story == theirs.story == ["up", "down"]
        assert arcadia.failed == borealis.failed == []
        assert arcadia.refused == borealis.refused == []

    run(test())


def test_frames_sent_within_link_up_arrive_in_order(tmp_path: Path) -> None:
    class Greeting(Handler):
        def link_up(self, send, close) -> None:  # type: ignore[no-untyped-def]
            super().link_up(send, close)
            for number in range(100):
                send(bytes([number]))

    async def test() -> None:
        ours, theirs = Greeting(), Greeting()
        async with two_nodes(tmp_path) as (arcadia, borealis):
            borealis.add(arcadia, theirs)
            arcadia.add(borealis, ours, borealis.server.port)
            await ours.until(lambda: len(ours.frames) == 100)
            await theirs.until(lambda: len(theirs.frames) == 100)
        assert ours.frames == theirs.frames == [bytes([number]) for number in range(100)]

    run(test())


@pytest.mark.parametrize("seed", range(8))
def test_both_dial_at_once_and_one_connection_stays(tmp_path: Path, seed: int) -> None:
    async def test() -> None:
        ours, theirs = Handler(), Handler(echo=True)
        async with two_nodes(tmp_path) as (arcadia, borealis):
            links = [
                arcadia.add(borealis, ours, borealis.server.port),
                borealis.add(arcadia, theirs, arcadia.server.port),
            ][:: 1 if seed % 2 else -1]
            await settled(ours, theirs)
            stories = [link.statistics().dialled_by for link in links]
            assert stories[0] == stories[1]
            assert stories[0] is not None
            assert arcadia.failed == borealis.failed == []
        assert arcadia.refused == borealis.refused == []

    run(test())


async def settled(ours: Handler, theirs: Handler) -> None:
    """Return once an echo came back on a connection that stayed up from asking to answer."""
    await ours.until_up()
    await theirs.until_up()
    while not ours.frames:
        times = len(ours.story)
        ours.send(b"are you there")
        await ours.until(partial(answered_or_replaced, ours, times))


def answered_or_replaced(handler: Handler, times: int) -> bool:
    return bool(handler.frames) or (handler.is_up and len(handler.story) != times)


def test_the_connection_dialled_by_the_first_name_takes_over(tmp_path: Path) -> None:
    async def test() -> None:
        ours, theirs = Handler(), Handler()
        async with two_nodes(tmp_path) as (arcadia, borealis):
            link = arcadia.add(borealis, ours)
            other = borealis.add(arcadia, theirs, arcadia.server.port)
            await ours.until_up()
            assert link.statistics().dialled_by == BOREALIS
            await dial(
                f"127.0.0.1:{borealis.server.port}",
                link,
                dialling_context(arcadia.certificate, borealis.certificate.der),
                node=BOREALIS,
                path=LINK_PATH + LINE,
                times=QUICK,
            )
            await theirs.until(lambda: len(theirs.story) == 3)
            assert link.statistics().dialled_by == other.statistics().dialled_by == ARCADIA
            ours.send(b"on the new one")
            await theirs.until(lambda: theirs.frames)
        assert ours.story == theirs.story == ["up", "down", "up", "down"]
        assert "another connection" in ours.reasons[0]
        assert theirs.frames == [b"on the new one"]

    run(test())


def test_a_second_connection_that_would_not_stay_is_answered_409(tmp_path: Path) -> None:
    async def test() -> None:
        ours, theirs = Handler(), Handler()
        async with two_nodes(tmp_path) as (arcadia, borealis):
            other = borealis.add(arcadia, theirs)
            arcadia.add(borealis, ours, borealis.server.port)
            await theirs.until_up()
            assert not await other._dial(f"127.0.0.1:{borealis.server.port}")  # not arcadia
            assert await other._dial(f"127.0.0.1:{arcadia.server.port}")
        assert ours.story == theirs.story == ["up", "down"]
        assert arcadia.refused == []

    run(test())


def test_a_cut_connection_is_dialled_anew(tmp_path: Path) -> None:
    async def test() -> None:
        ours, theirs, wire = Handler(), Handler(), Wire()
        async with two_nodes(tmp_path) as (arcadia, borealis):
            await wire.start(borealis.server.port)
            borealis.add(arcadia, theirs)
            link = arcadia.add(borealis, ours, wire.port)
            for times in range(1, 4):
                await ours.until_up()
                await theirs.until_up()
                wire.cut()
                await ours.until_down(times)
                await theirs.until_down(times)
            await ours.until_up()
            assert link.statistics().times_up == 4
            await wire.close()
        assert wire.accepted >= 4

    run(test())


def test_a_network_that_went_silent_takes_the_link_down_on_both_sides(tmp_path: Path) -> None:
    times = LinkTimes(ping_s=0.1, silence_s=0.4, linger_s=0.1, first_backoff_s=5)

    async def test() -> None:
        ours, theirs, wire = Handler(), Handler(), Wire()
        async with two_nodes(tmp_path, times) as (arcadia, borealis):
            await wire.start(borealis.server.port)
            borealis.add(arcadia, theirs)
            arcadia.add(borealis, ours, wire.port)
            await ours.until_up()
            await theirs.until_up()
            wire.block()
            await ours.until(lambda: not ours.is_up)
            await theirs.until(lambda: not theirs.is_up)
            await wire.close()
        assert "nothing heard" in ours.reasons[0]
        assert "nothing heard" in theirs.reasons[0]

    run(test())


def test_an_idle_link_is_heard_by_its_pings(tmp_path: Path) -> None:
    async def test() -> None:
        ours, theirs = Handler(), Handler()
        async with two_nodes(tmp_path, LinkTimes(ping_s=0.02)) as (arcadia, borealis):
            borealis.add(arcadia, theirs)
            link = arcadia.add(borealis, ours, borealis.server.port)
            await ours.until_up()
            for _ in range(4):
                await until_tick(partial(is_heard_since, link, last_heard(link)))
        assert ours.frames == theirs.frames == []
        assert ours.story == theirs.story == ["up", "down"]

    run(test())


def is_heard_since(link: LineLink, before: float) -> bool:
    return last_heard(link) > before


def last_heard(link: LineLink) -> float:
    assert link._current is not None
    return link._current._heard_at


def test_a_peer_that_dials_again_has_the_dead_connection_doubted(tmp_path: Path) -> None:
    times = LinkTimes(probe_s=0.05, linger_s=0.1, first_backoff_s=0.01)

    async def test() -> None:
        ours, theirs, wire = Handler(), Handler(), Wire()
        async with two_nodes(tmp_path, times) as (arcadia, borealis):
            await wire.start(borealis.server.port)
            other = borealis.add(arcadia, theirs)
            arcadia.add(borealis, ours, wire.port)
            await theirs.until_up()
            await ours.until_up()
            wire.block()
            theirs.close("lost, as far as this side knows")  # arcadia never hears of it
            await theirs.until(lambda: not theirs.is_up)
            await other._dial(f"127.0.0.1:{arcadia.server.port}")
            await ours.until(lambda: not ours.is_up)
            await wire.close()
        assert "did not answer" in ours.reasons[0]

    run(test())


def test_addresses_are_tried_in_turn_and_the_one_that_works_is_kept(tmp_path: Path) -> None:
    async def test() -> None:
        ours, theirs, wire = Handler(), Handler(), Wire()
        async with two_nodes(tmp_path) as (arcadia, borealis):
            await wire.start(borealis.server.port)
            borealis.add(arcadia, theirs)
            arcadia.add(borealis, ours, closed_port(), closed_port(), wire.port)
            await ours.until_up()
            assert len(arcadia.failed) == 2
            wire.cut()
            await ours.until(lambda: ours.story.count("up") == 2)
            assert len(arcadia.failed) == 2
            await wire.close()
        assert "cannot be reached" in str(arcadia.failed[0])
        assert "firewall" in arcadia.failed[0].advice()

    run(test())


def closed_port() -> int:
    """A port of loopback where nothing listens: bound once, let go."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_same_failure_is_told_once(tmp_path: Path) -> None:
    async def test() -> None:
        ours = Handler()
        async with two_nodes(tmp_path) as (arcadia, borealis):
            link = arcadia.add(borealis, ours, closed_port())
            await until_tick(lambda: link.statistics().failed_dials >= 5)
        assert len(arcadia.failed) == 1
        assert list(link.statistics().failures.values()) == [str(arcadia.failed[0])]

    run(test())


def test_an_unknown_key_is_refused_and_both_sides_say_so(tmp_path: Path) -> None:
    async def test() -> None:
        async with two_nodes(tmp_path) as (arcadia, borealis):
            arcadia.add(borealis, Handler(), borealis.server.port)  # borealis knows no line
            await arcadia.until(lambda: arcadia.failed)
            await borealis.until(lambda: borealis.refused)
        error = arcadia.failed[0]
        assert isinstance(error.__cause__, KeyRefusedError)
        assert "refused our key" in str(error)
        assert f"operator of {BOREALIS}" in error.advice()
        reason, fingerprint, address = borealis.refused[0]
        assert (reason, fingerprint) == ("the certificate shown is not a pinned one", None)
        assert address.startswith("127.0.0.1:")

    run(test())


def test_a_listener_with_another_certificate_is_not_believed(tmp_path: Path) -> None:
    async def test() -> None:
        other = load_or_make_certificate(tmp_path / "other", BOREALIS)
        ours, theirs = Handler(), Handler()
        async with two_nodes(tmp_path) as (arcadia, borealis):
            borealis.add(arcadia, theirs)
            arcadia.add(borealis, ours, borealis.server.port, der=other.der)
            await arcadia.until(lambda: arcadia.failed)
        assert isinstance(arcadia.failed[0].__cause__, PinError)
        assert "over another channel" in arcadia.failed[0].advice()
        assert ours.story == theirs.story == []

    run(test())


def test_a_known_peer_is_let_in_to_its_own_line_alone(tmp_path: Path) -> None:
    async def test() -> None:
        async with two_nodes(tmp_path) as (arcadia, borealis):
            cordova = Node(tmp_path / "c", "cordova.example")
            theirs = Handler()
            borealis.add(arcadia, theirs)
            borealis.add(cordova, Handler(), line=fresh_line())
            cordova.add(borealis, Handler(), borealis.server.port)  # asks for arcadia's line
            await cordova.until(lambda: cordova.failed)
            await borealis.until(lambda: borealis.refused)
            await cordova.server.close()
        assert "404" in str(cordova.failed[0])
        assert borealis.refused[0][1] == cordova.certificate.hash
        assert theirs.story == []

    run(test())


def test_two_lines_between_the_same_nodes_do_not_mix(tmp_path: Path) -> None:
    async def test() -> None:
        handlers = {line: (Handler(), Handler()) for line in (fresh_line(), fresh_line())}
        async with two_nodes(tmp_path) as (arcadia, borealis):
            for line, (ours, theirs) in handlers.items():
                borealis.add(arcadia, theirs, line=line)
                arcadia.add(borealis, ours, borealis.server.port, line=line)
            for line, (ours, theirs) in handlers.items():
                await ours.until_up()
                ours.send(line.encode())
                await theirs.until_frames(1)
        for line, (_, theirs) in handlers.items():
            assert theirs.frames == [line.encode()]

    run(test())


def test_a_frame_that_the_user_objects_to_closes_the_connection(tmp_path: Path) -> None:
    async def test() -> None:
        ours, theirs = Handler(), Handler()
        async with two_nodes(tmp_path) as (arcadia, borealis):
            borealis.add(arcadia, theirs)
            arcadia.add(borealis, ours, borealis.server.port)
            await ours.until_up()
            for frame in (b"good", b"bad", b"late"):
                ours.send(frame)
            await theirs.until(lambda: theirs.reasons)
            await ours.until(lambda: ours.reasons)
        assert theirs.frames == [b"good"]
        assert theirs.reasons[0] == "not a frame"
        assert ours.reasons[0] == "the other side closed: not a frame"

    run(test())


def test_closing_with_words_tells_the_other_side_and_dials_anew(tmp_path: Path) -> None:
    async def test() -> None:
        ours, theirs = Handler(), Handler()
        async with two_nodes(tmp_path) as (arcadia, borealis):
            borealis.add(arcadia, theirs)
            arcadia.add(borealis, ours, borealis.server.port)
            await ours.until_up()
            ours.close("é" * 200)
            assert ours.story == ["up"]  # never from within
            ours.send(b"into the void")
            await ours.until(lambda: ours.story == ["up", "down", "up"])
            await theirs.until(lambda: theirs.reasons)
        assert theirs.reasons[0] == "the other side closed: " + "é" * 61
        assert theirs.frames == []

    run(test())


def test_a_frame_over_the_limit_is_not_sent(tmp_path: Path) -> None:
    async def test() -> None:
        ours, theirs = Handler(), Handler()
        async with two_nodes(tmp_path) as (arcadia, borealis):
            borealis.add(arcadia, theirs)
            arcadia.add(borealis, ours, borealis.server.port)
            await ours.until_up()
            with pytest.raises(MisuseError):
                ours.send(bytes(65_537))
            ours.send(bytes(65_536))
            await theirs.until(lambda: theirs.frames)
        assert theirs.frames == [bytes(65_536)]

    run(test())


def test_a_peer_that_reads_nothing_is_cut_off(tmp_path: Path) -> None:
    async def test() -> None:
        ours, theirs, wire = Handler(), Handler(), Wire()
        async with two_nodes(tmp_path) as (arcadia, borealis):
            await wire.start(borealis.server.port)
            borealis.add(arcadia, theirs)
            arcadia.add(borealis, ours, wire.port)
            await ours.until_up()
            wire.block()
            for _ in range(400):  # 25 MiB
                ours.send(bytes(65_536))
            await ours.until(lambda: ours.reasons)
            await wire.close()
        assert "reads nothing" in ours.reasons[0]

    run(test())


def test_a_removed_line_lets_its_peer_in_no_more(tmp_path: Path) -> None:
    async def test() -> None:
        ours, theirs = Handler(), Handler()
        async with two_nodes(tmp_path) as (arcadia, borealis):
            borealis.add(arcadia, theirs)
            arcadia.add(borealis, ours, borealis.server.port)
            await ours.until_up()
            await theirs.until_up()
            await borealis.server.remove_line(LINE)
            await arcadia.until(lambda: arcadia.failed)
            await borealis.server.remove_line(LINE)
        assert "refused our key" in str(arcadia.failed[0])
        assert ours.reasons == ["the other side closed: this line is closed"]
        assert theirs.story == ["up", "down"]

    run(test())


def test_a_line_has_one_link(tmp_path: Path) -> None:
    async def test() -> None:
        async with two_nodes(tmp_path) as (arcadia, borealis):
            arcadia.add(borealis, Handler())
            with pytest.raises(MisuseError):
                arcadia.add(borealis, Handler())

    run(test())


def test_closing_while_dialling_leaves_nothing_behind(tmp_path: Path) -> None:
    async def test() -> None:
        wire = Wire()
        async with two_nodes(tmp_path) as (arcadia, borealis):
            await wire.start(borealis.server.port)
            wire.block()
            borealis.add(arcadia, Handler())
            arcadia.add(borealis, Handler(), wire.port)
            await until_tick(lambda: wire.accepted)
        await wire.close()

    run(test())


def test_pauses_grow_when_a_peer_that_was_well_stays_away(tmp_path: Path) -> None:
    async def test() -> None:
        ours, theirs, wire = Handler(), Handler(), Wire()
        async with two_nodes(tmp_path, replace(QUICK, ping_s=0.01)) as (arcadia, borealis):
            await wire.start(borealis.server.port)
            borealis.add(arcadia, theirs)
            link = arcadia.add(borealis, ours, wire.port)
            await ours.until_up()
            await wire.close()
            await ours.until_down(1)
            await until_tick(lambda: link.statistics().failed_dials >= 4)
            assert link._backoff._bound_s == QUICK.longest_backoff_s

    run(test())


def test_closing_words_reach_no_screen_with_their_control_characters(tmp_path: Path) -> None:
    async def test() -> None:
        ours, theirs = Handler(), Handler()
        async with two_nodes(tmp_path) as (arcadia, borealis):
            borealis.add(arcadia, theirs)
            arcadia.add(borealis, ours, borealis.server.port)
            await ours.until_up()
            ours.close("so\x1b[2J\u202e long")
            await theirs.until(lambda: theirs.reasons)
        assert theirs.reasons[0] == "the other side closed: so[2J long"

    run(test())
