"""What the two nodes of a line tell each other of their house logs, on one connection, without IO.

Each states the keys of its house log and of its witness, and the newest checkpoint of the other's
house log that it has cosigned. The keys are pinned at first sight, for as long as the line lasts:
the link says who states them, and who states others later is not believed. Each full hour each asks
the other to cosign, by the rules of c2sp.org/tlog-witness, and verifies what it answers.
"""

from dataclasses import dataclass
from typing import Final

from telcon.core.house import is_house_origin
from telcon.core.house_log import HouseLog
from telcon.core.signals import HouseSignal, parse_house_answer_untrusted, parse_house_untrusted
from telcon.errors import MalformedError
from telcon.ledger import (
    COSIGNATURE_ED25519,
    ED25519,
    VerifierKey,
    format_checkpoint,
    format_vkey,
    organisation,
    parse_vkey,
)
from telcon.ledger.witness import Asked, Cosignatures, Refusal, SizeHint, read_answer_untrusted

__all__ = ["HouseExchange", "Pins", "Stated"]

UNASKED: Final = -1


@dataclass(frozen=True, slots=True)
class Pins:
    """The keys of a peer that its house log and its cosignatures are held to."""

    log: VerifierKey
    """Signs its house log."""
    witness: VerifierKey
    """Cosigns house logs of others."""


@dataclass(frozen=True, slots=True)
class Stated:
    """What a peer has stated on this connection."""

    pins: Pins
    """As stated; what counts is what was pinned."""
    last: bytes
    """Its newest checkpoint of our house log, unverified; empty if it has none."""
    is_first: bool
    """Whether nothing was pinned yet: then these are to be."""
    changed: tuple[str, ...]
    """Names of the keys that are not those that were pinned."""


class HouseExchange:
    """One side of one line, over all its connections."""

    def __init__(self, peer: str, taken: frozenset[bytes], pins: Pins | None) -> None:
        """Exchange with the node `peer`; `taken`: public keys of this line that have other duties.

        `pins` are the keys pinned on this line before.
        """
        self.pins = pins
        self._peer = peer
        self._taken = taken
        self._stated: Pins | None = None
        self._held = 0  # of our house log, as the peer shows it
        self._asked: Asked | None = None
        self._hinted = False
        self._done: tuple[str, int] = ("", UNASKED)  # origin and size that need no more asking

    def down(self) -> None:
        """Forget what only this connection has told."""
        self._stated = None
        self._asked = None
        self._hinted = False
        self._done = ("", UNASKED)

    def is_owed_late(self, log: HouseLog) -> bool:
        """Say whether the peer owes an answer to what is no longer the newest."""
        signed = log.signed
        return self._asked is not None and signed is not None and self._asked.size < signed.size

    def statement(self, log: HouseLog, witness: VerifierKey, last: bytes) -> HouseSignal:
        """Return what to state first: our keys, and what we hold of the peer's house log."""
        return HouseSignal(format_vkey(log.vkey), format_vkey(witness), last)

    def state(self, data: bytes) -> Stated:
        """Take the peer's statement.

        Raises:
            MalformedError: it states no keys of its own, or one with another duty.
        """
        said = parse_house_untrusted(data)
        stated = Pins(parse_vkey(said.log), parse_vkey(said.witness))
        self._check(stated)
        self._stated = stated
        pins = self.pins
        changed = () if pins is None else tuple(_changed(pins, stated))
        return Stated(stated, said.last, pins is None, changed)

    def _check(self, stated: Pins) -> None:
        log, witness = stated.log, stated.witness
        if not (log.type == ED25519 and is_house_origin(log.name)):
            raise MalformedError(f"{log.name} is not the key of a house log")
        if witness.type != COSIGNATURE_ED25519:
            raise MalformedError(f"{witness.name} is not the key of a witness")
        for name in (log.name, witness.name):
            if organisation(name) != self._peer:
                raise MalformedError(f"{name} is not a key of {self._peer}")
        if log.public == witness.public or {log.public, witness.public} & self._taken:
            raise MalformedError("a key has two duties")

    def shown(self, size: int) -> None:
        """Take note that the peer has cosigned `size` entries of our house log."""
        self._held = size

    def ask(self, log: HouseLog) -> bytes | None:
        """Return what to ask of the peer now; None where it owes an answer or nothing is new.

        Raises:
            StorageError: our house log cannot be read; nothing counts as asked.
        """
        signed, pins = log.signed, self.pins
        if signed is None or pins is None or self._asked is not None:
            return None
        if self._stated is None or self._stated.witness != pins.witness:
            return None  # what it would answer is not what it is held to
        if self._held > signed.size or self._done == (log.origin, signed.size):
            return None
        if self._held == signed.size and log.is_cosigned(signed.size, pins.witness):
            return None
        body = log.submission(self._held)
        self._asked = Asked(format_checkpoint(signed), self._held, signed.size, self._hinted)
        self._hinted = False
        self._done = (log.origin, signed.size)
        return body

    def answer(self, data: bytes, log: HouseLog) -> Cosignatures | Refusal | None:
        """Take the peer's answer; a cosignature is kept by `log`. None: ask once more.

        Raises:
            MalformedError: nothing was asked, or it is not in the one form.
            SignatureError: it claims to have cosigned, and has not.
        """
        asked, pins = self._asked, self.pins
        if asked is None or pins is None:
            raise MalformedError("an answer to nothing that was asked")
        self._asked = None
        said = parse_house_answer_untrusted(data)
        found = read_answer_untrusted(said.status, said.body, asked, [pins.witness])
        if isinstance(found, SizeHint):
            self._held, self._hinted, self._done = found.size, True, ("", UNASKED)
            return None
        if isinstance(found, Cosignatures):
            self._held = asked.size
            if asked.text.startswith(f"{log.origin}\n".encode()) and not log.ended:
                for key, line, _ in found.lines:
                    log.keep_cosignature(asked.size, key, line)
        return found


def _changed(pins: Pins, stated: Pins) -> list[str]:
    pairs = ((pins.log, stated.log), (pins.witness, stated.witness))
    return [new.name for old, new in pairs if old != new]
