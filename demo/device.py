"""A scripted device: what a page does, without a browser, over real HTTP, UDP, DTLS and SRTP."""

import asyncio
import contextlib
import http.client
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

from telcon.node.media.client import DeviceLeg
from telcon.node.media.oggopus import parse_ogg_opus_untrusted
from telcon.node.media.rtp import RtpPacket

FRAME_S = 0.02
WAIT_S = 90.0  # a ring lasts 45 s; a node that was away is dialled again after half a minute

Snapshot = Mapping[str, Any]


class DeviceError(Exception):
    """The node refused what this device asked for."""


class ScriptedDevice:
    """One principal's device on one node: signed in, live, and in a call with a leg."""

    def __init__(self, host: str, port: int, cookie: str) -> None:
        """Use `open`."""
        self.snapshot: Snapshot = {}
        self.heard: list[bytes] = []
        """Opus payloads in the order of arrival."""
        self.first_heard = asyncio.Event()
        self._host, self._port, self._cookie = host, port, cookie
        self._asked = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._changed = asyncio.Condition()
        self._leg: DeviceLeg | None = None
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, link: str) -> Self:
        """Sign in by the one-time `link` and connect."""
        address, _, secret = link.partition("#")
        host, _, port = address.removeprefix("http://").partition("/")[0].partition(":")
        cookie = await asyncio.to_thread(redeem, host, int(port), secret)
        device = cls(host, int(port), cookie)
        await device.connect()
        return device

    async def connect(self) -> None:
        """Open the live connection, or open it again after the node was restarted."""
        await self._disconnect()
        page = os.urandom(16).hex()
        self._socket = await connect(
            f"ws://{self._host}:{self._port}/live?page={page}",
            host="127.0.0.1",  # not every resolver knows names under .localhost
            origin=f"http://{self._host}:{self._port}",  # type: ignore[arg-type]
            additional_headers={"Cookie": self._cookie},
            compression=None,
        )
        self._reader = asyncio.create_task(self._read(self._socket))
        await self.wait(bool)

    async def close(self) -> None:
        """Close leg and connection."""
        if self._leg is not None:
            self._leg.close()
        await self._disconnect()

    async def _disconnect(self) -> None:
        if self._socket is not None:
            await self._socket.close()
            await self._socket.wait_closed()
        if self._reader is not None:
            await self._reader

    # -- asking

    async def ask(self, do: str, **members: Any) -> dict[str, Any]:
        """Ask the node for one act and return its answer.

        Raises:
            DeviceError: the node refused, in its own words.
        """
        assert self._socket is not None
        self._asked += 1
        number = self._asked
        self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send(json.dumps({"do": do, "ask": number, **members}))
            async with asyncio.timeout(WAIT_S):
                answer = await self._answers[number]
        except ConnectionClosed as error:
            raise DeviceError("the node is gone") from error
        finally:
            future = self._answers.pop(number)
            if future.done() and not future.cancelled():
                future.exception()  # seen, also when the send itself failed
        if not answer["ok"]:
            raise DeviceError(f"{do}: {answer['error']} {answer.get('advice', '')}")
        return answer

    async def wait(self, wanted: Callable[[Snapshot], bool]) -> Snapshot:
        """Return the first snapshot, the present one included, of which `wanted` holds."""
        async with asyncio.timeout(WAIT_S), self._changed:
            await self._changed.wait_for(lambda: wanted(self.snapshot))
        return self.snapshot

    @property
    def line(self) -> str:
        """Id of the only line."""
        return str(self.snapshot["lines"][0]["line"])

    @property
    def certificate(self) -> str:
        """Hex SHA-256 of the certificate that this device's leg shows."""
        return self._own_leg().certificate_sha256.hex()

    # -- media

    async def connect_leg(self, call: str) -> None:
        """Arm the leg for `call`: ICE and DTLS, no packet yet."""
        leg = self._own_leg()
        answer = await self.ask("offer", call=call, sdp=leg.offer())
        leg.accept(answer["sdp"])
        await leg.wait_connected()

    async def speak(self, voice: Path, *, packets: int | None = None) -> list[bytes]:
        """Send the Ogg Opus file `voice` in real time; return the payloads sent."""
        sent = (await asyncio.to_thread(_payloads, voice))[:packets]
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for number, payload in enumerate(sent):
            self._own_leg().send_opus(payload, marker=number == 0)
            await asyncio.sleep(max(0.0, begin + (number + 1) * FRAME_S - loop.time()))
        return sent

    def hang_up_leg(self) -> None:
        """Close the leg; the next call gets a new one."""
        if self._leg is not None:
            self._leg.close()
            self._leg = None

    def _own_leg(self) -> DeviceLeg:
        if self._leg is None:
            self._leg = DeviceLeg(self._hear)
        return self._leg

    def _hear(self, slot: int, packet: RtpPacket) -> None:
        self.heard.append(packet.payload)
        self.first_heard.set()

    async def _read(self, connection: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosedError):  # the node was killed: said below
            await self._read_all(connection)
        for future in self._answers.values():
            if not future.done():
                future.set_exception(DeviceError("the node is gone"))

    async def _read_all(self, connection: ClientConnection) -> None:
        async for text in connection:
            message = json.loads(text)
            if "answer" in message and message["answer"] in self._answers:
                future = self._answers[message["answer"]]
                if not future.done():
                    future.set_result(message)
            if "state" in message:
                async with self._changed:
                    self.snapshot = message["state"]
                    self._changed.notify_all()


def _payloads(voice: Path) -> list[bytes]:
    return [packet.payload for packet in parse_ogg_opus_untrusted(voice.read_bytes()).packets]


def redeem(host: str, port: int, secret: str) -> str:
    """Post the secret of a one-time link; return the session cookie."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Host": f"{host}:{port}", "Origin": f"http://{host}:{port}"}
    connection.request("POST", "/sign-in", body=secret, headers=headers)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    if response.status != http.client.OK:
        raise DeviceError(f"sign-in refused: {body}")
    return (response.getheader("Set-Cookie") or "").partition(";")[0]
