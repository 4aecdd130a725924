"""ICE for a node that everyone can reach (RFC 8445 §2.5 lite, RFC 8489, RFC 7675), both ends.

The node answers checks and sends none: `LiteAgent`. A device sends them until one is answered and
then as a sign of life: `ControllingAgent`, as far as it needs to talk to a lite agent. `StunRouter`
finds the agent by the user name of a check.

STUN is read by aioice's codec, whose parser lets several kinds of exception out and checks no
signature: `parse_stun_untrusted` is the one way in here, and the integrity check is looked at as
the boolean it is. A check that is unknown or not authentic gets no answer, so that a stranger
learns nothing about who is here.
"""

from __future__ import annotations

import secrets
import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from aioice import stun

from telcon.errors import MalformedError
from telcon.node.media.mux import Address

__all__ = [
    "CheckReceiver",
    "ControllingAgent",
    "Credentials",
    "LiteAgent",
    "StunRouter",
    "Verdict",
    "parse_stun_untrusted",
]

_MAX_STUN_BYTES = 1_280
_COOKIE = stun.COOKIE.to_bytes(4, "big")
_CHECKS_REMEMBERED = 4_096
"""Nearly three hours of checks each 2.5 s: no older one can be replayed to move a leg."""

_FORMER_REMEMBERED = 1_024
"""User names of legs that have closed: their pages go on asking for a while, and mean no harm."""

_HOST_PRIORITY = 126 << 24 | 65_535 << 8 | 255
"""RFC 8445 §5.1.2: a host candidate of the first component."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one side signs and is addressed by (RFC 8445 §5.3)."""

    ufrag: str
    """4 to 256 letters, digits, `+` and `/`."""
    password: str
    """22 to 256 of the same."""

    @classmethod
    def make(cls) -> Credentials:
        """Return fresh ones: 48 bits of name, 144 of password."""
        return cls(secrets.token_hex(6), secrets.token_hex(18))

    def __repr__(self) -> str:
        """Show the name alone: a password must not reach a log."""
        return f"Credentials(ufrag={self.ufrag!r})"


def parse_stun_untrusted(data: bytes) -> stun.Message:
    """Parse one STUN message; whether it is authentic is not checked here.

    Raises:
        MalformedError: `data` is not one whole binding message.
    """
    if not 20 <= len(data) <= _MAX_STUN_BYTES or data[4:8] != _COOKIE:
        raise MalformedError(f"{len(data)} octets that are no STUN message")
    try:
        message = stun.parse_message(data)
    except (ValueError, IndexError, struct.error) as error:  # UnicodeDecodeError is a ValueError
        raise MalformedError(f"a STUN message cannot be read: {error}") from error
    if message.message_method is not stun.Method.BINDING:
        raise MalformedError("a STUN message is of another method than binding")
    if "FINGERPRINT" not in message.attributes:  # RFC 8445 §7.1: every check bears one
        raise MalformedError("a STUN message bears no checksum")
    return message


class CheckReceiver(Protocol):
    """Takes the STUN messages that bear its user name, or answer its own."""

    def receive_stun(self, message: stun.Message, address: Address) -> bool:
        """Take one message; return False if it was refused."""


class StunRouter:
    """Finds whom a STUN message is for; `receive` is what the mux calls."""

    def __init__(self, on_unknown: Callable[[Address], None] | None = None) -> None:
        """Tell `on_unknown` where a check came from that names nobody who ever was here."""
        self._by_ufrag: dict[str, CheckReceiver] = {}
        self._by_transaction: OrderedDict[bytes, CheckReceiver] = OrderedDict()
        self._former: OrderedDict[str, None] = OrderedDict()
        self._on_unknown = on_unknown

    def add(self, ufrag: str, receiver: CheckReceiver) -> None:
        """Send checks for `ufrag` to `receiver`."""
        self._by_ufrag[ufrag] = receiver

    def remove(self, ufrag: str) -> None:
        """Answer checks for `ufrag` no longer; they are dropped as those of a stranger are."""
        if self._by_ufrag.pop(ufrag, None) is not None:
            self._former[ufrag] = None
        while len(self._former) > _FORMER_REMEMBERED:
            self._former.popitem(last=False)

    def expect(self, transaction_id: bytes, receiver: CheckReceiver) -> None:
        """Send the answer to this transaction to `receiver`; the oldest of 64 are forgotten."""
        self._by_transaction[transaction_id] = receiver
        while len(self._by_transaction) > 64:
            self._by_transaction.popitem(last=False)

    def receive(self, data: bytes, address: Address) -> bool:
        """Route one datagram; False if it is malformed, for nobody, or not authentic."""
        try:
            message = parse_stun_untrusted(data)
        except MalformedError:
            return False
        if message.message_class is stun.Class.REQUEST:
            ufrag = str(message.attributes.get("USERNAME", "")).partition(":")[0]
            receiver = self._by_ufrag.get(ufrag)
            if receiver is None and ufrag not in self._former and self._on_unknown is not None:
                self._on_unknown(address)
        else:
            receiver = self._by_transaction.pop(message.transaction_id, None)
        return receiver is not None and receiver.receive_stun(message, address)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a lite agent says about one check."""

    authentic: bool
    """False: drop it without an answer."""
    answer: bytes = b""
    """To be sent to where the check came from."""
    nominates: bool = False
    """The device wants media at this address from now on."""
    is_fresh: bool = False
    """This very check was not seen before, so it was not replayed from elsewhere."""


class LiteAgent:
    """The node's end of ICE for one leg: credentials, and answers to checks."""

    def __init__(self) -> None:
        """Make the first credentials."""
        self.local = Credentials.make()
        self.previous: Credentials | None = None
        self._remote_ufrag = ""
        self._remote_ufrag_before = ""
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def set_remote(self, remote: Credentials) -> None:
        """Take the device's user name, the second half of what its checks must bear."""
        self._remote_ufrag = remote.ufrag

    def restart(self, remote: Credentials) -> None:
        """Make new credentials; the old ones hold until a check bears the new (RFC 8445 §9)."""
        self.previous, self.local = self.local, Credentials.make()
        self._remote_ufrag_before, self._remote_ufrag = self._remote_ufrag, remote.ufrag

    def judge(self, message: stun.Message, address: Address) -> Verdict:
        """Authenticate one request and prepare its answer.

        When `previous` has become None after this, its user name is no longer to be routed here.
        """
        credentials = self._addressed(str(message.attributes.get("USERNAME", "")))
        if credentials is None:
            return Verdict(authentic=False)
        password = credentials.password.encode()
        if not message.check_message_integrity(password):
            return Verdict(authentic=False)
        if credentials is self.local:
            self.previous = None
        return Verdict(
            authentic=True,
            answer=_format_answer(message, password, address),
            nominates="USE-CANDIDATE" in message.attributes,
            is_fresh=self._remember(message.transaction_id),
        )

    def _addressed(self, username: str) -> Credentials | None:
        if username == f"{self.local.ufrag}:{self._remote_ufrag}":
            return self.local
        previous = self.previous
        if previous and username == f"{previous.ufrag}:{self._remote_ufrag_before}":
            return previous
        return None

    def _remember(self, transaction_id: bytes) -> bool:
        if transaction_id in self._seen:
            return False
        self._seen[transaction_id] = None
        if len(self._seen) > _CHECKS_REMEMBERED:
            self._seen.popitem(last=False)
        return True


def _format_answer(request: stun.Message, password: bytes, address: Address) -> bytes:
    answer = stun.Message(
        stun.Method.BINDING,
        stun.Class.RESPONSE,
        request.transaction_id,
        {"XOR-MAPPED-ADDRESS": address[:2]},
    )
    answer.add_message_integrity(password)
    return bytes(answer)


class ControllingAgent:
    """A device's end of ICE: the checks it sends, and the answers it believes."""

    def __init__(self) -> None:
        """Make the first credentials; `remote` comes from the node's answer."""
        self.local = Credentials.make()
        self.remote: Credentials | None = None
        self._tie_breaker = secrets.randbits(64)

    def restart(self) -> None:
        """Make new credentials; the node's new ones come with its next answer."""
        self.local = Credentials.make()

    def check(self) -> stun.Message:
        """Return a new check that nominates the pair it is sent over."""
        if self.remote is None:
            raise MalformedError("the node's ICE credentials are not known yet")
        message = stun.Message(
            stun.Method.BINDING,
            stun.Class.REQUEST,
            attributes={
                "USERNAME": f"{self.remote.ufrag}:{self.local.ufrag}",
                "PRIORITY": _HOST_PRIORITY,
                "ICE-CONTROLLING": self._tie_breaker,
                "USE-CANDIDATE": None,
            },
        )
        message.add_message_integrity(self.remote.password.encode())
        return message

    def is_answer(self, message: stun.Message) -> bool:
        """Return whether `message` is a success answer signed by the node."""
        return (
            self.remote is not None
            and message.message_class is stun.Class.RESPONSE
            and bool(message.check_message_integrity(self.remote.password.encode()))
        )
