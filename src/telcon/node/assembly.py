"""Puts a node together: the one place that knows every part of `telcon.node`.

Start: settings, lock and store, media port, link, pairing and public listeners, lines; then the
control socket. End: the same backwards, so that nothing that was acknowledged is still on its way
when the lock goes.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

from telcon import __version__
from telcon.core.books import origin_of
from telcon.core.events import (
    Cosigned,
    EntryHeld,
    Event,
    ForkFound,
    LineBroken,
    LineRefilled,
    Misbehaviour,
    PeerMisbehaved,
    PushRefused,
)
from telcon.core.transitions import Phase
from telcon.core.void import Void
from telcon.errors import LockedError, PinError, PortError, StorageError, TelconError
from telcon.node.audit import AuditEvent, AuditFile
from telcon.node.commands import Commands
from telcon.node.contents import Contents
from telcon.node.control import ControlServer, control_socket
from telcon.node.desk import LineDesk, PrincipalDesk
from telcon.node.folder import KEYS
from telcon.node.house import House
from telcon.node.house_acts import last_settings
from telcon.node.house_link import HouseLink
from telcon.node.interrupted import take_up_records
from telcon.node.introductions import Introductions
from telcon.node.line import Line
from telcon.node.link.pairing_link import PairingServer
from telcon.node.link.server import LinkServer
from telcon.node.link.tls import load_or_make_certificate
from telcon.node.media.plane import MediaPlane
from telcon.node.opening import identity_of, link_peer_of, open_log
from telcon.node.pairings import begun
from telcon.node.people import SignIn
from telcon.node.public import PublicAnswers, PublicListener
from telcon.node.renewal import Renewal
from telcon.node.restraint import Restraint
from telcon.node.running import Site
from telcon.node.settings import NodeSettings, settings_hash
from telcon.node.store import Store
from telcon.node.store.records import LineRecord
from telcon.node.switchboard import Switchboard
from telcon.node.tasks import Tasks
from telcon.node.witness_commands import WitnessCommands
from telcon.node.witnesses import Witnesses
from telcon.node.witnessing import Witnessing

if TYPE_CHECKING:
    from telcon.node.push import Push

__all__ = ["Node"]

ENDING_S = 8.0  # for calls to be ended and recordings to be closed when the node ends
TELLING_S = 1.0  # for the other node to sign that it knows
FORKED = {
    "theirs": "The other node has signed two histories. Do not trust this line.",
    "ours": "Two histories bear this node's signature: a copy of it runs, or its key was stolen.",
}

_MISBEHAVIOUR = {
    Misbehaviour.FRAME: AuditEvent.MALFORMED_FRAME,
    Misbehaviour.LIMIT: AuditEvent.ENTRY_OVER_LIMIT,
    Misbehaviour.OTHER: AuditEvent.PEER_MISBEHAVED,
}

_LOG = logging.getLogger(__name__)


class Node:
    """A running node. `start` makes one; `close` ends it."""

    def __init__(
        self, folder: Path, settings: NodeSettings, store: Store, clock: Callable[[], float]
    ) -> None:
        """Hold the parts; use `start`."""
        self.folder = folder
        self.settings = settings
        self.store = store
        self.web_port = settings.web.port
        self._audit_file = AuditFile(folder / "audit.jsonl")
        self._restraint = Restraint(self._audit_file.event, time.monotonic)
        self.house: House
        self.desk = PrincipalDesk(settings.principal, settings.name)
        self.sign_in = SignIn(store, os.urandom, _now_us)
        self._clock = clock
        self._contents = Contents(store)
        self._certificate = load_or_make_certificate(folder / KEYS, settings.name)
        self.introductions = Introductions(
            settings,
            self._certificate,
            store,
            self.audit,
            known=self._known,
            stopped=self._stopped,
        )
        self._link = LinkServer(
            self._certificate,
            on_refused=self._peer_refused,
            on_dial_failed=self._dial_failed,
            on_slowed=lambda line: self.audit(AuditEvent.PEER_SLOWED, line=line),
            on_full=lambda: self.audit(AuditEvent.OUT_OF_FILES, what="link"),
        )
        self._pairing = PairingServer(
            self._certificate,
            self.introductions,
            on_refused=self._pairing_refused,
            on_paired=lambda paired: None,
        )
        self.witnesses = Witnesses(store, audit=self.audit)
        self.witnessing = Witnessing(folder, settings.name, store, audit=self.audit)
        self._public = PublicListener(
            PublicAnswers(store, self.witnessing, self._house_note),
            on_full=lambda: self.audit(AuditEvent.OUT_OF_FILES, what="public"),
        )
        self._tasks, self._writers = Tasks(), Tasks()
        self.push = self._push() if settings.push.services else None
        self._desks: dict[str, LineDesk] = {}  # by line, the one confirmed last comes last
        self._house_links: dict[str, HouseLink] = {}  # by line
        self._renewals: dict[str, Renewal] = {}  # by line
        self._telling: asyncio.Handle | None = None
        self._is_started = self._is_housed = self._is_ending = False
        self._plane: MediaPlane
        self._parts = AsyncExitStack()  # what is to be ended, the first begun last

    @classmethod
    async def start(cls, folder: Path, clock: Callable[[], float] = time.monotonic) -> Self:
        """Start the node in `folder` on the running loop; `clock` is for its calls' time-outs.

        Raises:
            SettingsError: `node.toml` is missing or cannot be used.
            LockedError: another node runs on this folder.
            PortError: a port is taken.
            StorageError: the folder or the database cannot be used.
        """
        try:
            return await cls._started(folder, clock)
        except TelconError as error:
            _audit_start(folder, error)
            raise

    @classmethod
    async def _started(cls, folder: Path, clock: Callable[[], float]) -> Self:
        settings = NodeSettings.read(folder)
        store = Store.open(folder)
        try:
            node = cls(folder, settings, store, clock)
        except BaseException:
            await store.close()
            raise
        try:
            await node._open()
        except BaseException:
            await node.close()
            raise
        return node

    async def _open(self) -> None:
        parts, media, link = self._parts, self.settings.media, self.settings.link
        parts.callback(self._audit_file.close)
        parts.push_async_callback(self.store.close)
        await self._open_house()
        self._plane = MediaPlane.open(media.host, media.port, media.hosts, audit=self.audit)
        parts.callback(self._plane.close)
        parts.push_async_callback(self._end_lines)
        parts.push_async_callback(self._link.close)
        await self._link.start(link.host, link.port)
        parts.push_async_callback(self._pairing.close)
        await self._pairing.start(link.host, link.pairing_port)
        parts.push_async_callback(self.witnesses.close)
        parts.push_async_callback(self._public.close)
        if self.settings.public.address is not None:
            await self._public.start(*self.settings.public.address)
        parts.push_async_callback(self._end_calls)
        for record in sorted(self.store.lines(), key=lambda one: one.confirmed_at_us):
            self.start_line(record)
        lines = {line: desk.board.calls for line, desk in self._desks.items()}
        self._tasks.spawn(take_up_records(self.folder, self.store, lines, self.audit))
        commands = {**Commands(self).by_name(), **WitnessCommands(self).by_name()}
        control = ControlServer(control_socket(self.folder), commands)
        parts.push_async_callback(control.close)
        await control.start()
        self._say_started()
        self._is_started = True

    # -- what is answered for

    def audit(self, event: str, /, **fields: str | int | bool | None) -> None:
        """Write one event to the audit file and, if it is an act, to the house log."""
        self._restraint.event(event, **fields)
        if self._is_housed:
            self.house.append(event, **fields)

    async def noted(self) -> None:
        """Wait until all acts stand in the house log.

        Raises:
            StorageError: the disk refuses.
        """
        await self.house.flush()

    async def _open_house(self) -> None:
        self.house = await House.open(
            self.store,
            self.settings.name,
            self.audit,
            now_us=_now_us,
            clock=time.monotonic,
            random=os.urandom,
        )
        self._is_housed = True
        self.house.moved = self._house_moved
        self._parts.push_async_callback(self._close_house)
        await self.house.begin()

    async def _close_house(self) -> None:
        if self._is_started:
            self.audit(AuditEvent.NODE_STOPPED)
        self._is_housed = False
        await self.house.close()

    def _house_moved(self) -> None:
        for link in self._house_links.values():
            link.ask()

    def house_link(self, line: str) -> HouseLink:
        """Return what a line's two nodes tell each other of their house logs."""
        return self._house_links[line]

    def renewal(self, line: str) -> Renewal:
        """Return a line's way to new keys without words."""
        return self._renewals[line]

    def _house_note(self) -> bytes | None:
        """Return what strangers may see of the house log that is written now."""
        return self.house.log.public_note()

    def _say_started(self) -> None:
        settings = settings_hash(self.folder)
        was = last_settings(self.store)
        if was is not None and was != settings:
            self.audit(AuditEvent.SETTINGS_CHANGED, was=was, settings=settings)
        self.audit(AuditEvent.NODE_STARTED, version=__version__, settings=settings)

    # -- the end

    async def close(self) -> None:
        """End calls, links and listeners, finish what is being written, let go of the folder."""
        self._is_ending = True
        await self._parts.aclose()
        if self._telling is not None:
            self._telling.cancel()

    async def _end_calls(self) -> None:
        """End all calls; let their last entries and recordings be written, and the peer know."""
        for desk in self._desks.values():
            desk.board.close()
        await self._tasks.wait(ENDING_S)
        await asyncio.gather(*(desk.line.wait_cosigned(TELLING_S) for desk in self.desks()))

    async def _end_lines(self) -> None:
        """Let every line write what waits, then end what is still running."""
        for desk in self._desks.values():
            desk.line.close()
        await self._tasks.cancel()
        await self._writers.wait()

    # -- lines

    @property
    def pairing_port(self) -> int:
        """Return the port of the pairing listener."""
        return self._pairing.port

    def desks(self) -> list[LineDesk]:
        """Return the lines, those in use last, of these the one confirmed last."""
        return sorted(self._desks.values(), key=_is_in_use)

    def _known(self) -> set[str]:
        desks = (desk for desk in self._desks.values() if _is_in_use(desk))
        return {desk.line.identity.peer_name for desk in desks if desk.ended is None}

    def _stopped(self) -> set[str]:
        desks = self._desks.values()
        return {desk.line.identity.peer_name for desk in desks if desk.evidence.is_open}

    def start_line(self, record: LineRecord) -> None:
        """Run a line of the store."""
        line = Line(
            identity_of(record),
            self.store,
            self.store.read_marker(record.line),
            on_event=lambda event: self._event(record.line, event),
            on_storage=lambda error: self._storage(record.line, error),
        )
        board = Switchboard(line, self._site())
        desk = LineDesk(line, board, record.peer_principal, self._contents)
        desk.broken = _forked(desk)
        for older in self._desks.values():
            if older.line.identity.peer_name == record.peer_name and not _was_heard(older):
                self.desk.remove(older)
        self._desks[record.line] = desk
        self._house_links[record.line] = HouseLink(
            line,
            self.house,
            self.witnessing,
            self.store,
            audit=self.audit,
            spawn=self._tasks.spawn,
        )
        self._renewals[record.line] = Renewal(
            desk,
            record,
            self.store,
            self.witnesses,
            begun=lambda new: begun(self.settings, self._certificate, new, invited=False),
            confirmed=self.confirmed,
            audit=self.audit,
            spawn=self._tasks.spawn,
        )
        self.desk.add(desk)
        self._writers.spawn(self._run(desk))
        board.resume()
        stopped = self.settings.line.recorder_stopped
        self._tasks.spawn(open_log(line, self.store, record, stopped))
        self._link.add_line(link_peer_of(record), line)
        self.witnesses.start_line(record)
        self._renewals[record.line].look()  # it may have been announced before a restart

    def confirmed(self, record: LineRecord) -> None:
        """Run a line that was stored just now, and say so; a node that ends runs it next time."""
        if not self._is_ending:
            self.start_line(record)
        self.audit(AuditEvent.LINE_CONFIRMED, line=record.line, peer=record.peer_name)

    def _site(self) -> Site:
        return Site(
            principal=self.settings.principal,
            plane=self._plane,
            hosts=self.settings.media.hosts,
            store=self.store,
            folder=self.folder,
            audit=self.audit,
            spawn=self._tasks.spawn,
            changed=self._changed,
            passed=self.desk.passed,
            devices=self.desk.pages,
            clock=self._clock,
            test_every_minutes=self.settings.line.test_every_minutes,
        )

    def _changed(self) -> None:
        """Let what is shown follow, once for all that this turn of the loop brings."""
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_soon(self._tell_pages)

    def _tell_pages(self) -> None:
        self._telling = None
        self.desk.changed()
        if self.push is not None:
            self.push.ringing({call for desk in self._desks.values() for call in _rings_here(desk)})

    def _push(self) -> "Push":
        from telcon.node.push import Push  # late: most nodes wake nobody

        return Push(
            self.folder / KEYS,
            self.settings.push.services,
            self.store,
            session=self._session_number,
            audit=self.audit,
            spawn=self._tasks.spawn,
            contact=lambda: self.settings.web.address(self.web_port),
        )

    def _session_number(self, token: str) -> int | None:
        session = self.sign_in.session(token)
        return session.number if session is not None else None

    async def _run(self, desk: LineDesk) -> None:
        try:
            await desk.line.run()
        except Exception as error:  # noqa: BLE001 -- the edge of a task: one line must not take the node down
            _LOG.exception("line %s has stopped", desk.line.identity.line)
            desk.broken = f"This line has stopped by a defect of this node: {error}."
            self.audit(AuditEvent.LINE_BROKEN, line=desk.line.identity.line, reason=str(error))
            desk.line.close()
            self.desk.changed()

    def _event(self, line: str, event: Event) -> None:
        desk = self._desks[line]
        match event:
            case Cosigned(size=size):
                self.witnesses.grown(line, size)
            case PeerMisbehaved(reason=reason, kind=kind):
                self.audit(_MISBEHAVIOUR[kind], line=line, reason=reason)
            case EntryHeld(void=Void.WRONG_SEEN_ROOT, origin=origin, index=index):
                self.audit(AuditEvent.WRONG_SEEN, line=line, origin=origin, index=index)
            case EntryHeld(origin=origin, index=0) if (
                origin == desk.line.identity.peer_card.log.name
            ):
                self._opened(desk)
            case PushRefused(code=code, detail=detail):
                self.audit(AuditEvent.PUSH_REFUSED, line=line, by="them", code=code, detail=detail)
            case ForkFound(fork=fork):
                self.audit(AuditEvent.FORK_FOUND, line=line, origin=origin_of(fork.first))
                desk.evidence.read()
                desk.broken = _forked(desk)
            case LineBroken(reason=reason):
                desk.broken = _forked(desk) or f"This line has ended: {reason}. Pair it anew."
                self.audit(AuditEvent.LINE_BROKEN, line=line, reason=reason)
            case LineRefilled(entries=entries):
                self.audit(AuditEvent.LINE_REFILLED, line=line, entries=entries)
        desk.board.event(event)
        self._house_links[line].event(event)
        self._renewals[line].event(event)

    def _opened(self, desk: LineDesk) -> None:
        """Hold what their new log says of the one before against what is kept of that."""
        found = desk.succession
        if found is not None and found.broken is not None:
            line = desk.line.identity.line
            why = found.broken.value
            self.audit(AuditEvent.WRONG_PREVIOUS, line=line, why=why, origin=found.origin)

    def _storage(self, line: str, error: StorageError | None) -> None:
        desk = self._desks[line]
        desk.trouble = error.trouble if error is not None else None
        if error is not None:
            self.audit(AuditEvent.STORAGE_REFUSED, line=line, error=str(error))
        self.desk.changed()

    # -- what strangers do

    def _peer_refused(self, reason: str, fingerprint: str | None, address: str) -> None:
        fields = {"reason": reason, "fingerprint": fingerprint, "address": address}
        self.audit(AuditEvent.UNKNOWN_PEER_KEY, **fields)

    def _pairing_refused(self, reason: str, fingerprint: str | None, address: str) -> None:
        del fingerprint  # the pairing listener asks for none
        self.audit(AuditEvent.PAIRING_REFUSED, reason=reason, address=address)

    def _dial_failed(self, line: str, address: str, error: TelconError) -> None:
        _LOG.info("dialling %s for line %s failed: %s", address, line, error)
        if isinstance(error.__cause__, PinError):
            self.audit(AuditEvent.WRONG_PEER_KEY, line=line, address=address, reason=str(error))


def _now_us() -> int:
    return time.time_ns() // 1_000


def _rings_here(desk: LineDesk) -> list[str]:
    """Return the calls by which the other side of a line rings now, of those that run here."""
    calls = desk.line.machine.fold.calls
    running = [calls[call] for call in desk.board.calls.running if call in calls]
    ringing = [state for state in running if state.phase is Phase.RINGING]
    return [state.call for state in ringing if desk.calls.rung_by(state) == "theirs"]


def _audit_start(folder: Path, error: TelconError) -> None:
    """Say in the audit file of `folder` why no node started, if there is one and it is ours."""
    events: dict[type[TelconError], AuditEvent] = {
        LockedError: AuditEvent.NODE_SECOND,
        PortError: AuditEvent.PORT_IN_USE,
    }
    event = events.get(type(error), AuditEvent.NOT_STARTED)
    path = folder / "audit.jsonl"
    try:
        if path.exists():
            with AuditFile(path) as audit:
                audit.event(event, why=str(error))
    except StorageError as other:  # the same fault: the person at the terminal reads the first
        _LOG.info("that the node did not start could not be audited: %s", other)


def _forked(desk: LineDesk) -> str | None:
    """Return whose log of this line has two histories, in words; None: neither's."""
    whose = desk.evidence.whose
    return None if whose is None else FORKED[whose]


def _is_in_use(desk: LineDesk) -> bool:
    return desk.broken is None and not desk.line.machine.fold.is_frozen and _was_heard(desk)


def _was_heard(desk: LineDesk) -> bool:
    """Say whether the other side ever wrote on the line: one that it did not confirm is dead."""
    return desk.line.machine.fold.size(desk.line.identity.peer_card.log.name) > 0
