"""Who witnesses our lines: further witnesses that the operator named, asked beside everything else.

A round sends the newest checkpoint of our log that the other side has cosigned to every witness of
the line that has not signed it, all at once, so that their cosignatures meet over one size. There
is a round soon after the log has grown, and then none for a while: what grows meanwhile goes into
the next. Nothing waits for a witness. One that does not answer, or not as it should, is left alone
for longer and longer. Only the log's own signature is shown to it, not the other side's.
"""

import asyncio
import contextlib
import logging
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import Connection

from telcon.errors import (
    MalformedError,
    NetworkError,
    OperatorError,
    PeerError,
    PolicyError,
    StorageError,
)
from telcon.ledger import (
    COSIGNATURE_ED25519,
    VerifierKey,
    consistency_proof,
    format_signature_line,
    format_vkey,
    mirror_policy,
    organisation,
    parse_key_card,
    parse_note_untrusted,
    parse_vkey,
    with_witnesses,
)
from telcon.ledger.witness import (
    MAX_ANSWER_OCTETS,
    Asked,
    Cosignatures,
    SizeHint,
    format_submission,
    read_answer_untrusted,
)
from telcon.node.audit import AuditEvent
from telcon.node.posting import check_url, post
from telcon.node.store import Store, witnesses
from telcon.node.store.records import LineRecord
from telcon.node.store.witnesses import LinePublic, LineWitness, WitnessCosignature
from telcon.node.tasks import Tasks

__all__ = ["MAX_WITNESSES", "WitnessReport", "Witnesses", "witness_key"]

MAX_WITNESSES: Final = 16  # of one line
SETTLE_S: Final = 2.0  # after a change: more follows as a rule, and the note is stored by then
EVERY_S: Final = 60.0  # between two rounds
COVER_EVERY_S: Final = 0.2  # between two looks at what is not stored or signed yet
LONGEST_S: Final = 3_600.0  # a witness that fails is asked again at least so often

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WitnessReport:
    """How a further witness of a line stands."""

    witness: LineWitness
    newest: WitnessCosignature | None
    """None: it never signed."""
    trouble: str
    """Why it did not sign the last time it was asked; empty if it did."""


@dataclass(slots=True)
class _Asked:
    """One witness of one line, at run time."""

    key: VerifierKey
    witness: LineWitness
    size: int
    """As it last cosigned; 0 if never."""
    due_s: float = 0.0
    """When it may be asked again (monotonic)."""
    pause_s: float = 0.0
    trouble: str = ""


@dataclass(slots=True)
class _Place:
    """One line at run time."""

    record: LineRecord
    asked: list[_Asked] = field(default_factory=list)
    grown: int = 0
    """How far the other side has cosigned our log, as far as we were told."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)


def witness_key(vkey: str, own: str, peer: str) -> VerifierKey:
    """Return the key of a further witness for the line of the nodes `own` and `peer`.

    Raises:
        OperatorError: no cosigner's key, or of one of the two sides.
    """
    try:
        key = parse_vkey(vkey)
    except MalformedError as error:
        raise OperatorError(
            f"not a verifier key: {error}",
            advice="Ask the witness for it; a telcon node prints it by: telcon witness key",
        ) from error
    if key.type != COSIGNATURE_ED25519:
        raise OperatorError(
            f"{key.name} is the key of a log, not of a witness",
            advice="Ask the witness for the key that it cosigns with.",
        )
    if organisation(key.name).casefold() in (own.casefold(), peer.casefold()):
        raise OperatorError(
            f"{key.name} is of one of the two sides of this line, and witnesses nothing further",
            advice="Name somebody else: a third state, a court.",
        )
    return key


def _require_one_policy(record: LineRecord, keys: list[VerifierKey]) -> None:
    """Refuse witnesses that cannot stand in one policy, for then no receipt could be made."""
    log, mirror = parse_key_card(record.own_card).log, parse_key_card(record.peer_card).mirror
    try:
        with_witnesses(mirror_policy(log, mirror), [(key, "") for key in keys], len(keys))
    except PolicyError as error:
        raise OperatorError(
            f"this key cannot be named beside the others: {error}",
            advice="Each witness has a key of its own.",
        ) from error


class Witnesses:
    """The further witnesses of all lines. Everything on the node's loop."""

    def __init__(
        self,
        store: Store,
        *,
        audit: Callable[..., None],
        clock: Callable[[], float] = time.monotonic,
        trusted: ssl.SSLContext | None = None,
        settle_s: float = SETTLE_S,
        every_s: float = EVERY_S,
    ) -> None:
        """Ask by HTTPS; `trusted` says whose certificates count, the system's if None."""
        self._store, self._audit, self._clock = store, audit, clock
        self._trusted = trusted
        self._settle_s, self._every_s = settle_s, every_s
        self._places: dict[str, _Place] = {}
        self._tasks = Tasks()

    def start_line(self, record: LineRecord) -> None:
        """Ask for the line `record` from now on, if it has witnesses."""
        for witness in self._store.read(lambda c: witnesses.find_witnesses(c, record.line)):
            self._follow(record, witness)

    def grown(self, line: str, size: int) -> None:
        """Note that the other side has cosigned our log of `line` up to `size`; quick."""
        if line in self._places:
            self._places[line].grown = size
            self._places[line].wake.set()

    async def close(self) -> None:
        """Ask nobody any more."""
        await self._tasks.cancel()

    # -- what the operator does

    async def add(self, record: LineRecord, vkey: str, url: str) -> None:
        """Name a further witness of our log of a line; of one that is named, change the address.

        Raises:
            OperatorError: the key or the address cannot be one, or there are too many.
            StorageError: the disk refused.
        """
        key = witness_key(vkey, record.own_name, record.peer_name)
        try:
            check_url(url)
        except MalformedError as error:
            raise OperatorError(
                str(error), advice="Give what stands before /add-checkpoint, without a slash."
            ) from error
        found = self._store.read(lambda c: witnesses.find_witnesses(c, record.line))
        others = [parse_vkey(one.vkey) for one in found if one.vkey != format_vkey(key)]
        if len(others) >= MAX_WITNESSES:
            raise OperatorError(f"a line has at most {MAX_WITNESSES} further witnesses")
        _require_one_policy(record, [*others, key])
        witness = LineWitness(format_vkey(key), url, time.time_ns() // 1_000)
        await self._store.commit(lambda c: witnesses.add_witness(c, record.line, witness))
        self._audit(AuditEvent.LINE_WITNESS_ADDED, line=record.line, witness=key.name, url=url)
        self._forget(record.line, witness.vkey)
        self._follow(record, witness)

    async def remove(self, record: LineRecord, name: str) -> None:
        """Ask the witness with that key name no more; what it signed stays.

        Raises:
            OperatorError: the line has no such witness.
            StorageError: the disk refused.
        """
        found = self._store.read(lambda c: witnesses.find_witnesses(c, record.line))
        named = [one.vkey for one in found if name in (one.vkey, parse_vkey(one.vkey).name)]
        if not named:
            raise OperatorError(
                f"the line to {record.peer_name} has no witness {name}",
                advice=f"See: telcon line witness list {record.peer_name}",
            )

        def work(connection: Connection) -> None:
            for vkey in named:
                witnesses.remove_witness(connection, record.line, vkey)

        await self._store.commit(work)
        self._audit(AuditEvent.LINE_WITNESS_REMOVED, line=record.line, witness=name)
        for vkey in named:
            self._forget(record.line, vkey)

    async def need(self, record: LineRecord, needed: int) -> None:
        """Say how many of a line's witnesses a receipt should bear.

        Raises:
            OperatorError: the line has not so many.
            StorageError: the disk refused.
        """
        count = len(self._store.read(lambda c: witnesses.find_witnesses(c, record.line)))
        if not 1 <= needed <= count:
            raise OperatorError(
                f"the line to {record.peer_name} has {count} further witnesses, not {needed}",
                advice="Name them first: telcon line witness add",
            )
        await self._change(record, lambda public: replace(public, needed=needed))

    async def publish(self, record: LineRecord, *, published: bool) -> None:
        """Say whether who knows the line may ask for our log's checkpoint.

        Raises:
            StorageError: the disk refused.
        """
        await self._change(record, lambda public: replace(public, published=published))
        self._audit(AuditEvent.LINE_PUBLISHED, line=record.line, published=published)

    def report(self, record: LineRecord) -> list[WitnessReport]:
        """Return how each witness of a line stands."""
        log = self._store.stored_log(record.own_origin).number
        place = self._places.get(record.line)
        trouble = {one.witness.vkey: one.trouble for one in place.asked} if place else {}

        def work(connection: Connection) -> list[WitnessReport]:
            return [
                WitnessReport(
                    one,
                    witnesses.find_newest_cosigned(connection, log, one.vkey),
                    trouble.get(one.vkey, ""),
                )
                for one in witnesses.find_witnesses(connection, record.line)
            ]

        return self._store.read(work)

    async def cover(self, record: LineRecord, size: int, within_s: float) -> list[WitnessReport]:
        """Have the witnesses of a line sign its first `size` entries, without the usual pause.

        Returns how each stands once all have signed or refused, at the latest after `within_s`.

        Raises:
            StorageError: the disk refused.
        """
        place = self._places.get(record.line)
        if place is None:
            return []
        for one in place.asked:
            one.due_s = 0.0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while any(one.size < size and one.due_s <= self._clock() for one in place.asked):
                    await self._round(place)
                    await asyncio.sleep(COVER_EVERY_S)
        return self.report(record)

    async def _change(self, record: LineRecord, change: Callable[[LinePublic], LinePublic]) -> None:
        def work(connection: Connection) -> None:
            public = change(witnesses.find_public(connection, record.line))
            witnesses.set_public(connection, record.line, public)

        await self._store.commit(work)

    # -- rounds

    def _follow(self, record: LineRecord, witness: LineWitness) -> None:
        log = self._store.stored_log(record.own_origin).number
        newest = self._store.read(lambda c: witnesses.find_newest_cosigned(c, log, witness.vkey))
        size = newest.size if newest is not None else 0
        if record.line not in self._places:
            self._places[record.line] = _Place(record)
            self._tasks.spawn(self._run(self._places[record.line]))
        place = self._places[record.line]
        place.asked.append(_Asked(parse_vkey(witness.vkey), witness, size))
        place.wake.set()

    def _forget(self, line: str, vkey: str) -> None:
        if line in self._places:
            asked = self._places[line].asked
            asked[:] = [one for one in asked if one.witness.vkey != vkey]

    async def _run(self, place: _Place) -> None:
        while True:
            await self._wait_woken(place)
            place.wake.clear()
            await asyncio.sleep(self._settle_s)
            try:
                await self._round(place)
            except StorageError as error:  # the line says so itself; here it is tried again
                _LOG.warning("witness.round-failed: line %s: %s", place.record.line, error)
                place.wake.set()
            await asyncio.sleep(self._every_s)

    async def _wait_woken(self, place: _Place) -> None:
        """Wait until the log has grown, or one that failed is due."""
        due = [one.due_s for one in place.asked if one.trouble]
        timeout_s = max(0.0, min(due) - self._clock()) if due else None
        try:
            async with asyncio.timeout(timeout_s):
                await place.wake.wait()
        except TimeoutError:
            return

    async def _round(self, place: _Place) -> None:
        log = self._store.stored_log(place.record.own_origin)
        newest = log.newest_note()
        if newest is None:
            return
        now = self._clock()
        due = [one for one in place.asked if one.size < newest[0] and one.due_s <= now]
        note = self._signed_alone(newest[1], place.record)
        await asyncio.gather(*(self._ask(place, one, newest[0], note) for one in due))
        if newest[0] < place.grown:
            place.wake.set()  # the disk was not there yet

    def _signed_alone(self, note: bytes, record: LineRecord) -> bytes:
        """Return the checkpoint with our log's signature and no other."""
        read = parse_note_untrusted(note)
        ours = [line for line in read.signatures if line.name == record.own_origin]
        return read.text + b"\n" + b"".join(map(format_signature_line, ours))

    async def _ask(self, place: _Place, one: _Asked, size: int, note: bytes) -> None:
        log = self._store.stored_log(place.record.own_origin).number
        try:
            cosigned = await self._cosigned(place.record, one, size, note)
            await self._store.commit(lambda c: witnesses.add_cosignature(c, log, cosigned))
        except (NetworkError, PeerError, StorageError) as error:
            one.pause_s = min(LONGEST_S, max(self._every_s, 2 * one.pause_s))
            one.due_s = self._clock() + one.pause_s
            if str(error) != one.trouble:
                self._failed(place, one, str(error))
            one.trouble = str(error)
            return
        one.size, one.trouble, one.pause_s, one.due_s = size, "", 0.0, 0.0

    def _failed(self, place: _Place, one: _Asked, why: str) -> None:
        name = one.key.name
        _LOG.info("witness.failed: %s of line %s: %s", name, place.record.line, why)
        self._audit(AuditEvent.WITNESS_FAILED, line=place.record.line, witness=name, why=why)

    async def _cosigned(
        self, record: LineRecord, one: _Asked, size: int, note: bytes
    ) -> WitnessCosignature:
        """Ask once, and once more if the witness holds another size than we thought.

        Raises:
            NetworkError: it cannot be reached.
            PeerError: it does not cosign, or what it answered cannot be read or is not signed.
        """
        log = self._store.stored_log(record.own_origin)
        asked = Asked(parse_note_untrusted(note).text, one.size, size)
        while True:
            proof = consistency_proof(asked.old, size, log.hash) if 0 < asked.old < size else ()
            body = format_submission(asked.old, proof, note)
            reply = await self._post(one.witness.url, body)
            match read_answer_untrusted(reply[0], reply[1], asked, [one.key]):
                case Cosignatures(lines=lines):
                    ((key, line, time_s),) = lines
                    return WitnessCosignature(format_vkey(key), size, line, time_s)
                case SizeHint(size=hinted):
                    asked = replace(asked, old=hinted, was_hinted=True)
                case refusal:
                    raise PeerError(f"status {refusal.status}: {refusal.reason}")

    async def _post(self, url: str, body: bytes) -> tuple[int, bytes]:
        if self._trusted is None:
            self._trusted = await asyncio.to_thread(ssl.create_default_context)
        headers = {"Content-Type": "text/plain; charset=utf-8", "Connection": "close"}
        reply = await post(
            f"{url}/add-checkpoint",
            headers,
            body,
            self._trusted,
            max_body_octets=MAX_ANSWER_OCTETS,
        )
        return reply.status, reply.body
