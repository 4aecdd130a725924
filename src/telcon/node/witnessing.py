"""A node as a witness of logs that others write: its key, what it takes, what it has cosigned.

`telcon.ledger.witness` decides. Here it is made durable before anything is signed, in this order:

1. the database, only if size and root still are those that were decided upon;
2. a file beside the key, in the folder that no backup brings back;
3. the signature.

After a database was restored from a backup the file knows better, and counts. The key lies with
these files, so that neither comes back without the other: a key that had forgotten what it signed
could be led to sign a second history. Where the folder is lost, the node makes another key.
"""

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from telcon.errors import MalformedError, OperatorError, StorageError
from telcon.ledger import (
    COSIGNATURE_ED25519,
    ED25519,
    Checkpoint,
    SigningKey,
    VerifierKey,
    add_signature_lines,
    cosign,
    format_checkpoint,
    format_vkey,
    organisation,
    parse_checkpoint_untrusted,
    parse_note_untrusted,
    parse_vkey,
)
from telcon.ledger.signing import SEED_OCTETS
from telcon.ledger.witness import (
    PLAIN_TYPE,
    Accepted,
    Answer,
    Refused,
    Witnessed,
    cosigned_answer,
    decide,
)
from telcon.node.audit import AuditEvent
from telcon.node.folder import NEVER_RESTORE, write_once
from telcon.node.pace import Pace
from telcon.node.store import Store, witnessed

__all__ = ["Witnessing", "witness_name"]

KEY_FILE: Final = "witness.key"
MAX_LOGS: Final = 1_024
MAX_KEPT: Final = 64  # refused requests of one log; the first two prove it

# A log that behaves asks once a minute; each that is taken costs this disk a few syncs.
BURST: Final = 30
REFILL_S: Final = 10.0


def witness_name(node: str) -> str:
    """Return the key name under which the node `node` witnesses."""
    return f"{node}/witness"


class Witnessing:
    """What this node witnesses. Everything on the node's loop."""

    def __init__(
        self,
        folder: Path,
        name: str,
        store: Store,
        *,
        audit: Callable[..., None],
        now_s: Callable[[], int] = lambda: int(time.time()),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Witness as the node `name` in `folder`; `now_s` is the wall clock, `clock` monotonic."""
        self._never_restore = folder / NEVER_RESTORE
        self._node = name
        self._store, self._audit, self._now_s, self._clock = store, audit, now_s, clock
        self._own: SigningKey | None = None
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._paces: dict[str, Pace] = {}
        self._shown: dict[str, tuple[int, bytes]] = {}  # by origin: size, cosigned note
        self._hashed: dict[str, str] | None = None  # origin by its hash, read at first use
        self._trouble = ""  # of the disk, as last told

    @property
    def vkey(self) -> VerifierKey:
        """Return this witness's key, for others to keep.

        Raises:
            StorageError: it cannot be read, or made.
        """
        return VerifierKey(witness_name(self._node), COSIGNATURE_ED25519, self._key().public)

    # -- what the operator does

    async def admit(self, vkey: str) -> witnessed.WitnessedLog:
        """Take the log of that key from now on, from where it was left if it was taken before.

        Raises:
            OperatorError: no log's key, of this node's own organisation, another key of a log that
                is known, or there are too many.
            StorageError: the disk refused.
        """
        key = _log_key(vkey)
        if organisation(key.name).casefold() == self._node.casefold():
            raise OperatorError(
                f"{key.name} is a log of this node itself",
                advice="A witness is of another organisation than the log.",
            )

        def work(connection: Connection) -> witnessed.WitnessedLog:
            found = witnessed.find(connection, key.name)
            if found is not None and found.vkey != format_vkey(key):
                raise OperatorError(
                    f"{key.name} is known here under another key",
                    advice="A log keeps its key for ever; one with a new key has a new name.",
                )
            if found is None:
                if len(witnessed.find_all(connection)) >= MAX_LOGS:
                    raise OperatorError(f"this node witnesses {MAX_LOGS} logs already")
                found = witnessed.WitnessedLog(key.name, format_vkey(key), admitted=True)
                witnessed.add(connection, found)
            witnessed.set_admitted(connection, key.name, admitted=True)
            return found

        admitted = await self._store.commit(work)
        self._hashed = None
        self._audit(AuditEvent.WITNESS_ADMITTED, origin=key.name)
        return admitted

    async def dismiss(self, origin: str) -> None:
        """Take that log no more; how far it was cosigned stays known.

        Raises:
            OperatorError: it is none that is taken.
            StorageError: the disk refused.
        """

        def work(connection: Connection) -> bool:
            return witnessed.set_admitted(connection, origin, admitted=False)

        if not await self._store.commit(work):
            raise OperatorError(
                f"this node does not witness {origin}", advice="See: telcon witness list"
            )
        self._audit(AuditEvent.WITNESS_DISMISSED, origin=origin)

    def logs(self) -> list[witnessed.WitnessedLog]:
        """Return every log that is or was taken, as far as it was cosigned."""
        return [self._newer(log) for log in self._store.read(witnessed.find_all)]

    def refused(self) -> list[witnessed.RefusedRequest]:
        """Return what was signed and does not fit, oldest first."""
        return self._store.read(witnessed.find_refused)

    # -- what strangers ask

    async def add_checkpoint(self, body: bytes) -> Answer:
        """Answer one `add-checkpoint` (c2sp.org/tlog-witness).

        Cancellation: it may be cosigned up to there without anybody having the signature.
        """
        try:
            answer = await self._answer(body)
        except StorageError as error:
            if str(error) != self._trouble:  # once, however many ask
                self._audit(AuditEvent.STORAGE_REFUSED, error=str(error))
            self._trouble = str(error)
            return _plain(503, "this witness can store nothing now: ask again later")
        if answer.status == 200:
            self._trouble = ""
        return answer

    def checkpoint(self, hashed_origin: str) -> bytes | None:
        """Return the newest checkpoint cosigned of the log whose origin has that SHA-256, in hex.

        Raises:
            StorageError: the disk refused.
        """
        if self._hashed is None:
            logs = self._store.read(witnessed.find_all)
            self._hashed = {sha256(log.origin.encode()).hexdigest(): log.origin for log in logs}
        origin = self._hashed.get(hashed_origin)
        if origin is None:
            return None
        log = self._store.read(lambda connection: witnessed.find(connection, origin))
        return self._show(log) if log is not None else None

    async def _answer(self, body: bytes) -> Answer:
        while True:
            decision = decide(body, self._look_up)
            if isinstance(decision, Refused):
                return await self._refuse(body, decision)
            answer = await self._accept(decision)
            if answer is not None:
                return answer  # else another request was faster: the same again, from there

    async def _accept(self, accepted: Accepted) -> Answer | None:
        """Make it durable, then sign; None if it was decided upon what stands no more."""
        checkpoint, origin = accepted.checkpoint, accepted.checkpoint.origin
        if not self._pace(origin).take():
            return _plain(429, "too often: ask again in a minute")
        async with self._locks[origin]:
            log = self._store.read(lambda connection: witnessed.find(connection, origin))
            if log is None or not log.admitted or _stands(self._newer(log)) != accepted.was:
                return None

            def work(connection: Connection) -> bool:
                return witnessed.advance(
                    connection,
                    origin,
                    _stands(log),
                    checkpoint.size,
                    checkpoint.root,
                    accepted.note,
                )

            if not await self._store.commit(work):
                return None
            await asyncio.to_thread(self._write_marker, checkpoint)
            answer = cosigned_answer(accepted, self.vkey.name, self._key(), self._now_s())
            cosigned = add_signature_lines(accepted.note, [answer.body])
            self._shown[origin] = (checkpoint.size, cosigned)
        return answer

    async def _refuse(self, body: bytes, refused: Refused) -> Answer:
        """Keep what may prove that a log has forked."""
        if refused.proves and self._pace(refused.origin).take():
            log = self._store.read(lambda connection: witnessed.find(connection, refused.origin))
            request = witnessed.RefusedRequest(
                refused.origin,
                body,
                log.note if log is not None else None,
                self._now_s() * 1_000_000,
            )
            if await self._store.commit(lambda c: witnessed.keep_refused(c, request, MAX_KEPT)):
                status = refused.answer.status
                self._audit(AuditEvent.WITNESS_REFUSED, origin=refused.origin, status=status)
        return refused.answer

    def _look_up(self, origin: str) -> Witnessed | None:
        log = self._store.read(lambda connection: witnessed.find(connection, origin))
        if log is None or not log.admitted:
            return None
        log = self._newer(log)
        return Witnessed((parse_vkey(log.vkey),), log.size, log.root)

    def _show(self, log: witnessed.WitnessedLog) -> bytes | None:
        if not log.admitted or log.note is None or self._newer(log) is not log:
            return None
        size, cosigned = self._shown.get(log.origin, (-1, b""))
        if size != log.size:  # the node was restarted
            text = parse_note_untrusted(log.note).text
            line = cosign(text, self.vkey.name, self._key(), self._now_s())
            cosigned = add_signature_lines(log.note, [line])
            self._shown[log.origin] = (log.size, cosigned)
        return cosigned

    def _pace(self, origin: str) -> Pace:
        if origin not in self._paces:
            self._paces[origin] = Pace(BURST, REFILL_S, self._clock)
        return self._paces[origin]

    # -- what no backup brings back

    def _newer(self, log: witnessed.WitnessedLog) -> witnessed.WitnessedLog:
        """Return `log` as last signed: the database may come from a backup."""
        marked = self._read_marker(log.origin)
        if marked is None or marked.size <= log.size:
            return log
        return witnessed.WitnessedLog(
            log.origin, log.vkey, log.admitted, marked.size, marked.root, None
        )

    def _read_marker(self, origin: str) -> Checkpoint | None:
        path = self._marker(origin)
        try:
            return parse_checkpoint_untrusted(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, MalformedError) as error:
            raise StorageError(
                f"{path} cannot be read: {error}",
                advice=f"Mend the disk. If the file is lost, remove {KEY_FILE} beside it: the node"
                " then makes another witness key, which you have to tell to who names this one.",
            ) from error

    def _write_marker(self, checkpoint: Checkpoint) -> None:
        path = self._marker(checkpoint.origin)
        try:
            write_once(path, format_checkpoint(checkpoint))
        except OSError as error:
            raise StorageError(
                f"{path} cannot be written: {error.strerror}",
                advice="Free space or mend the disk.",
            ) from error

    def _marker(self, origin: str) -> Path:
        return self._never_restore / f"witnessed-{sha256(origin.encode()).hexdigest()}"

    def _key(self) -> SigningKey:
        """Return the key, made at first use."""
        if self._own is None:
            path = self._never_restore / KEY_FILE
            try:
                if not path.exists():
                    write_once(path, os.urandom(SEED_OCTETS))
                seed = path.read_bytes()
            except OSError as error:
                raise StorageError(
                    f"the witness key {path} cannot be used: {error.strerror}",
                    advice="Make it readable and its folder writable for the node's user.",
                ) from error
            if len(seed) != SEED_OCTETS:
                raise StorageError(
                    f"{path} is no witness key",
                    advice="Remove it: the node makes another, which you have to tell to others.",
                )
            self._own = SigningKey(seed)
        return self._own


def _log_key(vkey: str) -> VerifierKey:
    try:
        key = parse_vkey(vkey)
    except MalformedError as error:
        raise OperatorError(
            f"not a verifier key: {error}",
            advice="Give the log's key as its key card has it: name+id+base64.",
        ) from error
    if key.type != ED25519:
        raise OperatorError(
            f"{key.name} is a cosigner's key, not a log's",
            advice='Give the key that its key card calls "log".',
        )
    return key


def _stands(log: witnessed.WitnessedLog) -> tuple[int, bytes]:
    return log.size, log.root


def _plain(status: int, reason: str) -> Answer:
    return Answer(status, f"{reason}\n".encode(), PLAIN_TYPE)
