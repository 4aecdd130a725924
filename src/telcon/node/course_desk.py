"""The course of one call as its principal sees it: facts with names, people, recorders, gaps."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from msgspec import UnsetType

from telcon.core.call import CallState
from telcon.core.entry import (
    CallAnswer,
    CallJoin,
    CallLeave,
    CallMode,
    CallRing,
    CallRinging,
    RecordAgreed,
    RecordChunk,
    RecordDestroyed,
    RecordGap,
    RecordHeld,
    RecordOff,
    RecordOn,
    RecordSealed,
    entry_type,
)
from telcon.node.call_desk import CallDesk, View, person_view, record_word, short
from telcon.node.contents import Contents
from telcon.node.course import Course, Fact, read_course
from telcon.node.house_acts import readings
from telcon.node.interrupted import INTERRUPTED
from telcon.node.line import Line, now

__all__ = ["course_view"]

SHOWN_WHOLE = 1_000_000  # characters of messages, all together; a page has room for so many
SHOWN_TEXT = 200  # characters of each message after these
HEARD_LATE_PACKETS = 10  # in a row: 200 ms that were not heard when they were said
PACKET_MS = 20  # of the packets that every browser sends
TOLD_AT_ONCE = 50  # facts between two turns of the loop; each may read the store


async def course_view(
    line: Line, calls: CallDesk, contents: Contents, folder: Path, call: str
) -> View:
    """Return the course of `call`, which is of `line`.

    Raises:
        StorageError: the database or the disk refused.
    """
    fold = line.machine.fold
    state = fold.calls[call]
    own, peer = line.identity.own_card.log.name, line.identity.peer_card.log.name
    mirror = line.identity.peer_card.mirror
    now_us = now().utc_us
    course = await asyncio.to_thread(
        read_course, folder, own, peer, mirror, state, now_us, has_effect=fold.has_effect
    )
    read = await asyncio.to_thread(readings, folder, call)
    teller = _Teller(line, contents, state)
    facts = await teller.facts(course)
    ended = calls.ended(state)
    return {
        "call": call,
        "line": line.identity.line,
        "phase": str(state.phase),
        "side": calls.rung_by(state),
        "mode": state.mode,
        "by": ended["by"],
        "reason": ended["reason"],
        "rung_us": state.rung_us,
        "moved_us": course.moved_us,
        "from_us": course.facts[0].time_us if course.facts else state.rung_us,
        "to_us": _end_us(course) if course.facts else state.rung_us,
        "facts": facts,
        "people": list(teller.people(course)),
        "recorders": list(teller.recorders(course)),
        "unsigned": [list(span) for span in course.unsigned],
        "record": _record_view(state, own, peer),
        "readings": [{"at_us": one.time_us, "act": one.act, "by": one.by} for one in read],
    }


def _end_us(course: Course) -> int:
    """Return when the last of it was: what becomes of the record comes days later, or years."""
    later = RecordAgreed | RecordSealed | RecordDestroyed
    in_time = [fact for fact in course.facts if not isinstance(fact.entry, later)]
    return (in_time or course.facts)[-1].time_us


def _record_view(state: CallState, own: str, peer: str) -> View:
    """Return how far the record is agreed, and what each side lacks of it or has otherwise."""
    sides = {"ours": state.held.get(own), "theirs": state.held.get(peer)}
    return {
        "state": record_word(state),
        "absent": {side: held.absent for side, held in sides.items() if held},
        "differing": {side: held.differing for side, held in sides.items() if held},
    }


def _unheard_ms(entry: RecordHeld) -> int:
    """Return how much of a chunk came by repair in pieces so long that somebody missed words."""
    runs = [count for _, _, repaired, *_ in entry.tracks for _, count in repaired]
    return sum(count for count in runs if count > HEARD_LATE_PACKETS) * PACKET_MS


def _times(facts: Iterable[Fact]) -> Iterable[tuple[int, int | None]]:
    """Return when one side recorded anything; None: nobody said that it ended."""
    on: set[tuple[str, int]] = set()
    begin = 0
    for fact in facts:
        if isinstance(fact.entry, RecordOn):
            begin = begin if on else fact.time_us
            on.add(fact.entry.track)
        elif isinstance(fact.entry, RecordOff) and on:
            on.discard(fact.entry.track)
            if not on:
                yield begin, fact.time_us
    if on:
        yield begin, None


class _Teller:
    """Turns entries of one call into what a page shows."""

    def __init__(self, line: Line, contents: Contents, state: CallState) -> None:
        self._machine = line.machine
        self._own = line.identity.own_card.log.name
        self._contents = contents
        self._late = {(one.origin, one.index): str(one.why) for one in state.late}
        self._room = SHOWN_WHOLE
        self._stopped: set[str] = set()  # the sides whose recorder has stopped, so far
        self._names: dict[tuple[str, str], str] = {}

    async def facts(self, course: Course) -> list[View]:
        """Return all facts but chunks and what of them was held as it should be.

        Thousands of messages let sound go on in between.
        """
        found = []
        for fact in course.facts:
            entry = fact.entry
            told = not isinstance(entry, RecordChunk | RecordHeld)
            if told or (isinstance(entry, RecordHeld) and _unheard_ms(entry)):
                found.append(self._fact(fact))
                if len(found) % TOLD_AT_ONCE == 0:
                    await asyncio.sleep(0)
        return found

    def _fact(self, fact: Fact) -> View:
        """Return one fact with who did it and, where there is one, its detail."""
        side = self._side(fact)
        place = (fact.origin, fact.index)
        signed = side == "theirs" or fact.index < self._machine.cosigned_by_peer
        kind, detail = entry_type(fact.entry), self._detail(fact)
        is_cut = kind == "message" and self._room < 0 and len(detail) > SHOWN_TEXT
        return {
            "place": f"{fact.origin}#{fact.index}",
            "side": side,
            "kind": kind,
            "at_us": fact.time_us,
            "stated_us": fact.entry.time,
            "who": self._who(fact),
            "detail": detail,
            "cut": is_cut,
            "stops_recorder": self._stops_recorder(fact),
            "signed": signed,
            "late": self._late.get(place),
        }

    def people(self, course: Course) -> Iterable[View]:
        """Return who was on the call, from when to when; None: until it ended."""
        open_seats: dict[tuple[str, str], View] = {}
        for fact in course.facts:
            entry = fact.entry
            if isinstance(entry, CallRing | CallAnswer | CallJoin):
                seat = {
                    "side": self._side(fact),
                    "name": self._who(fact),
                    "from_us": fact.time_us,
                    "to_us": None,
                }
                open_seats[fact.origin, entry.by] = seat
                yield seat
            elif isinstance(entry, CallLeave) and (fact.origin, entry.by) in open_seats:
                open_seats.pop((fact.origin, entry.by))["to_us"] = fact.time_us

    def recorders(self, course: Course) -> Iterable[View]:
        """Return when each side's node recorded, each time until its last file was closed.

        All chunks of a side are counted at its first time.
        """
        for side in ("ours", "theirs"):
            of = [fact for fact in course.facts if self._side(fact) == side]
            chunks = sum(isinstance(one.entry, RecordChunk) for one in of)
            for begin, end in _times(of):
                yield {"side": side, "from_us": begin, "to_us": end, "chunks": chunks}
                chunks = 0

    def _side(self, fact: Fact) -> str:
        return "ours" if fact.origin == self._own else "theirs"

    def _who(self, fact: Fact) -> str:
        """Return the name that the side of `fact` stated for who did it."""
        if entry_type(fact.entry) == "message":
            sender = self._contents.person((fact.origin, fact.index), "from")
            return person_view(sender)["name"] if sender else ""
        handle = getattr(fact.entry, "by", None)
        if not isinstance(handle, str):
            return ""
        key = (fact.origin, handle)
        if key not in self._names and isinstance(fact.entry, CallRing | CallAnswer | CallJoin):
            person = self._contents.person((fact.origin, fact.index))
            self._names[key] = person_view(person)["name"] if person else ""
        return self._names.get(key, "")

    def _stops_recorder(self, fact: Fact) -> bool:
        """Say whether a recorder stopped by `fact` in the call: the first of the tracks it ends.

        It has a reason then, of whoever switched it off or of what it failed by: the entry has one
        member for both, so that nobody can tell them apart but by reading it. A node that was
        killed gives one too when it closes what lay open.
        """
        entry, place = fact.entry, (fact.origin, fact.index)
        if isinstance(entry, RecordOn):
            self._stopped.discard(fact.origin)
        if not isinstance(entry, RecordOff) or isinstance(entry.reason, UnsetType):
            return False
        if fact.origin in self._stopped or self._contents.text(place, "reason") == INTERRUPTED:
            return False
        self._stopped.add(fact.origin)
        return True

    def _detail(self, fact: Fact) -> str:
        entry, place = fact.entry, (fact.origin, fact.index)
        if isinstance(entry, CallMode | CallRing):
            return entry.mode
        if isinstance(entry, CallRinging):
            return str(entry.devices)
        if isinstance(entry, RecordHeld):
            return f"{_unheard_ms(entry) / 1_000:.1f}"
        if isinstance(entry, RecordGap):
            packets = max(count for _, _, count in entry.tracks)
            return f"{packets * PACKET_MS / 1_000:.1f}"
        is_message = entry_type(entry) == "message"
        words = self._contents.text(place, "text" if is_message else "reason")
        if words is None:
            return ""
        return self._message(words.text) if is_message else short(words.text)

    def _message(self, text: str) -> str:
        """Return what was written, whole as long as there is room."""
        is_whole = len(text) <= max(self._room, SHOWN_TEXT)
        self._room -= len(text)
        return text if is_whole else text[:SHOWN_TEXT] + "…"
