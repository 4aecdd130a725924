"""The audit file: what an auditor wants to find later, one JSON object a line, on the disk at once.

    {"time_us":1767225600000000,"event":"audit.peer.unknown-key","fields":{"fingerprint":"…"}}

It is for what was refused, who signed in, what was exported, what broke. It never holds a secret:
field names
that sound like one are refused. Values come from outside at times, so they are bounded and escaped:
a line is ASCII, and one event is one line.
"""

import json
import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from telcon.errors import MisuseError, StorageError

__all__ = ["AuditEvent", "AuditFile"]

# Waiting lines; a peer that floods us with refusals fills this, not the memory. What is dropped is
# counted.
MAX_WAITING = 1_024
RETRY_S = 1.0  # what a full disk refused is written when there is room
MAX_VALUE_CHARACTERS = 1_000
SECRET_WORDS = ("key", "secret", "token", "password", "sdp", "cookie", "seed")

AuditValue = str | int | bool | None

_log = logging.getLogger(__name__)


class AuditEvent(StrEnum):
    """Every event there is, with what its fields say."""

    NODE_STARTED = "audit.node.started"
    """The node runs: version, settings (SHA-256 of node.toml)."""
    NODE_STOPPED = "audit.node.stopped"
    NODE_SECOND = "audit.node.second"
    """A second node was started on this folder, and refused: why."""
    PORT_IN_USE = "audit.node.port-in-use"
    """why."""
    NOT_STARTED = "audit.node.not-started"
    """The node did not start: why."""
    OUT_OF_FILES = "audit.node.out-of-files"
    """Nobody could be let in, for the process has no descriptor left: what."""
    STORAGE_REFUSED = "audit.node.storage-refused"
    """The disk or the database refused: error."""
    SETTINGS_CHANGED = "audit.settings.changed"
    """node.toml is another than at the last start: was, settings."""

    LINK_MADE = "audit.web.link-made"
    """A one-time sign-in link."""
    SIGNED_IN = "audit.web.signed-in"
    """principal, client."""
    SIGN_IN_REFUSED = "audit.web.sign-in-refused"
    """reason, client."""
    SIGNED_OUT = "audit.web.signed-out"
    """client; or, on every device by `telcon sign-out`, how many: sessions."""
    WRONG_ORIGIN = "audit.web.wrong-origin"
    """A page of another site asked: origin, client."""
    WRONG_HOST = "audit.web.wrong-host"
    """host, client."""
    MICROPHONE_REFUSED = "audit.web.microphone-refused"
    """The browser or the person refused the microphone: why."""

    PUSH_ON = "audit.push.turned-on"
    """A browser is woken from now on: session, service."""
    PUSH_OFF = "audit.push.turned-off"
    """It is woken no more: session, service, why (asked for, or gone)."""
    PUSH_FAILED = "audit.push.failed"
    """A ring could not be given to the push service: session, service, why."""

    INVITATION_MADE = "audit.pairing.invitation-made"
    INVITATION_UNKNOWN = "audit.pairing.invitation-unknown"
    INVITATION_EXPIRED = "audit.pairing.invitation-expired"
    INVITATION_REUSED = "audit.pairing.invitation-reused"
    PAIRING_REFUSED = "audit.pairing.refused"
    """The steps or the words did not fit: line, reason."""
    RENEWAL_ASKED = "audit.pairing.renewal-asked"
    """The operator wants new keys for a line, without words: line, peer."""
    LINE_CONFIRMED = "audit.pairing.line-confirmed"
    """line, peer."""

    UNKNOWN_PEER_KEY = "audit.peer.unknown-key"
    """A certificate that no line pins: fingerprint, address."""
    WRONG_PEER_KEY = "audit.peer.wrong-key"
    """The peer we dialled showed another certificate than the pinned one: line, fingerprint."""
    MALFORMED_FRAME = "audit.peer.malformed-frame"
    """line, reason."""
    ENTRY_OVER_LIMIT = "audit.peer.entry-over-limit"
    """line, octets."""
    PUSH_REFUSED = "audit.peer.push-refused"
    """We refused theirs or they ours: line, by, code, first, detail."""
    PEER_MISBEHAVED = "audit.peer.misbehaved"
    """line, reason."""
    PEER_SLOWED = "audit.peer.slowed"
    """It has sent more than anybody needs to say, and is read slowly from now on: line."""
    FORK_FOUND = "audit.line.fork-found"
    """Two histories under one signature: line, origin."""
    WRONG_SEEN = "audit.line.wrong-seen"
    """An entry of the other node claims another history of our log: line, origin, index."""
    WRONG_PREVIOUS = "audit.line.wrong-previous"
    """Their log does not go on from what is held here of the one before: line, why, origin."""
    LINE_BROKEN = "audit.line.broken"
    """line, reason."""
    LINE_REFILLED = "audit.line.refilled"
    """The store had lost what our log was signed to; the other side gave it back: line, entries."""
    LINE_ACKNOWLEDGED = "audit.line.acknowledged"
    """The operator took note of two histories: line, reason."""
    EVIDENCE_EXPORTED = "audit.line.evidence-exported"
    """A folder of evidence is about to be written: line, folder."""

    LINE_PUBLISHED = "audit.line.published"
    """Who knows the line may ask for our checkpoint, or no more: line, published."""
    LINE_WITNESS_ADDED = "audit.line.witness-added"
    """A further witness was named: line, witness, url."""
    LINE_WITNESS_REMOVED = "audit.line.witness-removed"
    """line, witness."""
    WITNESS_FAILED = "audit.line.witness-failed"
    """A further witness did not sign, or for another reason than before: line, witness, why."""

    WITNESS_ADMITTED = "audit.witness.admitted"
    """A log of others is witnessed from now on: origin."""
    WITNESS_DISMISSED = "audit.witness.dismissed"
    """It is witnessed no more: origin."""
    WITNESS_REFUSED = "audit.witness.refused"
    """A log signed what does not fit what was witnessed; it is kept: origin, status."""

    ACT_REFUSED = "audit.call.act-refused"
    """The fold would have voided it: call, act, why."""
    OPENING_UNREADABLE = "audit.call.opening-unreadable"
    """What a seal held cannot be read: call, why."""
    TRUNK_KEY_MISMATCH = "audit.call.trunk-mismatch"
    """What keys the trunk is not what ring or answer sealed: call."""

    WRONG_FINGERPRINT = "audit.media.fingerprint-mismatch"
    """DTLS showed another certificate than the one logged: expected, found."""
    WRONG_ICE_PASSWORD = "audit.media.bad-integrity"  # noqa: S105 -- the name of an event
    """A known user name with bad integrity: address, count."""
    UNKNOWN_ICE_USER = "audit.media.unknown-user"
    """address, count."""

    RECORDER_FAILED = "audit.record.failed"
    """call, why."""
    RECORDER_OFF = "audit.record.switched-off"
    """Somebody switched our recorder off: call, why, from_page or by the operator's command."""
    RECORDER_ON = "audit.record.switched-on"
    """call, why (null), from_page."""
    KEEPER_ADDED = "audit.record.keeper-added"
    """Records of a line are sealed to one more record-keeper from now on: line, keeper."""
    KEEPER_REMOVED = "audit.record.keeper-removed"
    """line, keeper."""
    RECORD_UNSEALED = "audit.record.unsealed"
    """A record-keeper's key opened a record: call, keeper, folder."""
    RECORD_DESTROYED = "audit.record.destroyed"
    """call, reason."""
    RECORD_NOT_AGREED = "audit.record.not-agreed"
    """Work on agreeing a record has ended without it: call, why."""
    RECORD_DAMAGED = "audit.record.damaged"
    """This node's own record cannot be opened, and is closed as if it were empty: call, why."""
    RECORD_UNREADABLE = "audit.record.unreadable"
    """What the other side asked for could not be read: call, why."""
    RECORD_UNLOGGED = "audit.record.unlogged"
    """What was recorded could not be said in the log: call, act, why."""
    RECORD_OPENED = "audit.record.opened"
    """The timeline of a call was shown: call."""
    EXPORT_MADE = "audit.record.exported"
    """A folder is about to be written: layer (or coverage, absence, excerpt), folder, and call
    or line."""

    HOUSE_ENDED = "audit.house.ended"
    """The house log could not go on, and a new one was opened: origin, reason."""
    HOUSE_EXPORTED = "audit.house.exported"
    """A receipt of a house entry is about to be written: origin, index, folder."""
    HOUSE_PINNED = "audit.house.pinned"
    """The other node has stated its house log and witness for the first time: line, log,
    witness."""
    HOUSE_PIN_REFUSED = "audit.house.pin-refused"
    """It states others than those, and is not believed: line, changed."""
    HOUSE_TRUSTED = "audit.house.trusted"
    """The operator takes what the other node states now: line, log, witness."""
    HOUSE_UNWITNESSED = "audit.house.not-cosigned"
    """The other node does not cosign our house log: line, status, reason."""
    HOUSE_WITNESS_LIED = "audit.house.false-cosignature"
    """It says that it cosigned our house log, and has not: line, reason."""

    EVENTS_DROPPED = "audit.events-dropped"
    """More came than the disk took: count."""


class AuditFile:
    """Appends events to one file, from a thread of its own; `event` never waits for the disk.

    What the disk refuses waits until it takes it, so that a full disk is found in the file later.
    """

    def __init__(
        self, path: Path, now_us: Callable[[], int] = lambda: time.time_ns() // 1_000
    ) -> None:
        """Open the file at `path` (0600) for appending; `now_us` is the clock.

        Raises:
            StorageError: it cannot be opened.
        """
        self._path = path
        self._now_us = now_us
        self._waiting: queue.Queue[bytes | None] = queue.Queue(MAX_WAITING)
        self._dropped = 0
        self._is_refused = False  # by the disk, the last time
        self._dropped_lock = threading.Lock()  # guards the count alone
        self._descriptor = _open(path)
        self._thread = threading.Thread(target=self._run, name="telcon-audit", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def event(self, name: str, /, **fields: AuditValue) -> None:
        """Add one event; from any thread.

        Raises:
            MisuseError: the name is none of `AuditEvent`, or a field sounds like a secret.
        """
        line = self._format(name, fields)
        try:
            self._waiting.put_nowait(line)
        except queue.Full:
            with self._dropped_lock:
                self._dropped += 1

    def close(self) -> None:
        """Write what waits, if the disk takes it, and close; blocks for a few syncs at most."""
        self._waiting.put(None)
        self._thread.join()
        os.close(self._descriptor)

    def _format(self, name: str, fields: dict[str, AuditValue]) -> bytes:
        if name not in frozenset(AuditEvent):
            raise MisuseError(f"{name!r} is no audit event; see telcon.node.audit.AuditEvent")
        for field in fields:
            if any(word in field.lower() for word in SECRET_WORDS):
                raise MisuseError(f"the audit field {field!r} sounds like a secret")
        short = {field: _shorten(value) for field, value in fields.items()}
        event = {"time_us": self._now_us(), "event": str(name), "fields": short}
        return json.dumps(event, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"

    # -- in the thread

    def _run(self) -> None:
        kept: list[bytes] = []  # what the disk has not taken yet
        ending = False
        while not ending:
            ending = self._gather(kept)
            if self._append(kept):
                kept.clear()
        if kept:
            _log.error("audit.events-lost: %d, for the disk took none until the end", len(kept))

    def _gather(self, kept: list[bytes]) -> bool:
        """Add what waits to `kept`; return whether the end was among it."""
        try:
            line = self._waiting.get(timeout=RETRY_S if kept else None)
            while line is not None:
                self._keep(kept, line)
                line = self._waiting.get_nowait()
        except queue.Empty:
            return False
        return True

    def _keep(self, kept: list[bytes], line: bytes) -> None:
        if len(kept) < MAX_WAITING:
            kept.append(line)
        else:  # how it began is worth more than how it went on
            with self._dropped_lock:
                self._dropped += 1

    def _append(self, kept: list[bytes]) -> bool:
        """Write all lines and sync them, or none; return whether the disk took them."""
        with self._dropped_lock:
            dropped, self._dropped = self._dropped, 0
        more = [self._format(AuditEvent.EVENTS_DROPPED, {"count": dropped})] if dropped else []
        data = b"".join(kept + more)
        if not data:
            return True
        length = os.fstat(self._descriptor).st_size
        try:
            _write_whole(self._descriptor, data)
            os.fdatasync(self._descriptor)
        except OSError as error:
            if not self._is_refused:
                _log.error("audit.write-failed: events wait: %s", error)
            self._is_refused = True
            with self._dropped_lock:
                self._dropped += dropped
            _drop_half_written(self._descriptor, length, data)
            return False
        self._is_refused = False
        return True


def _shorten(value: AuditValue) -> AuditValue:
    if isinstance(value, str) and len(value) > MAX_VALUE_CHARACTERS:
        return value[:MAX_VALUE_CHARACTERS] + "…"
    return value


def _open(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        length = os.fstat(descriptor).st_size
        # A power loss may have torn the last line; the next event starts on one of its own.
        if length and os.pread(descriptor, 1, length - 1) != b"\n":
            os.write(descriptor, b"\n")
    except OSError as error:
        raise StorageError(
            f"the audit file {path} cannot be written: {error.strerror}",
            advice="Free space, or make the node's folder writable for its user.",
        ) from error
    return descriptor


def _write_whole(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _drop_half_written(descriptor: int, length: int, data: bytes) -> None:
    """Cut what stands after `length`, if it is the beginning of `data` and nothing of others."""
    try:
        if data.startswith(os.pread(descriptor, len(data) + 1, length)):
            os.ftruncate(descriptor, length)
    except OSError as error:
        _log.error("audit.truncate-failed: half a line may stay: %s", error)
