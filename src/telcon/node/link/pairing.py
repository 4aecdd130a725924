"""How two nodes come to know each other's keys: both sides of the exchange, without IO.

docs/protocol.md §8. Four frames, and one rule in their order: both sides are bound to a nonce
before either shows its own, so whoever sits in the middle cannot steer the six words of one side
towards those of the other; it has one try in 2^66. What each check stops stands at its line. The
words are all that proves who is at the other end: the secret only keeps strangers from trying.
"""

import hmac
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Final, Literal, NoReturn

import msgspec
from msgspec import Meta, Struct

from telcon.errors import InvitationError, InvitationRefusal, MalformedError
from telcon.ledger.keycard import KeyCard, parse_key_card
from telcon.node.link.invitation import SECRET_OCTETS, Invitation, secret_hash
from telcon.node.link.statement import Statement, parse_statement_untrusted
from telcon.node.link.tls import certificate_hash
from telcon.node.link.words import six_words, words_match

__all__ = [
    "NONCE_OCTETS",
    "AccepterMachine",
    "InviterMachine",
    "OwnSide",
    "Paired",
    "check_peer_untrusted",
]

NONCE_OCTETS: Final = 32
_CONTEXT = b"telcon pairing v1"
_NEW_ONE = "Ask the other side for a new invitation; each works once, for ten minutes."
_MAX_REASON_LETTERS = 200
_REFUSED_BY_PEER: Final = {
    InvitationRefusal.UNKNOWN: (
        "the other side does not know this invitation: it is unknown",
        _NEW_ONE,
    ),
    InvitationRefusal.EXPIRED: ("the invitation has expired, by the other side's clock", _NEW_ONE),
    InvitationRefusal.USED: ("the invitation was used already", _NEW_ONE),
    InvitationRefusal.LINE_EXISTS: (
        "the other side has a line with this node already",
        "Use that line. If it is not to be trusted, freeze it on both nodes first, then pair anew.",
    ),
    InvitationRefusal.NOT_STORED: (
        "the other side's node could not store the pairing",
        "Ask its operator to look at its disk; then ask for a new invitation.",
    ),
}
"""What the person reads who accepts: what happened, and what to do."""

Octets16 = Annotated[bytes, Meta(min_length=SECRET_OCTETS, max_length=SECRET_OCTETS)]
Octets32 = Annotated[bytes, Meta(min_length=32, max_length=32)]


@dataclass(frozen=True, slots=True)
class OwnSide:
    """What this node states in a pairing."""

    card: bytes
    """Its key card for the line."""
    statement: bytes


@dataclass(frozen=True, slots=True)
class Paired:
    """What a pairing came to. Worth nothing until people compared the words."""

    line: str
    own: OwnSide
    peer: OwnSide
    peer_card: KeyCard
    peer_statement: Statement
    words: tuple[str, ...]
    """Six; the same on both sides unless somebody sits in between."""

    @property
    def peer_certificate(self) -> bytes:
        """Return the certificate to pin, DER; its hash stands in the peer's key card."""
        return self.peer_statement.certificate_der

    def confirm(self, typed: str) -> bool:
        """Return whether `typed` are the words, whatever their case and spacing."""
        return words_match(self.words, typed)


class _Accept(Struct, frozen=True, array_like=True, tag="accept", forbid_unknown_fields=True):
    version: Literal[1]
    secret: Octets16
    commitment: Octets32


class _Card(Struct, frozen=True, array_like=True, tag="card", forbid_unknown_fields=True):
    card: bytes
    statement: bytes
    proof: Octets32  # the inviter's commitment, the accepter's nonce


class _Reveal(Struct, frozen=True, array_like=True, tag="reveal", forbid_unknown_fields=True):
    nonce: Octets32


class _Refused(Struct, frozen=True, array_like=True, tag="refused", forbid_unknown_fields=True):
    reason: str
    code: str = InvitationRefusal.OTHER


_Frame = _Accept | _Card | _Reveal | _Refused
_DECODER = msgspec.msgpack.Decoder(_Frame)


class _Machine:
    """What both sides share: frames out, and how a pairing is refused."""

    def __init__(self, nonce: bytes) -> None:
        self.result: Paired | None = None
        self._nonce = nonce
        self._outgoing: list[bytes] = []
        self._over = False

    def frames_to_send(self) -> list[bytes]:
        """Return the frames to be sent now, also after an error."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def refuse(self, reason: str, code: InvitationRefusal = InvitationRefusal.OTHER) -> NoReturn:
        """Tell the other side why this pairing ends here.

        Raises:
            InvitationError: always, with the same reason for the person on this side.
        """
        self.withdraw(reason, code)
        raise InvitationError(f"the pairing was refused: {reason}", advice=_NEW_ONE, refusal=code)

    def withdraw(self, reason: str, code: InvitationRefusal) -> None:
        """Take back what was not sent yet, and tell the other side why."""
        self._outgoing.clear()
        self.result = None
        self._send(_Refused(reason, code))
        self._over = True

    def _send(self, frame: _Frame) -> None:
        self._outgoing.append(msgspec.msgpack.encode(frame))

    def _read(self, data: bytes) -> _Frame:
        if self._over:
            raise InvitationError("this pairing is over", advice=_NEW_ONE)
        try:
            frame: _Frame = _DECODER.decode(data)
        except (ValueError, RecursionError):  # not chained: its words may quote the secret
            self.refuse("a frame that cannot be read")
        if isinstance(frame, _Refused):
            self._over = True
            raise _refused_by_peer(frame)
        return frame

    def _read_peer(self, frame: _Card, own: OwnSide) -> tuple[KeyCard, Statement]:
        """Check what the other side states against itself and against ours."""
        try:
            return check_peer_untrusted(own, OwnSide(frame.card, frame.statement))
        except MalformedError as error:
            self.refuse(str(error))

    def _finish(self, own: OwnSide, frame: _Card, peer_nonce: bytes) -> Paired:
        card, statement = self._read_peer(frame, own)
        peer = OwnSide(card=frame.card, statement=frame.statement)
        own_name = parse_key_card(own.card).name
        sides = sorted([(own_name, own, self._nonce), (card.name, peer, peer_nonce)], key=_by_name)
        digest = _transcript(card.line, ((side, nonce) for _, side, nonce in sides))
        return Paired(
            line=card.line,
            own=own,
            peer=peer,
            peer_card=card,
            peer_statement=statement,
            words=six_words(digest),
        )


class InviterMachine(_Machine):
    """The side that wrote the invitation; one for each connection that comes in.

    `receive_frame`; if `wanted` is set after it, look the invitation up and call `admit` or
    `refuse`; then send `frames_to_send`. Once `result` is set, store it before these go out.
    """

    def __init__(self, nonce: bytes) -> None:
        """Bind this side to `nonce`, 32 fresh random octets."""
        super().__init__(nonce)
        self.wanted: bytes | None = None
        """`secret_hash` of the secret shown."""
        self._peer_commitment = b""
        self._own: OwnSide | None = None

    def receive_frame(self, data: bytes) -> None:
        """Take a frame.

        Raises:
            InvitationError: the pairing is over; frames may be left to send all the same.
        """
        frame = self._read(data)
        if isinstance(frame, _Accept) and not self._peer_commitment:
            self._peer_commitment = frame.commitment
            self.wanted = secret_hash(frame.secret)
        elif isinstance(frame, _Card) and self._own is not None and self.result is None:
            # What the accepter committed to before it saw anything of ours.
            if not hmac.compare_digest(sha256(frame.proof).digest(), self._peer_commitment):
                self.refuse("the nonce is not the one committed to")
            self.result = self._finish(self._own, frame, frame.proof)
            self._send(_Reveal(self._nonce))
        else:
            self.refuse("a frame out of turn")

    def admit(self, own: OwnSide) -> None:
        """Go on as `own`: the invitation is known, not expired, and used up by now."""
        self.wanted = None
        self._own = own
        self._send(_Card(own.card, own.statement, sha256(self._nonce).digest()))


class AccepterMachine(_Machine):
    """The side that was handed the invitation. Send `frames_to_send` at once, then as they come."""

    def __init__(self, invitation: Invitation, own: OwnSide, nonce: bytes, *, now_us: int) -> None:
        """Answer `invitation` as `own`, bound to `nonce`, 32 fresh random octets.

        Raises:
            InvitationError: it has expired.
        """
        super().__init__(nonce)
        if now_us >= invitation.expires:
            ended = datetime.fromtimestamp(invitation.expires / 1_000_000, UTC)
            raise InvitationError(
                f"the invitation expired at {ended:%H:%M:%S} UTC, by this machine's clock",
                advice=_NEW_ONE + " If this one is fresh, set the clock.",
                refusal=InvitationRefusal.EXPIRED,
            )
        self._invitation = invitation
        self._own = own
        self._card: _Card | None = None
        self._send(_Accept(1, bytes.fromhex(invitation.secret), sha256(nonce).digest()))

    def receive_frame(self, data: bytes) -> None:
        """Take a frame; once `result` is set, the pairing is done.

        Raises:
            InvitationError: the pairing is over; frames may be left to send all the same.
        """
        frame = self._read(data)
        if isinstance(frame, _Card) and self._card is None:
            self._check_inviter(frame)
            self._card = frame
            self._send(_Card(self._own.card, self._own.statement, self._nonce))
        elif isinstance(frame, _Reveal) and self._card is not None and self.result is None:
            # What the inviter committed to before it saw our nonce.
            if not hmac.compare_digest(sha256(frame.nonce).digest(), self._card.proof):
                self.refuse("the nonce is not the one committed to")
            self.result = self._finish(self._own, self._card, frame.nonce)
        else:
            self.refuse("a frame out of turn")

    def _check_inviter(self, frame: _Card) -> None:
        """Hold the inviter to what the invitation says of it."""
        if sha256(frame.card).hexdigest() != self._invitation.keys:
            self.refuse("the keys are not those of the invitation")
        card, _ = self._read_peer(frame, self._own)
        if (card.name, card.tls) != (self._invitation.node, self._invitation.tls):
            self.refuse("the key card is not that of the node that invited")


def check_peer_untrusted(own: OwnSide, stated: OwnSide) -> tuple[KeyCard, Statement]:
    """Check what the other side has `stated` against itself and against ours.

    Raises:
        MalformedError: it cannot be read, or does not fit; it says why.
    """
    theirs = parse_key_card(stated.card)  # also refuses weak keys and foreign names
    statement = parse_statement_untrusted(stated.statement)
    ours = parse_key_card(own.card)
    if theirs.line != ours.line:
        raise MalformedError("the key cards are of different lines")
    if theirs.name == ours.name:
        raise MalformedError(f"both nodes are named {ours.name}")
    # One key on both sides would let its holder write both logs.
    keys = [key.public for card in (ours, theirs) for key in card.keys]
    if len(set(keys)) != len(keys):
        raise MalformedError("one key stands in both key cards")
    if theirs.tls == ours.tls or theirs.tls != certificate_hash(statement.certificate_der):
        raise MalformedError("the certificate stated is not that of the key card")
    return theirs, statement


def _refused_by_peer(frame: _Refused) -> InvitationError:
    """Return the error for a refusal: our own words where the code is known, else theirs."""
    try:
        code = InvitationRefusal(frame.code)
    except ValueError:  # of a later version
        code = InvitationRefusal.OTHER
    what, advice = _REFUSED_BY_PEER.get(code, ("", _NEW_ONE))
    theirs = "".join(c for c in frame.reason if c.isprintable())[:_MAX_REASON_LETTERS]
    words = what or f"the other side refused the pairing: {theirs}"
    return InvitationError(words, advice=advice, refusal=code)


def _by_name(side: tuple[str, OwnSide, bytes]) -> str:
    return side[0]


def _transcript(line: str, sides: Iterable[tuple[OwnSide, bytes]]) -> bytes:
    """Hash all that both sides stated, the name that sorts first first; lengths keep it unmixed."""
    digest = sha256(_CONTEXT + b"\0" + line.encode() + b"\0")
    for side, nonce in sides:
        for part in (side.card, side.statement):
            digest.update(struct.pack(">I", len(part)) + part)
        digest.update(nonce)
    return digest.digest()
