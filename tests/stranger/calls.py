"""Calls as a stranger takes part in them: entries, the trunk's key, what the real device shows."""

import json
import os
from dataclasses import dataclass, field
from typing import Any

from demo.device import ScriptedDevice, Snapshot
from stranger.entries import compact
from stranger.lines import OURS
from stranger.node import Line
from stranger.tlog import sha256
from stranger.trunk import Packet, chunk_root

OUR_SSRC = 0xABCDEF


@dataclass
class Call:
    """One call that the real node rang, from our side."""

    line: Line
    device: ScriptedDevice
    id: str
    ring: int
    trunk: dict[str, Any]  # as the real node signalled it
    handle: str = field(default_factory=lambda: os.urandom(8).hex())
    key: bytes = field(default_factory=lambda: os.urandom(44))

    @property
    def place(self) -> list[Any]:
        return [[self.line.theirs.origin, self.ring]]

    @property
    def join(self) -> dict[str, Any]:
        """What our ring or answer says of us."""
        media = {"node": "00" * 32, "device": "11" * 32, "trunk": sha256(self.key).hex()}
        return {"track": 1, "person": compact(OURS), "media": compact(media)}

    async def signal_trunk(self, port: int) -> None:
        body = {"key": self.key, "ssrc": OUR_SSRC, "addresses": [["127.0.0.1", port]]}
        await self.line.send_signal("trunk", self.id, body)

    async def answer(self, port: int) -> None:
        await self.signal_trunk(port)
        await self.line.write(
            "call.answer",
            call=self.id,
            by=self.handle,
            re=self.place,
            mode="audio",
            glare=False,
            **self.join,
        )
        await self.device.wait(lambda shown: phase(shown) == "live")

    async def record(self, sent: list[Packet]) -> None:
        """Commit to what we sent, as the author of our track."""
        key = os.urandom(32)
        tracks = [[1, 0, len(sent), chunk_root(key, sent).hex()]]
        await self.line.write("call.record-chunk", call=self.id, tracks=tracks, key=key)

    async def hang_up(self) -> None:
        await self.line.write("call.hang-up", call=self.id, by=self.handle)
        await self.device.wait(lambda shown: is_signed(shown, self.id))


async def be_rung(line: Line, device: ScriptedDevice) -> Call:
    """Have the device ring; check what the ring says and seals."""
    rung = await device.ask("ring", line=device.line, mode="audio", certificate=device.certificate)
    index, _ = await line.entry("call.ring")
    trunk = await line.signal("trunk", rung["call"])
    media = json.loads(line.theirs.content(index, "media"))
    assert json.loads(line.theirs.content(index, "person")) == line.peer.person
    assert media["trunk"] == sha256(trunk["key"]).hex()
    assert media["device"] == device.certificate
    assert list(trunk) == ["key", "ssrc", "addresses"]
    return Call(line, device, str(rung["call"]), index, trunk)


def phase(shown: Snapshot) -> str | None:
    return shown["call"]["phase"] if shown and shown["call"] else None


def is_signed(shown: Snapshot, call: str) -> bool:
    return any(
        p["call"] == call and p["signed"] for past in shown["history"].values() for p in past
    )
