"""Pairing over the network: the listener that invitations point to, and the dialler with a file.

The listener asks for no certificate, for nobody is known yet, and can do nothing but pair. It is
apart from the link's own listener, so that a stranger never reaches that one's code.
"""

import asyncio
import http
import logging
import secrets
import time
from collections.abc import Callable
from typing import Final, Protocol

from websockets.frames import CloseCode

from telcon.errors import (
    InvitationError,
    InvitationRefusal,
    KeyRefusedError,
    LinkDownError,
    PinError,
    TelconError,
)
from telcon.node.link.connection import Connection
from telcon.node.link.connection_owner import ConnectionOwner
from telcon.node.link.dialling import dial
from telcon.node.link.frame_stream import FrameStream
from telcon.node.link.invitation import Invitation
from telcon.node.link.listener import Listener
from telcon.node.link.pairing import NONCE_OCTETS, AccepterMachine, InviterMachine, OwnSide, Paired
from telcon.node.link.refusals import OnRefused
from telcon.node.link.secure_session import TlsSession
from telcon.node.link.times import LinkTimes
from telcon.node.link.tls import (
    NodeCertificate,
    open_listening_context,
    unpinned_dialling_context,
)

__all__ = ["PAIRING_PATH", "InvitationBook", "PairingServer", "accept_invitation"]

_LOG = logging.getLogger(__name__)

PAIRING_PATH: Final = "/telcon/pair"
EXCHANGE_S: Final = 30.0  # for the four frames, both stores included
MAX_GUESTS: Final = 16  # connections at once; the oldest goes


class InvitationBook(Protocol):
    """Where the inviter keeps invitations. Both calls are durable when they return."""

    async def use(self, secret_hash: bytes, now_us: int) -> OwnSide:
        """Use the invitation up, of two at once only one gets it; return what this side states.

        Raises:
            InvitationError: it is unknown, expired or used already; the words go to both people.
        """

    async def keep(self, paired: Paired) -> None:
        """Keep what a pairing came to, until an operator confirms the words."""


class PairingServer(ConnectionOwner):
    """The inviter's listener; every connection is one try at one invitation."""

    def __init__(
        self,
        own: NodeCertificate,
        book: InvitationBook,
        *,
        on_refused: OnRefused,
        on_paired: Callable[[Paired], None],
        times: LinkTimes | None = None,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Pair for `book`; both callbacks are for audit and screens and must not block."""
        self._book = book
        self._on_paired = on_paired
        self._now_us = now_us
        self._random = random
        self._guests: dict[Connection, FrameStream] = {}  # oldest first
        self._expected: set[Connection] = set()  # those that have shown the secret: they stay
        self._tasks: set[asyncio.Task[None]] = set()
        context = open_listening_context(own)
        self._listener = Listener(
            self,
            lambda: TlsSession(context, server=True),
            on_refused=on_refused,
            times=times or LinkTimes(),
        )

    @property
    def port(self) -> int:
        """Return the port listened on; 0 before `start`."""
        return self._listener.port

    async def start(self, host: str, port: int) -> None:
        """Listen on `host`, at a free port if `port` is 0.

        Raises:
            PortError: the port is in use, or the address is not this machine's.

        Cancellation: nothing listens.
        """
        await self._listener.start(host, port)

    async def close(self) -> None:
        """Give up pairings under way and wait for all of it, at most the linger time.

        Cancellation: sockets that linger close by themselves.
        """
        await self._listener.stop()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for connection in list(self._guests):
            connection.close(CloseCode.GOING_AWAY, "this node is closing")
        await self._listener.close()

    # -- ConnectionOwner

    def admit(self, connection: Connection, path: str) -> http.HTTPStatus:
        """Let anyone in who asks for the pairing path; the oldest stranger makes room."""
        if path != PAIRING_PATH:
            return http.HTTPStatus.NOT_FOUND
        if len(self._guests) >= MAX_GUESTS:
            oldest = next((each for each in self._guests if each not in self._expected), None)
            if oldest is None:
                return http.HTTPStatus.SERVICE_UNAVAILABLE
            self._guests.pop(oldest).fail(LinkDownError("too many at once"))
            oldest.abort("too many connections for pairing at once")
        self._guests[connection] = FrameStream()
        return http.HTTPStatus.SWITCHING_PROTOCOLS

    def opened(self, connection: Connection) -> None:
        """Begin the exchange, in a task that this server owns."""
        guest = self._guests[connection]
        guest.opened(connection)
        task = asyncio.get_running_loop().create_task(self._serve(connection, guest))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def frame(self, connection: Connection, data: bytes) -> None:
        """Pass on to the exchange."""
        if connection in self._guests:
            self._guests[connection].frame(connection, data)

    def ended(self, connection: Connection, error: TelconError) -> None:
        """Pass on to the exchange."""
        if connection in self._guests:
            self._guests[connection].ended(connection, error)

    def lost(self, connection: Connection) -> None:
        """Forget it."""
        self._guests.pop(connection, None)
        self._expected.discard(connection)

    # -- one exchange

    async def _serve(self, connection: Connection, guest: FrameStream) -> None:
        machine = InviterMachine(self._random(NONCE_OCTETS))
        try:
            async with asyncio.timeout(EXCHANGE_S):
                paired = await self._exchange(machine, connection, guest)
        except TimeoutError:
            self._give_up(connection, f"no pairing within {EXCHANGE_S:g} s")
        except TelconError as error:
            _send_all(machine, connection)
            self._give_up(connection, str(error))
        except Exception:  # noqa: BLE001 -- the task's edge: a defect ends this pairing alone
            _LOG.exception("a pairing failed as it should not")
            connection.close(CloseCode.INTERNAL_ERROR, "a defect of this node")
        else:
            connection.close(CloseCode.NORMAL_CLOSURE, "paired")
            self._on_paired(paired)

    async def _exchange(
        self, machine: InviterMachine, connection: Connection, guest: FrameStream
    ) -> Paired:
        while machine.result is None:
            machine.receive_frame(await guest.receive())
            if machine.wanted is not None:
                await self._look_up(machine, machine.wanted)
                self._expected.add(connection)
            if machine.result is not None:
                await self._keep(machine, machine.result)
            _send_all(machine, connection)
        return machine.result

    async def _look_up(self, machine: InviterMachine, wanted: bytes) -> None:
        try:
            own = await self._book.use(wanted, self._now_us())
        except InvitationError as error:
            machine.refuse(str(error), error.refusal)
        machine.admit(own)

    async def _keep(self, machine: InviterMachine, paired: Paired) -> None:
        """Store the outcome before the accepter can see the words."""
        try:
            await self._book.keep(paired)
        except InvitationError as error:
            machine.withdraw(str(error), error.refusal)
            raise
        except TelconError:
            reason = "the inviting node could not store the pairing"
            machine.withdraw(reason, InvitationRefusal.NOT_STORED)
            raise

    def _give_up(self, connection: Connection, reason: str) -> None:
        self._listener.report_refused(reason, None, connection.address)
        connection.close(CloseCode.POLICY_VIOLATION, reason)


async def accept_invitation(
    invitation: Invitation,
    own: OwnSide,
    *,
    times: LinkTimes | None = None,
    now_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> Paired:
    """Answer `invitation` as `own` and return what it came to, for two people to confirm.

    Raises:
        InvitationError: expired, used, unknown, or the other side is not what the file says.
        LinkDownError: the inviter cannot be reached at any address.

    Cancellation: the connection closes; the invitation may be used up.
    """
    machine = AccepterMachine(invitation, own, random(NONCE_OCTETS), now_us=now_us())
    connection, guest = await _dial_any(invitation, times or LinkTimes())
    try:
        async with asyncio.timeout(EXCHANGE_S):
            return await _answer(machine, connection, guest)
    except TimeoutError as error:
        raise LinkDownError(
            f"{invitation.node} did not answer within {EXCHANGE_S:g} s",
            advice="Ask for a new invitation and try again.",
        ) from error
    finally:
        _send_all(machine, connection)
        connection.close(CloseCode.NORMAL_CLOSURE, "done")
        await connection.wait_lost()


async def _dial_any(invitation: Invitation, times: LinkTimes) -> tuple[Connection, FrameStream]:
    context = unpinned_dialling_context()
    node = invitation.node
    failure: LinkDownError | None = None
    for address in invitation.addresses:
        guest = FrameStream(pin=invitation.tls)
        try:
            return await dial(
                address, guest, context, node=node, path=PAIRING_PATH, times=times
            ), guest
        except LinkDownError as error:
            failure = _explain(error, node, address)
    raise failure or LinkDownError("the invitation names no address")


def _explain(error: LinkDownError, node: str, address: str) -> LinkDownError:
    """Put what goes wrong at dialling in words that fit a pairing.

    Raises:
        InvitationError: another node answers than the one that invited.
    """
    if isinstance(error.__cause__, PinError):
        raise InvitationError(
            f"{address} is not the node {node} that invited: {error.__cause__}",
            advice="Somebody else may be answering there. Ask the other side for a new invitation.",
        ) from error
    if isinstance(error.__cause__, KeyRefusedError):
        return LinkDownError(
            f"{address} does not take pairings: {error.__cause__}",
            advice=f"Ask the operator of {node} whether that is its port for pairing.",
        )
    return error


async def _answer(machine: AccepterMachine, connection: Connection, guest: FrameStream) -> Paired:
    while machine.result is None:
        _send_all(machine, connection)
        machine.receive_frame(await guest.receive())
    return machine.result


def _send_all(machine: InviterMachine | AccepterMachine, connection: Connection) -> None:
    for frame in machine.frames_to_send():
        connection.send(frame)
