"""Puts a node together: the one place that knows every part of `telcon.node`.

Start: settings, lock and store, media port, link and pairing listeners, lines; then the control socket.
End: the same backwards, so that nothing that was acknowledged is still on its way when the lock goes.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Self

from telcon import __version__
from telcon.core import draft as drafts
from telcon.core.events import (
    Event,
    ForkFound,
    LineBroken,
    LineIdentity,
    PeerMisbehaved,
    PushRefused,
)
from telcon.core.seal import Text
from telcon.errors import LockedError, MalformedError, OperatorError, PortError, StorageError
from telcon.ledger import SigningKey, format_key_card, key_card_hash, parse_key_card
from telcon.node.audit import AuditEvent, AuditFile
from telcon.node.contents import Contents
from telcon.node.control import ControlServer, Progress, control_socket
from telcon.node.desk import LineDesk, PrincipalDesk
from telcon.node.introductions import Introductions
from telcon.node.line import Line
from telcon.node.link.line_link import LinkPeer
from telcon.node.link.pairing_link import PairingServer
from telcon.node.link.server import LinkServer
from telcon.node.link.statement import parse_statement_untrusted
from telcon.node.link.tls import load_or_make_certificate
from telcon.node.media.plane import MediaPlane
from telcon.node.media.recording import recover
from telcon.node.people import SignIn
from telcon.node.settings import NodeSettings
from telcon.node.store import Store
from telcon.node.store.records import LineRecord, RecordingRecord, find_open_recordings
from telcon.node.switchboard import Switchboard

__all__ = ["Node"]

TEST_TIMEOUT_S = 10.0

_LOG = logging.getLogger(__name__)


class Node:
    """A running node. `start` makes one; `close` ends it."""

    def __init__(self, folder: Path, settings: NodeSettings, store: Store) -> None:
        """Hold the parts; use `start`."""
        self.folder = folder
        self.settings = settings
        self.store = store
        self.audit_file = AuditFile(folder / "audit.jsonl")
        self.desk = PrincipalDesk(settings.principal, settings.name)
        self.sign_in = SignIn(store, os.urandom, lambda: time.time_ns() // 1_000)
        self._contents = Contents(store)
        self._certificate = load_or_make_certificate(folder / "keys", settings.name)
        self._introductions = Introductions(settings, self._certificate, store, self.audit)
        self._link = LinkServer(
            self._certificate, on_refused=self._peer_refused, on_dial_failed=self._dial_failed
        )
        self._pairing = PairingServer(
            self._certificate,
            self._introductions,
            on_refused=self._pairing_refused,
            on_paired=lambda paired: None,
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._lines: dict[str, Line] = {}
        self._plane: MediaPlane
        self._control = ControlServer(control_socket(folder), self._commands())

    @classmethod
    async def start(cls, folder: Path) -> Self:
        """Start the node in `folder` on the running loop.

        Raises:
            SettingsError: `node.toml` is missing or cannot be used.
            LockedError: another node runs on this folder.
            PortError: a port is taken.
            StorageError: the folder or the database cannot be used.
        """
        settings = NodeSettings.read(folder)
        try:
            store = Store.open(folder)
        except LockedError:
            with AuditFile(folder / "audit.jsonl") as audit:
                audit.event(AuditEvent.NODE_SECOND, folder=folder.name)
            raise
        node = cls(folder, settings, store)
        try:
            await node._open()
        except PortError as error:
            node.audit(AuditEvent.PORT_IN_USE, why=str(error))
            await node.close()
            raise
        except BaseException:
            await node.close()
            raise
        return node

    async def _open(self) -> None:
        media, link = self.settings.media, self.settings.link
        self._plane = MediaPlane.open(media.host, media.port, media.hosts, audit=self.audit)
        await self._link.start(link.host, link.port)
        await self._pairing.start(link.host, link.pairing_port)
        for record in self.store.lines():
            await self._start_line(record)
        await self._close_interrupted_recordings()
        await self._control.start()
        self.audit(AuditEvent.NODE_STARTED, version=__version__)

    async def close(self) -> None:
        """End calls, links and listeners, finish what is being written, let go of the folder."""
        await self._control.close()
        for desk in self.desk.lines():
            desk.board.close()
        await self._pairing.close()
        await self._link.close()
        for line in self._lines.values():
            line.close()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if hasattr(self, "_plane"):
            self._plane.close()
        await self.store.close()
        self.audit(AuditEvent.NODE_STOPPED)
        self.audit_file.close()

    def audit(self, event: str, /, **fields: str | int | bool | None) -> None:
        """Write one event to the audit file; never a secret."""
        self.audit_file.event(event, **fields)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` as a task of this node; an error ends that task alone, and is logged."""
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:  # noqa: BLE001 -- the edge of a task: one act must not take the node down
            _LOG.exception("a task of the node failed")

    # -- lines

    async def _start_line(self, record: LineRecord) -> Line:
        own_card, peer_card = parse_key_card(record.own_card), parse_key_card(record.peer_card)
        identity = LineIdentity(
            own_name=record.own_name,
            peer_name=record.peer_name,
            line=record.line,
            own_card=own_card,
            peer_card=peer_card,
            log_key=SigningKey(record.log_seed),
            mirror_key=SigningKey(record.mirror_seed),
        )
        board = Switchboard(
            principal=self.settings.principal,
            plane=self._plane,
            hosts=self.settings.media.hosts,
            store=self.store,
            folder=self.folder,
            audit=self.audit,
            spawn=self.spawn,
            changed=self.desk.changed,
            devices=self.desk.pages,
        )
        line = Line(
            identity,
            self.store,
            self.store.read_marker(record.line),
            on_event=lambda event: self._event(record.line, event),
            on_storage=lambda error: self._storage(record.line, error),
        )
        self._lines[record.line] = line
        self.spawn(line.run())
        board.attach(line)
        self.desk.add(LineDesk(line, board, record.peer_principal, self._contents))
        if line.machine.fold.size(identity.own_card.log.name) == 0:
            await self._open_log(line, record)
        statement = parse_statement_untrusted(record.peer_statement)
        peer = LinkPeer(
            line=record.line,
            own_name=record.own_name,
            peer_name=record.peer_name,
            certificate=statement.certificate_der,
            addresses=record.peer_addresses,
        )
        self._link.add_line(peer, line)
        return line

    async def _open_log(self, line: Line, record: LineRecord) -> None:
        cards = sorted((line.identity.own_card, line.identity.peer_card), key=lambda c: c.name)
        hashes = (key_card_hash(cards[0]), key_card_hash(cards[1]))
        await line.act(drafts.line_opened(hashes, None))
        await line.act(drafts.line_terms(record.link_lost))

    def _event(self, line: str, event: Event) -> None:
        desk = self._desk_of(line)
        match event:
            case PeerMisbehaved(reason=reason):
                self.audit(AuditEvent.PEER_MISBEHAVED, line=line, reason=reason)
            case PushRefused(code=code, detail=detail):
                self.audit(AuditEvent.PUSH_REFUSED, line=line, code=code, detail=detail)
            case ForkFound():
                desk.broken = "The other node has signed two histories. Do not trust this line."
                self.audit(AuditEvent.FORK_FOUND, line=line)
            case LineBroken(reason=reason):
                desk.broken = f"This line has ended: {reason}. Pair it anew."
                self.audit(AuditEvent.LINE_BROKEN, line=line, reason=reason)
        desk.board.event(event)

    def _storage(self, line: str, error: StorageError | None) -> None:
        desk = self._desk_of(line)
        desk.broken = None
        if error is not None:
            desk.broken = f"Nothing can be written now: {error}. {error.advice()}"
            self.audit(AuditEvent.STORAGE_REFUSED, line=line, error=str(error))
        self.desk.changed()

    def _desk_of(self, line: str) -> LineDesk:
        return next(d for d in self.desk.lines() if d.line.identity.line == line)

    # -- recordings that a crash left open

    async def _close_interrupted_recordings(self) -> None:
        for record in self.store.read(find_open_recordings):
            await self._close_interrupted(record)

    async def _close_interrupted(self, record: RecordingRecord) -> None:
        try:
            closed = await asyncio.to_thread(recover, self.folder / record.path)
        except (MalformedError, OSError) as error:
            self.audit(AuditEvent.RECORDER_FAILED, call=record.call, reason=str(error))
            return
        ended = RecordingRecord(
            call=record.call,
            origin=record.origin,
            track=record.track,
            path=record.path,
            opened_at_us=record.opened_at_us,
            sha256=closed.sha256,
            size_octets=closed.size,
        )
        await self.store.close_recording(ended)
        line = self._lines.get(record.origin.rpartition("/")[2])
        if line is not None:
            reason = Text("en", "the node was interrupted")
            draft = drafts.record_off(
                record.call, (record.origin, record.track), closed.sha256, closed.size, reason
            )
            with contextlib.suppress(OperatorError):
                await line.act(draft)

    # -- what strangers do

    def _peer_refused(self, reason: str, fingerprint: str | None, address: str) -> None:
        self.audit(
            AuditEvent.UNKNOWN_PEER_KEY, reason=reason, fingerprint=fingerprint, address=address
        )

    def _pairing_refused(self, reason: str, fingerprint: str | None, address: str) -> None:
        del fingerprint  # the pairing listener asks for none
        self.audit(AuditEvent.PAIRING_REFUSED, reason=reason, address=address)

    def _dial_failed(self, line: str, address: str, error: Exception) -> None:
        _LOG.info("dialling %s for line %s failed: %s", address, line, error)

    # -- commands of the operator

    def _commands(self) -> dict[str, Callable[..., Any]]:
        return {
            "invite": self._invite,
            "accept": self._accept,
            "confirm": self._confirm,
            "lines": self._list_lines,
            "test": self._test,
            "freeze": self._freeze,
            "link": self._sign_in_link,
            "card": self._card,
        }

    async def _invite(self, request: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
        out = Path(request["out"])
        hosts = [address.rpartition(":")[0] for address in self.settings.link.addresses]
        addresses = tuple(f"{host}:{self._pairing.port}" for host in hosts)
        line = await self._introductions.invite(out, addresses)
        progress({"say": f"{out} written: hand it over. It works once, for ten minutes. Waiting …"})
        paired = await self._introductions.wait_accepted(line)
        return {"words": " ".join(paired.words), "peer": paired.peer_card.name}

    async def _accept(self, request: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
        paired = await self._introductions.accept(request["invitation"])
        return {"words": " ".join(paired.words), "peer": paired.peer_card.name}

    async def _confirm(self, request: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
        record = self._introductions.confirm(request["peer"], request["words"])
        await self.store.add_line(record)
        self._introductions.forget(request["peer"])
        await self._start_line(record)
        self.audit(AuditEvent.LINE_CONFIRMED, line=record.line, peer=record.peer_name)
        return {"line": record.line}

    async def _list_lines(
        self, request: Mapping[str, Any], progress: Progress
    ) -> Mapping[str, Any]:
        return {"lines": [self._line_report(line) for line in self._lines.values()]}

    def _line_report(self, line: Line) -> Mapping[str, Any]:
        identity, machine = line.identity, line.machine
        since = line.up_since_us
        return {
            "line": identity.line,
            "peer": identity.peer_name,
            "up": since is not None,
            "since_us": since if since is not None else line.down_since_us,
            "own_size": machine.fold.size(identity.own_card.log.name),
            "cosigned": machine.cosigned_by_peer,
            "their_size": machine.fold.size(identity.peer_card.log.name),
        }

    async def _test(self, request: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
        line = self._line_to(request["peer"])
        began = time.monotonic()
        held = await line.act(drafts.line_test())
        board = self._desk_of(line.identity.line).board
        try:
            async with asyncio.timeout(TEST_TIMEOUT_S):
                await board.wait_tested((held.origin, held.index))
        except TimeoutError as error:
            raise OperatorError(
                f"{request['peer']} has not answered the test within {TEST_TIMEOUT_S:g} s",
                advice="The test stands in the log. See: telcon line list",
            ) from error
        return {"ms": round((time.monotonic() - began) * 1_000, 1)}

    async def _freeze(self, request: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
        line = self._line_to(request["peer"])
        await line.act(drafts.line_frozen(Text("en", request["reason"])))
        return {}

    async def _sign_in_link(
        self, request: Mapping[str, Any], progress: Progress
    ) -> Mapping[str, Any]:
        if request["name"] != self.settings.principal.name:
            raise OperatorError(
                f"nobody here is called {request['name']!r}",
                advice=f"The principal of this node is {self.settings.principal.name!r}.",
            )
        secret = await self.sign_in.make_link()
        self.audit(AuditEvent.LINK_MADE)
        web = self.settings.web
        return {"link": f"http://{web.names[0]}:{self.web_port}/sign-in#{secret}"}

    async def _card(self, request: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
        card = self._line_to(request["peer"]).identity.own_card
        return {"card": format_key_card(card).decode(), "hash": key_card_hash(card).hex()}

    web_port = 0

    def _line_to(self, peer: str) -> Line:
        found = [line for line in self._lines.values() if line.identity.peer_name == peer]
        if not found:
            raise OperatorError(f"there is no line to {peer}", advice="See: telcon line list")
        return found[-1]
