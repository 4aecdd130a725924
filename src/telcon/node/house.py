"""The node's house log at run time: acts become durable, hours are padded, a lost log is renewed.

`telcon.core.house_log` decides. An act is taken at once and costs its caller nothing; the commit
thread writes it with whatever else waits, so neither the loop nor a call waits for the disk. Which
events are acts, and whose, is the table here. Witnesses are met in `telcon.node.witnessing`.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from telcon.core.house import HOUR_US, By, Detail, house_origin, is_house_origin, turn_before
from telcon.core.house_log import HouseLog
from telcon.core.stored import Commit
from telcon.errors import StorageError
from telcon.ledger import SigningKey
from telcon.node.audit import AuditEvent
from telcon.node.restraint import Restraint
from telcon.node.store import HouseRecord, Store
from telcon.node.store.house import end_house_log

__all__ = ["HOUSE_ACTS", "House", "act_by"]

RETRY_S = 1.0  # after a disk that refused
LOOK_AGAIN_S = 60.0  # at the latest: a wall clock may be set, and timers do not hear of it
BURST = 8  # of one kind that others can cause at will; after that what was left out is counted
REFILL_S = 600.0
SEED_OCTETS = 32
ID_OCTETS = 16

HOUSE_ACTS: Final[Mapping[AuditEvent, By]] = {
    AuditEvent.NODE_STARTED: "node",
    AuditEvent.NODE_STOPPED: "node",
    AuditEvent.SETTINGS_CHANGED: "operator",
    AuditEvent.LINK_MADE: "operator",
    AuditEvent.SIGNED_IN: "principal",
    AuditEvent.SIGNED_OUT: "principal",
    AuditEvent.SIGN_IN_REFUSED: "stranger",
    AuditEvent.PUSH_ON: "principal",
    AuditEvent.PUSH_OFF: "principal",
    AuditEvent.INVITATION_MADE: "operator",
    AuditEvent.INVITATION_UNKNOWN: "stranger",
    AuditEvent.INVITATION_EXPIRED: "stranger",
    AuditEvent.INVITATION_REUSED: "stranger",
    AuditEvent.PAIRING_REFUSED: "stranger",
    AuditEvent.RENEWAL_ASKED: "operator",
    AuditEvent.LINE_CONFIRMED: "operator",
    AuditEvent.UNKNOWN_PEER_KEY: "stranger",
    AuditEvent.WRONG_PEER_KEY: "stranger",
    AuditEvent.MALFORMED_FRAME: "peer",
    AuditEvent.ENTRY_OVER_LIMIT: "peer",
    AuditEvent.PUSH_REFUSED: "peer",
    AuditEvent.PEER_MISBEHAVED: "peer",
    AuditEvent.FORK_FOUND: "peer",
    AuditEvent.WRONG_SEEN: "peer",
    AuditEvent.WRONG_PREVIOUS: "peer",
    AuditEvent.LINE_BROKEN: "node",
    AuditEvent.LINE_REFILLED: "node",
    AuditEvent.TRUNK_KEY_MISMATCH: "peer",
    AuditEvent.WRONG_FINGERPRINT: "stranger",
    AuditEvent.RECORDER_FAILED: "node",
    AuditEvent.RECORDER_OFF: "principal",
    AuditEvent.RECORDER_ON: "principal",
    AuditEvent.RECORD_UNLOGGED: "node",
    AuditEvent.RECORD_DAMAGED: "node",
    AuditEvent.RECORD_OPENED: "principal",
    AuditEvent.RECORD_UNSEALED: "operator",
    AuditEvent.RECORD_DESTROYED: "operator",
    AuditEvent.KEEPER_ADDED: "operator",
    AuditEvent.KEEPER_REMOVED: "operator",
    AuditEvent.EXPORT_MADE: "operator",
    AuditEvent.LINE_ACKNOWLEDGED: "operator",
    AuditEvent.EVIDENCE_EXPORTED: "operator",
    AuditEvent.HOUSE_ENDED: "node",
    AuditEvent.HOUSE_EXPORTED: "operator",
    AuditEvent.HOUSE_PINNED: "peer",
    AuditEvent.HOUSE_PIN_REFUSED: "peer",
    AuditEvent.HOUSE_TRUSTED: "operator",
    AuditEvent.WITNESS_ADMITTED: "operator",
    AuditEvent.WITNESS_DISMISSED: "operator",
    AuditEvent.WITNESS_REFUSED: "peer",
    AuditEvent.LINE_PUBLISHED: "operator",
    AuditEvent.LINE_WITNESS_ADDED: "operator",
    AuditEvent.LINE_WITNESS_REMOVED: "operator",
    AuditEvent.HOUSE_UNWITNESSED: "peer",
    AuditEvent.HOUSE_WITNESS_LIED: "peer",
}
"""The events that people must be able to answer for, and whose act each is; all others stay in the
audit file alone: what tells of disk, ports and packets, and what a page or a stranger can cause by
the thousand without having come near anything."""

_LOG = logging.getLogger(__name__)


def act_by(event: str, fields: Mapping[str, object]) -> By:
    """Return whose act an event of `HOUSE_ACTS` is."""
    if event == AuditEvent.SIGNED_OUT and "sessions" in fields:
        return "operator"  # on every device, by `telcon sign-out`
    if event == AuditEvent.WITNESS_ADMITTED and is_house_origin(str(fields.get("origin"))):
        return "node"  # as a peer stated it
    if event in (AuditEvent.RECORDER_OFF, AuditEvent.RECORDER_ON) and fields["from_page"] is False:
        return "operator"  # by `telcon record off` and `on`
    return HOUSE_ACTS[AuditEvent(event)]


class House:
    """The house log of a running node; everything happens on the loop's thread.

    `open` makes one; then `begin`, once it hears audit events; `close` ends it.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        audit: Callable[..., None],
        *,
        now_us: Callable[[], int],
        clock: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        """Keep the house log of the node `name`; use `open`."""
        self.moved: Callable[[], None] = lambda: None
        """Called when there is another checkpoint to be shown to witnesses."""
        self._store = store
        self._name = name
        self._audit = audit
        self._now_us = now_us
        self._random = random
        self._restraint = Restraint(self._append, clock, burst=BURST, refill_s=REFILL_S)
        self._turned_us = turn_before(now_us())
        self._timer: asyncio.TimerHandle | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._writer: _Writer

    @classmethod
    async def open(
        cls,
        store: Store,
        name: str,
        audit: Callable[..., None],
        *,
        now_us: Callable[[], int],
        clock: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> "House":
        """Open the newest house log of the node `name`, or a first one.

        `audit` hears what becomes of it; `now_us` is the wall clock, `clock` one that never jumps
        (seconds), `random(n)` gives n fresh octets.

        Raises:
            StorageError: the disk refused.
        """
        house = cls(store, name, audit, now_us=now_us, clock=clock, random=random)
        records = store.house_logs()
        house._writer = house._write_to(records[-1]) if records else await house._new(None)
        return house

    async def begin(self) -> None:
        """Renew a log that has ended, and keep the hours from now on.

        Raises:
            StorageError: the disk refused.
        """
        if self.log.ended:
            await self._renew()
        self._arm()

    async def close(self) -> None:
        """Write what waits, if the disk takes it."""
        if self._timer is not None:
            self._timer.cancel()
        if self._renewing is not None:
            await asyncio.gather(self._renewing, return_exceptions=True)
        self._restraint.settle()
        try:
            await self.flush()
        except StorageError as error:
            lost = self.log.waiting
            _LOG.warning("house.acts-lost: %d stay in the audit file alone: %s", lost, error)
        self._writer.close()

    # -- acts

    @property
    def log(self) -> HouseLog:
        """The log that is written now."""
        return self._writer.log

    def append(self, event: str, /, **fields: Detail) -> None:
        """Take an audit event; one that is no act goes nowhere, and a flood is counted.

        Raises:
            MisuseError: fields that no reader would accept.
        """
        if AuditEvent(event) in HOUSE_ACTS:
            self._restraint.event(event, **fields)

    def _append(self, event: str, /, **fields: Detail) -> None:
        self.log.append(event, act_by(event, fields), fields, self._now_us())
        self._writer.write_soon()

    async def flush(self) -> None:
        """Wait until all that was taken is durable.

        Raises:
            StorageError: the disk refuses; it is tried again all the same.

        Cancellation: only the wait ends.
        """
        await self._writer.flush()

    # -- hours

    def look(self) -> None:
        """Pad the log if a full hour has come since it was last looked, and see to the next."""
        turn, last = turn_before(self._now_us()), self._turned_us
        self._turned_us = turn  # also where the clock was set back: the next hour is not far
        if turn > last:
            self._restraint.settle()
            self.log.turn(self._now_us())
            self._writer.write()
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        now_us = self._now_us()
        delay_s = min((turn_before(now_us) + HOUR_US - now_us) / 1e6, LOOK_AGAIN_S)
        self._timer = asyncio.get_running_loop().call_later(delay_s, self.look)

    # -- what witnesses show and answer

    def learn(self, note: bytes) -> int:
        """Take what a witness shows of our log; see `HouseLog.learn`. A log that ends is renewed.

        Raises:
            PeerError: it is no checkpoint that our key signed.
        """
        size = self.log.learn(note)
        if self.log.ended and self._renewing is None:
            self._renewing = asyncio.get_running_loop().create_task(self._renew())
            self._renewing.add_done_callback(self._renewed)
        return size

    def kept(self) -> None:
        """Let a cosignature that the log has taken be stored."""
        self._writer.write_soon()

    # -- renewal

    async def _renew(self) -> None:
        """Open a new log that names the one that has ended; that one keeps what it holds."""
        old = self._writer
        origin, reason = old.log.origin, old.log.ended
        await self._store.commit(lambda connection: end_house_log(connection, origin, reason))
        self._writer = await self._new(old.log.last_known())
        self._audit(AuditEvent.HOUSE_ENDED, origin=origin, reason=reason)

    def _renewed(self, task: "asyncio.Task[None]") -> None:
        self._renewing = None
        error = None if task.cancelled() else task.exception()
        if error is not None:  # tried again when a witness shows it again, or at the next start
            _LOG.error("house log %s has ended, and none could be opened: %s", self._name, error)

    async def _new(self, previous: tuple[str, int, bytes] | None) -> "_Writer":
        origin = house_origin(self._name, self._random(ID_OCTETS).hex())
        record = HouseRecord(origin, self._random(SEED_OCTETS), self._now_us())
        writer = self._write_to(await self._store.add_house(record))
        writer.log.open(previous, self._now_us())
        writer.write_soon()
        return writer

    def _write_to(self, record: HouseRecord) -> "_Writer":
        return _Writer(self._store, record, self._random, self._signed)

    def _signed(self) -> None:
        self.moved()


class _Writer:
    """Writes one log: one commit at a time, the next when it is done."""

    def __init__(
        self,
        store: Store,
        record: HouseRecord,
        random: Callable[[int], bytes],
        on_signed: Callable[[], None],
    ) -> None:
        self.log = HouseLog(
            SigningKey(record.seed),
            store.stored_house(record),
            store.read_marker(record.marker),
            random,
        )
        if record.ended is not None:
            self.log.end(record.ended)
        self._store = store
        self._record = record
        self._on_signed = on_signed
        self._soon: asyncio.Handle | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._is_writing = False

    def write_soon(self) -> None:
        """Write once for all acts that this turn of the loop brings."""
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self.write)

    def write(self) -> None:
        """Begin the next commit if there is something to write and none is under way."""
        self._forget_soon()
        if self._is_writing:
            return
        commit = self.log.take_commit()
        if commit is None:
            self._tell(None)
            return
        self._is_writing = True
        self._store.commit_house(self._record, commit, partial(self._written, commit))

    async def flush(self) -> None:
        """Wait until nothing waits; see `House.flush`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self.write()
        await future

    def close(self) -> None:
        """Begin no further commit."""
        self._forget_soon()

    def _written(self, commit: Commit, error: BaseException | None) -> None:
        self._is_writing = False
        if error is None:
            self.log.committed(commit)
            self.write()  # first: whoever hears of it may fail, and nobody may wait for that
            if commit.marker is not None:
                self._on_signed()
            return
        self.log.commit_failed(commit)
        self._tell(error)
        if isinstance(error, StorageError):
            self._soon = asyncio.get_running_loop().call_later(RETRY_S, self.write)
        else:
            _LOG.error("house log %s is written no more: %s", self.log.origin, error)

    def _tell(self, error: BaseException | None) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

    def _forget_soon(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
