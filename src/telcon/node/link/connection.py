"""One WebSocket connection of binary frames, either side, over a `ByteTransport`.

RFC 6455 is websockets' sans-IO protocol; here are the rules of docs/protocol.md §5 (binary only,
bounded, pings), the deadlines, and one place that says why a connection ended.
"""

import asyncio
import collections
import enum
import http
import logging
from collections.abc import Callable
from typing import Final

from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State as WebSocketState
from websockets.server import ServerProtocol
from websockets.uri import WebSocketURI

from telcon.errors import KeyRefusedError, LinkDownError, MisuseError, PinError, TelconError
from telcon.node.link.connection_owner import ConnectionOwner
from telcon.node.link.times import LinkTimes
from telcon.node.link.transport import ByteTransport

__all__ = [
    "MAX_FRAME_OCTETS",
    "MAX_UNSENT_OCTETS",
    "Connection",
    "accepting",
    "dialling",
]

MAX_FRAME_OCTETS: Final = 65_536  # docs/protocol.md §5
MAX_UNSENT_OCTETS: Final = 8 * 1024 * 1024  # a peer that stops reading costs no more than this
_MAX_REASON_OCTETS = 123  # RFC 6455 §5.5: 125 with the code
_EVENTS_A_TURN = 32  # handed on; then the loop's other work, the media above all, has its turn

_WEBSOCKET_LOG = logging.getLogger("telcon.node.link.websocket")
_WEBSOCKET_LOG.setLevel(logging.WARNING)  # its "connection open" says nothing that we do not


class _State(enum.Enum):
    OPENING = "opening"
    OPEN = "open"
    ENDING = "ending"  # our part is over, the socket is still there
    LOST = "lost"


class Connection:
    """A `ByteReceiver` that speaks WebSocket. Made by `accepting` or `dialling`.

    All methods belong to the event loop's thread. `send` gives the frame to the kernel before it
    returns, or keeps it in a bounded buffer.
    """

    def __init__(
        self, websocket: ServerProtocol | ClientProtocol, owner: ConnectionOwner, times: LinkTimes
    ) -> None:
        self.certificate: bytes | None = None
        self.address = "unknown"
        self.was_open = False
        self.error: TelconError | None = None
        self.answered: int | None = None
        self._websocket = websocket
        self._owner = owner
        self._times = times
        self._loop = asyncio.get_running_loop()
        self._lost = asyncio.Event()
        self._opened_or_ended = asyncio.Event()
        self._state = _State.OPENING
        self._transport: ByteTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_secured = False
        self._probe: asyncio.TimerHandle | None = None
        self._heard_at = self._loop.time()
        self._pieces = bytearray()
        self._waiting: collections.deque[Request | Response | Frame] = collections.deque()
        self._is_held = False  # by `pause`, or until the loop's next turn
        self._pause: asyncio.Handle | None = None

    # -- the owner's side

    @property
    def is_open(self) -> bool:
        """Return whether frames can go both ways."""
        return self._state is _State.OPEN

    @property
    def _can_send(self) -> bool:
        # The peer's close frame may be read already while frames before it are still handed on.
        return self._state is _State.OPEN and self._websocket.state is WebSocketState.OPEN

    def send(self, frame: bytes) -> None:
        """Send one frame now. On a connection that is ending it goes nowhere: `ended` follows.

        Raises:
            MisuseError: the frame is over `MAX_FRAME_OCTETS`.
        """
        if len(frame) > MAX_FRAME_OCTETS:
            raise MisuseError(f"a frame has at most {MAX_FRAME_OCTETS} octets, not {len(frame)}")
        if self._can_send:
            self._websocket.send_binary(frame)
            self._flush()

    def close(self, code: CloseCode, reason: str) -> None:
        """End with `code` and `reason`, which the peer reads. `ended` follows, not from within."""
        self._shut(code, LinkDownError(reason))

    def abort(self, reason: str) -> None:
        """End at once, without a word to the peer. `ended` follows, not from within."""
        self._end(LinkDownError(reason))
        if self._transport is not None:
            self._transport.abort()

    def pause(self, seconds: float) -> None:
        """Hand nothing on and read nothing for so long; the peer's TCP holds it back."""
        if self._state is _State.OPEN:
            self._hold(self._loop.call_later(seconds, self._go_on))

    def probe(self) -> None:
        """Ask the peer to show that it is there; `ended` follows if it does not, soon."""
        if self._can_send and self._probe is None:
            asked_at = self._loop.time()
            self._probe = self._loop.call_later(self._times.probe_s, self._judge_probe, asked_at)
            self._websocket.send_ping(b"")
            self._flush()

    async def wait_open(self) -> None:
        """Return once frames can go both ways.

        Raises:
            TelconError: it ended before that.

        Cancellation: the connection stays as it is.
        """
        await self._opened_or_ended.wait()
        if self.error is not None and not self.was_open:
            raise self.error

    async def wait_lost(self) -> None:
        """Return once the socket is closed; bounded by the linger time after `close`.

        Cancellation: the connection stays as it is.
        """
        await self._lost.wait()

    # -- the transport's side; see ByteReceiver

    def connected(self, transport: ByteTransport) -> None:
        """Start the handshake's clock."""
        if self._state is not _State.OPENING:  # given up while TCP came about
            transport.abort()
            return
        self._transport = transport
        self.address = transport.address
        self._set_timer(self._times.handshake_s, self._be_too_slow)
        self._owner.connected(self)

    def secured(self, certificate: bytes | None) -> None:
        """Let the owner judge the certificate; the dialler then asks for the WebSocket."""
        self.certificate = certificate
        self._is_secured = True
        try:
            self._owner.secured(self)
        except PinError as error:
            self._end(error)
            self._finish()
            return
        if isinstance(self._websocket, ClientProtocol):
            self._websocket.send_request(self._websocket.connect())
            self._flush()

    def received(self, data: bytes) -> None:
        """Take clear bytes and act on what they complete."""
        if self._state is _State.LOST or (self._state is _State.ENDING and not self.was_open):
            return  # a refused peer may have sent its request along with its certificate
        self._heard_at = self._loop.time()
        self._websocket.receive_data(data)
        self._waiting.extend(self._websocket.events_received())
        self._hand_on()

    def ended(self) -> None:
        """Take the end of the peer's stream."""
        self._websocket.receive_eof()
        self._flush()
        if self._state is _State.OPENING:
            self._end(self._failed_opening())
        self._end(LinkDownError("the other side closed the connection"))

    def failed(self, error: PinError | LinkDownError) -> None:
        """Take the failure of the secure session."""
        self._end(error)

    def lost(self, error: Exception | None) -> None:
        """Take the end of the socket."""
        if error is not None:
            self._end(LinkDownError(f"the connection broke: {error}"))
        elif self._state is _State.OPENING:
            self._end(self._failed_opening())
        self._end(LinkDownError("the socket closed"))
        self._state = _State.LOST
        self._cancel_timers()
        self._loop.call_soon(self._tell_lost)  # after `ended`

    # -- events

    def _hand_on(self) -> None:
        for _ in range(_EVENTS_A_TURN):
            if self._is_held or not self._waiting:
                break
            self._handle(self._waiting.popleft())
        if self._waiting and not self._is_held:
            self._hold(self._loop.call_soon(self._go_on))
        self._flush()
        if not self._waiting:
            self._notice_end()

    def _hold(self, until: asyncio.Handle) -> None:
        if self._pause is not None:
            self._pause.cancel()
        self._pause = until
        self._is_held = True
        if self._transport is not None:
            self._transport.pause()

    def _go_on(self) -> None:
        self._pause = None
        self._is_held = False
        self._heard_at = self._loop.time()  # what was not read is no silence
        self._hand_on()
        if not self._is_held and self._transport is not None:
            self._transport.resume()

    def _handle(self, event: Request | Response | Frame) -> None:
        if isinstance(event, Request):
            self._answer(event)
        elif isinstance(event, Response):
            self.answered = event.status_code
            if self._websocket.handshake_exc is None:
                self._open()
        elif self._state is _State.OPEN:
            self._handle_frame(event)

    def _answer(self, request: Request) -> None:
        websocket = self._websocket
        if not isinstance(websocket, ServerProtocol):
            return
        status = self._owner.admit(self, request.path)
        self.answered = status.value
        if status is http.HTTPStatus.SWITCHING_PROTOCOLS:
            response = websocket.accept(request)
        else:
            response = websocket.reject(status, f"{status.phrase}\n")
            self._end(LinkDownError(f"asked for {request.path[:80]!r}, answered {status.value}"))
        websocket.send_response(response)
        self._flush()
        if websocket.state is WebSocketState.OPEN:
            self._open()

    def _handle_frame(self, frame: Frame) -> None:
        match frame.opcode:
            case Opcode.TEXT:
                self.close(CloseCode.POLICY_VIOLATION, "a text message on a binary link")
            case Opcode.BINARY if frame.fin:
                self._owner.frame(self, bytes(frame.data))
            case Opcode.BINARY | Opcode.CONT:
                self._pieces += frame.data
                if frame.fin:
                    whole, self._pieces = bytes(self._pieces), bytearray()
                    self._owner.frame(self, whole)
            case _:
                pass  # pings are answered by websockets; pongs were heard; a close is noticed

    def _open(self) -> None:
        self._state = _State.OPEN
        self.was_open = True
        self._opened_or_ended.set()
        self._set_timer(self._times.ping_s, self._tick)
        self._owner.opened(self)

    def _notice_end(self) -> None:
        websocket = self._websocket
        if self._state is _State.OPENING and websocket.handshake_exc is not None:
            self._end(self._failed_opening())
        elif self._state is _State.OPEN and websocket.state is not WebSocketState.OPEN:
            self._end(LinkDownError(_why_closed(websocket)))

    def _failed_opening(self) -> LinkDownError:
        """Say why no WebSocket came about, as far as this side can know."""
        if isinstance(self._websocket, ServerProtocol):
            return LinkDownError("the connection ended without a valid WebSocket request")
        if self.answered is not None:
            return LinkDownError(f"the other side answered with HTTP status {self.answered}")
        if not self._is_secured:
            return LinkDownError("the other side closed the connection in the TLS handshake")
        # TLS 1.3 lets the dialler finish before the listener has judged its certificate.
        return KeyRefusedError("the other side closed without a valid HTTP response")

    # -- deadlines

    def _tick(self) -> None:
        silent_s = 0.0 if self._is_held else self._loop.time() - self._heard_at
        if silent_s >= self._times.silence_s:
            self.abort(f"nothing heard for {silent_s:.0f} s")
            return
        if self._can_send:
            self._websocket.send_ping(b"")
            self._flush()
        if self._state is _State.OPEN:
            left_s = self._times.silence_s - silent_s
            self._set_timer(min(self._times.ping_s, left_s), self._tick)

    def _judge_probe(self, asked_at: float) -> None:
        self._probe = None
        if self._heard_at < asked_at and not self._is_held:
            self.abort("the connection in doubt did not answer")

    def _be_too_slow(self) -> None:
        self.abort(f"no WebSocket within {self._times.handshake_s:g} s")

    def _set_timer(self, delay_s: float, then: Callable[[], object]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(delay_s, then)

    def _cancel_timers(self) -> None:
        for timer in (self._timer, self._probe, self._pause):
            if timer is not None:
                timer.cancel()

    # -- the end

    def _flush(self) -> None:
        transport = self._transport
        if transport is None:
            return
        for data in self._websocket.data_to_send():
            if data:
                transport.write(data)
            else:
                transport.finish()
        if self._state is _State.OPEN and transport.unsent_octets > MAX_UNSENT_OCTETS:
            self.abort(f"the other side reads nothing: {transport.unsent_octets} octets wait")

    def _shut(self, code: CloseCode, error: TelconError) -> None:
        if self._state is _State.OPENING and self._transport is not None:
            self._end(error)
            self._transport.abort()
        elif self._can_send:
            self._websocket.send_close(code, _clip(str(error)))
            self._flush()
        self._end(error)

    def _finish(self) -> None:
        if self._transport is not None:
            self._transport.finish()

    def _end(self, error: TelconError) -> None:
        """Leave the open states, once; the owner hears of it from the loop, not from within."""
        if self._state not in (_State.OPENING, _State.OPEN):
            return
        self._state = _State.ENDING
        self.error = error
        self._opened_or_ended.set()
        self._cancel_timers()
        self._waiting.clear()
        if self._transport is not None:
            if self._is_held:
                self._is_held = False
                self._transport.resume()  # what the peer still says is read and dropped
            self._set_timer(self._times.linger_s, self._transport.abort)
        self._loop.call_soon(self._owner.ended, self, error)

    def _tell_lost(self) -> None:
        self._owner.lost(self)
        self._lost.set()


def accepting(owner: ConnectionOwner, times: LinkTimes) -> Connection:
    """Return the listener's side of a connection to come."""
    websocket = ServerProtocol(max_size=MAX_FRAME_OCTETS, logger=_WEBSOCKET_LOG)
    return Connection(websocket, owner, times)


def dialling(owner: ConnectionOwner, times: LinkTimes, *, host: str, path: str) -> Connection:
    """Return the dialler's side of a connection to come; `host` is the node's name."""
    uri = WebSocketURI(secure=True, host=host, port=443, path=path, query="")
    websocket = ClientProtocol(uri, max_size=MAX_FRAME_OCTETS, logger=_WEBSOCKET_LOG)
    return Connection(websocket, owner, times)


def _why_closed(websocket: ServerProtocol | ClientProtocol) -> str:
    if websocket.close_rcvd is not None:
        # Its words go to logs and screens: no control characters, no marks that turn the text.
        words = "".join(letter for letter in websocket.close_rcvd.reason if letter.isprintable())
        return f"the other side closed: {words or f'code {websocket.close_rcvd.code}'}"
    if isinstance(websocket.parser_exc, EOFError):
        return "the other side closed the connection"
    return f"the other side broke the WebSocket protocol: {websocket.parser_exc}"


def _clip(reason: str) -> str:
    """Cut `reason` to what a close frame holds, at a character's end."""
    return reason.encode()[:_MAX_REASON_OCTETS].decode(errors="ignore")
