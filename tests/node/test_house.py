"""The house log on a disk: acts, hours by a clock, restarts, kills, a full disk, an old backup."""

import asyncio
import shutil
from pathlib import Path

import pytest

from fakes.disk import start
from fakes.house_processes import HouseClock, opened
from telcon.core.house import HOUR_US, STEP, HouseOpened, parse_house_entry_untrusted
from telcon.core.house_log import LEFT_OUT, MAX_WAITING
from telcon.errors import StorageError
from telcon.ledger import open_checkpoint, root_at
from telcon.node.audit import AuditEvent
from telcon.node.house import BURST, HOUSE_ACTS, House
from telcon.node.house_acts import Act, acts_of
from telcon.node.store import Store, StoreReader
from telcon.node.store.engine import DATABASE

PROCESSES = "fakes.house_processes"

FILE_ALONE = {
    AuditEvent.NODE_SECOND,
    AuditEvent.PORT_IN_USE,
    AuditEvent.NOT_STARTED,
    AuditEvent.OUT_OF_FILES,
    AuditEvent.STORAGE_REFUSED,
    AuditEvent.WRONG_ORIGIN,
    AuditEvent.WRONG_HOST,
    AuditEvent.MICROPHONE_REFUSED,
    AuditEvent.PUSH_FAILED,
    AuditEvent.PEER_SLOWED,
    AuditEvent.WITNESS_FAILED,
    AuditEvent.ACT_REFUSED,
    AuditEvent.RECORD_NOT_AGREED,
    AuditEvent.RECORD_UNREADABLE,
    AuditEvent.OPENING_UNREADABLE,
    AuditEvent.WRONG_ICE_PASSWORD,
    AuditEvent.UNKNOWN_ICE_USER,
    AuditEvent.EVENTS_DROPPED,
}
"""What nobody has to answer for."""


def acts(store: StoreReader) -> list[Act]:
    """Return all acts, the oldest first."""
    return list(acts_of(store))[::-1]


def calls(store: StoreReader) -> list[object]:
    return [act.details["call"] for act in acts(store) if act.act == AuditEvent.EXPORT_MADE]


def reopened(folder: Path) -> StoreReader:
    return Store.open_read_only(folder)


def signed_size(house: House) -> int:
    return house.log.signed.size if house.log.signed else 0


def test_every_event_is_an_act_or_stays_in_the_file() -> None:
    assert not FILE_ALONE & HOUSE_ACTS.keys()
    assert FILE_ALONE | HOUSE_ACTS.keys() == set(AuditEvent)


def test_an_act_is_read_back_with_who_did_it_and_what_it_was_about(tmp_path: Path) -> None:
    async def main() -> None:
        clock = HouseClock()
        async with opened(tmp_path, clock) as (house, store):
            house.append(AuditEvent.SIGNED_IN, principal="Adrian Rey", client="192.0.2.1")
            house.append(AuditEvent.SIGNED_OUT, client="192.0.2.1")
            house.append(AuditEvent.SIGNED_OUT, sessions=2)
            house.append(AuditEvent.WRONG_HOST, host="evil.example", client="192.0.2.2")
            await house.flush()
            assert [(act.index, act.by, act.act, act.details) for act in acts(store)] == [
                (
                    1,
                    "principal",
                    "audit.web.signed-in",
                    {"principal": "Adrian Rey", "client": "192.0.2.1"},
                ),
                (2, "principal", "audit.web.signed-out", {"client": "192.0.2.1"}),
                (3, "operator", "audit.web.signed-out", {"sessions": 2}),
            ]
            assert [act.index for act in acts_of(store, (AuditEvent.SIGNED_OUT,))] == [3, 2]

    asyncio.run(main())


def test_acts_of_one_turn_share_a_commit_and_nobody_waits(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path, HouseClock()) as (house, store):
            await house.flush()
            before = store.statistics().transactions
            for number in range(100):
                house.append(AuditEvent.EXPORT_MADE, call=str(number))
            assert store.statistics().transactions == before
            await house.flush()
            assert store.statistics().transactions == before + 1
            assert calls(store) == [str(number) for number in range(100)]

    asyncio.run(main())


def test_hours_grow_by_the_same_and_a_restart_continues(tmp_path: Path) -> None:
    clock = HouseClock()
    origins, sizes = set(), []

    async def run(done: int, hours: int) -> None:
        async with opened(tmp_path, clock) as (house, store):
            for _ in range(hours):
                for number in range(done):
                    house.append(AuditEvent.EXPORT_MADE, call=str(number))
                house.look()  # not an hour
                clock.hour(house)
                await house.flush()
                sizes.append(signed_size(house))
            origins.add(house.log.origin)
            signed = house.log.signed
            assert signed is not None
            held = store.stored_house(store.house_logs()[-1])
            assert root_at(signed.size, held.hash) == signed.root
            assert open_checkpoint(house.log.signed_note(signed.size), house.log.vkey) == signed

    for done in (0, 3, 60):
        asyncio.run(run(done, 2))
    assert sizes == [STEP * hour for hour in range(1, 7)]
    assert len(origins) == 1
    asyncio.run(run(STEP + 1, 1))
    assert sizes[-1] == 8 * STEP


def test_what_was_written_before_a_restart_in_an_hour_is_padded_with_it(tmp_path: Path) -> None:
    clock = HouseClock()

    async def run(*, is_hour: bool) -> int:
        async with opened(tmp_path, clock) as (house, _):
            house.append(AuditEvent.EXPORT_MADE, call="x")
            if is_hour:
                clock.hour(house)
            await house.flush()
            return signed_size(house)

    assert [asyncio.run(run(is_hour=hour)) for hour in (False, False, True)] == [0, 0, STEP]


def test_a_clock_that_was_a_year_ahead_costs_one_hour(tmp_path: Path) -> None:
    async def main() -> None:
        clock = HouseClock()
        async with opened(tmp_path, clock) as (house, _):
            clock.now_us += 365 * 24 * HOUR_US
            house.look()
            clock.now_us -= 365 * 24 * HOUR_US
            house.look()
            await house.flush()
            assert signed_size(house) == STEP
            clock.hour(house)
            await house.flush()
            assert signed_size(house) == 2 * STEP

    asyncio.run(main())


def test_a_flood_is_counted_and_the_count_comes_with_the_hour(tmp_path: Path) -> None:
    async def main() -> None:
        clock = HouseClock()
        async with opened(tmp_path, clock) as (house, store):
            for number in range(BURST + 100):
                house.append(AuditEvent.UNKNOWN_PEER_KEY, address=f"192.0.2.{number}")
            clock.hour(house)
            await house.flush()
            assert signed_size(house) == STEP
            found = acts(store)
            assert len(found) == BURST + 1
            assert found[-1].details == {"left_out": 100}

    asyncio.run(main())


# -- crashes


@pytest.mark.process
def test_killed_between_commit_and_marker_it_goes_on(tmp_path: Path) -> None:
    process = start(PROCESSES, "die-at-the-marker", str(tmp_path))
    said, _ = process.communicate(timeout=60)
    assert (said.strip(), process.returncode) == (f"signed {STEP}", -9)

    async def main() -> None:
        clock = HouseClock()
        async with opened(tmp_path, clock) as (house, store):
            assert house.log.ended == ""
            assert (signed_size(house), house.log.size) == (STEP, 2 * STEP)
            assert calls(store) == ["before the end"]
            clock.hour(house)
            await house.flush()
            assert signed_size(house) == 2 * STEP

    asyncio.run(main())


@pytest.mark.process
@pytest.mark.parametrize("lines", [1, 14])
def test_killed_anywhere_it_has_all_that_was_durable_and_signs_one_history(
    tmp_path: Path, lines: int
) -> None:
    process = start(PROCESSES, "act-for-ever", str(tmp_path))
    assert process.stdout is not None
    for _ in range(lines):
        turn, signed = map(int, process.stdout.readline().split())
    process.kill()
    process.communicate()

    async def main() -> None:
        async with opened(tmp_path, HouseClock()) as (house, store):
            assert house.log.ended == ""
            assert signed_size(house) >= signed
            assert calls(store)[: turn + 1] == [str(number) for number in range(turn + 1)]
            held = store.stored_house(store.house_logs()[-1])
            for data in held.entries(0, 10_000_000):
                parse_house_entry_untrusted(data)

    asyncio.run(main())


@pytest.mark.process
def test_a_full_disk_holds_nobody_up_and_what_it_costs_is_counted(tmp_path: Path) -> None:
    process = start(PROCESSES, "fill-disk", str(tmp_path))
    said, _ = process.communicate(timeout=60)
    refused, waiting, went_on = said.splitlines()
    assert process.returncode == 0
    assert (refused, waiting) == ("refused True", f"waiting {MAX_WAITING}")
    done = int(went_on.split()[2])
    with reopened(tmp_path) as store:
        found = acts(store)
        (lost,) = [act.details["count"] for act in found if act.act == LEFT_OUT]
        assert calls(store)[-1] == "at last"
        assert len(calls(store)) + int(str(lost)) == done + 1
        assert calls(store)[: done - int(str(lost))] == [
            str(n) for n in range(done - int(str(lost)))
        ]


def test_a_marker_that_cannot_be_written_stops_signing_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = HouseClock()

    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    async def main() -> None:
        async with opened(tmp_path, clock) as (house, store):
            clock.hour(house)
            await house.flush()
            with monkeypatch.context() as patch:
                patch.setattr("telcon.node.store.marker.os.pwrite", refuse)
                clock.hour(house)
                with pytest.raises(StorageError, match="marker"):
                    await house.flush()
            house.append(AuditEvent.EXPORT_MADE, call="after")
            clock.hour(house)
            await house.flush()
            assert signed_size(house) == STEP
            assert calls(store) == ["after"]
        async with opened(tmp_path, clock) as (house, _):
            clock.hour(house)
            await house.flush()
            assert signed_size(house) == 3 * STEP

    asyncio.run(main())


def test_nobody_waits_for_ever_where_what_hears_of_a_checkpoint_fails(tmp_path: Path) -> None:
    async def main() -> None:
        clock, failed = HouseClock(), []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context))
        async with opened(tmp_path, clock) as (house, _):
            house.moved = lambda: 1 / 0  # type: ignore[assignment]
            clock.hour(house)
            async with asyncio.timeout(20):
                await house.flush()
            assert signed_size(house) == STEP
        assert len(failed) == 1

    asyncio.run(main())


# -- backups


def backup(folder: Path, to: Path) -> None:
    """Copy what a backup holds: all but never-restore."""
    shutil.copytree(folder, to, ignore=shutil.ignore_patterns("never-restore"))


def test_restored_from_an_old_backup_it_begins_a_new_log_that_names_the_old(
    tmp_path: Path,
) -> None:
    folder, clock = tmp_path / "node", HouseClock()
    told: list[tuple[str, dict[str, object]]] = []

    async def run(call: str) -> str:
        async with opened(folder, clock, told) as (house, _):
            house.append(AuditEvent.EXPORT_MADE, call=call)
            clock.hour(house)
            await house.flush()
            return house.log.origin

    first = asyncio.run(run("first"))
    backup(folder, tmp_path / "backup")
    assert asyncio.run(run("second")) == first
    for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"):
        (folder / name).unlink(missing_ok=True)
    shutil.copytree(tmp_path / "backup", folder, dirs_exist_ok=True)
    assert told == []
    second = asyncio.run(run("third"))
    assert second != first
    ((event, fields),) = told
    assert (event, fields["origin"]) == (AuditEvent.HOUSE_ENDED, first)
    with reopened(folder) as store:
        old, new = store.house_logs()
        assert (old.origin, old.ended, new.ended) == (first, fields["reason"], None)
        opening = parse_house_entry_untrusted(store.stored_house(new).entries(0, 1)[0])
        assert isinstance(opening, HouseOpened)
        assert opening.previous is not None
        assert opening.previous[:2] == (first, 2 * STEP)
        assert calls(store) == ["first", "third"]
    assert asyncio.run(run("fourth")) == second


def test_without_its_marker_it_begins_a_new_log(tmp_path: Path) -> None:
    async def run() -> str:
        async with opened(tmp_path, HouseClock()) as (house, _):
            await house.flush()
            return house.log.origin

    first = asyncio.run(run())
    (marker,) = (tmp_path / "never-restore").glob("marker-house-*")
    marker.unlink()
    assert asyncio.run(run()) != first


def test_a_witness_that_shows_more_makes_a_running_node_begin_a_new_log(tmp_path: Path) -> None:
    folder, clock = tmp_path / "node", HouseClock()

    async def sign(place: Path) -> bytes:
        async with opened(place, clock) as (house, _):
            clock.hour(house)
            await house.flush()
            return house.log.signed_note(signed_size(house))

    asyncio.run(sign(folder))
    picture = tmp_path / "picture"  # of the whole machine, marker and all
    shutil.copytree(folder, picture, ignore=shutil.ignore_patterns("lock"))
    newest = asyncio.run(sign(folder))

    async def main() -> None:
        told: list[tuple[str, dict[str, object]]] = []
        async with opened(picture, clock, told) as (house, _):
            first = house.log.origin
            assert house.learn(newest) == 2 * STEP
            assert house.log.signed is None
            assert house._renewing is not None
            await house._renewing
            assert house.log.origin != first
            house.append(AuditEvent.EXPORT_MADE, call="in the new one")
            clock.hour(house)
            await house.flush()
            assert signed_size(house) == STEP
            assert told[0][0] == AuditEvent.HOUSE_ENDED

    asyncio.run(main())
