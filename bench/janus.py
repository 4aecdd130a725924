"""Janus, the reference of the fan-out: its videoroom from the Debian package, under the same load.

Janus leaves loopback out of ICE, so both run in a network namespace of their own, with a made-up
address on a link that leads nowhere; packets to it stay within the kernel, as those over loopback
do. `python -m bench.janus` is the inner half, started by `JanusElsewhere` in that namespace: it
says `ready`, then makes a run for each line that it is sent and answers with its figures.

Videoroom is asked for what the node does: one publisher, Opus alone, ICE-lite, no transcoding.
Everything else is as packaged.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from aioice import stun

from bench.fan_load import Load, Run
from telcon.node.media.client import DeviceLeg
from telcon.node.media.ice import Credentials
from telcon.node.media.mux import Address
from telcon.node.media.sdp import Answer, AnswerSection, format_answer, parse_offer_untrusted

__all__ = ["JanusElsewhere", "JanusMissingError"]

INSTALL = "apt-get install janus iproute2 (and stop the service that Debian starts with it)"
ADDRESS = "10.77.0.1"
PAYLOAD_TYPE = 111
START_S = 10.0
ANSWER_S = 20.0
LIBRARIES = Path("/usr/lib")
PLUGIN = "libjanus_videoroom.so"
TRANSPORT = "libjanus_pfunix.so"


class JanusMissingError(Exception):
    """There is no Janus to measure here, or no namespace to run it in; the words say why."""


class JanusElsewhere:
    """Janus and its load in a namespace of their own."""

    def __init__(self) -> None:
        """Start both and connect everybody.

        Raises:
            JanusMissingError: that cannot be done here.
        """
        for program in ("janus", "unshare", "ip", "setpriv"):
            if shutil.which(program) is None:
                raise JanusMissingError(f"there is no {program} here; {INSTALL}")
        self._process = subprocess.Popen(
            ["unshare", "--map-root-user", "--net", sys.executable, "-m", "bench.janus"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if self._read() != "ready":
            why = self._process.communicate()[1].strip().splitlines()
            raise JanusMissingError(f"Janus did not get ready: {why[-1] if why else 'no words'}")

    def speak(self, seconds: int) -> Run:
        """Let the load run for so long."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()
        return Run(**json.loads(self._read()))

    def stop(self) -> None:
        """End both."""
        self._process.communicate()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


class FullDevice(DeviceLeg):
    """A device that also answers checks: Janus sends them although it calls itself lite."""

    def offer(self) -> str:
        """Return the offer, and be found by its user name from now on."""
        self._router.add(self._agent.local.ufrag, self)
        return super().offer()

    def receive_stun(self, message: stun.Message, address: Address) -> bool:
        """Answer a check, or take the answer to one of ours."""
        if message.message_class is not stun.Class.REQUEST:
            return super().receive_stun(message, address)
        heard = {"XOR-MAPPED-ADDRESS": address[:2]}
        answer = stun.Message(
            stun.Method.BINDING, stun.Class.RESPONSE, message.transaction_id, heard
        )
        answer.add_message_integrity(self._agent.local.password.encode())
        self._mux.send(bytes(answer), address)
        return True


class Janus:
    """One Janus process and its API, over a Unix socket in a folder of its own."""

    def __init__(self, folder: Path, core: int | None) -> None:
        """Start it; everything it writes goes into `folder`."""
        configure(folder)
        pin = ["taskset", "--cpu-list", str(core)] if core is not None else []
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *pin, "janus", "--configs-folder", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._api = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._api.settimeout(ANSWER_S)
        self._connect(str(folder / "api"))
        self._number = 0
        self._session = int(self._ask({"janus": "create"})["data"]["id"])
        self._handle, made = self._attach(), {"request": "create", "audiocodec": "opus"}
        self._room = int(self._message(self._handle, made)["plugindata"]["data"]["room"])
        self._feed = 0

    def take_speaker(self, device: DeviceLeg) -> None:
        """Let `device` publish."""
        body = {"request": "joinandconfigure", "room": self._room, "ptype": "publisher"}
        jsep = {"type": "offer", "sdp": _description(device, sends=True)}
        joined = self._message(self._handle, body, jsep)
        self._feed = joined["plugindata"]["data"]["id"]
        device.accept(_as_answer(joined["jsep"]["sdp"], sends=True))

    def take_listener(self, device: DeviceLeg) -> None:
        """Let `device` hear who publishes."""
        handle = self._attach()
        offered = self._join(handle)
        jsep = {"type": "answer", "sdp": _description(device, sends=False)}
        self._message(handle, {"request": "start"}, jsep)
        device.accept(_as_answer(offered["jsep"]["sdp"], sends=False))

    def cpu_s(self) -> float:
        """Return the CPU time that all threads of Janus have used."""
        return time.clock_gettime((~self._process.pid << 3) | 2)  # clock_getcpuclockid(3)

    def keep_alive(self) -> None:
        """Say that the session is still wanted; Janus ends one after 60 s of silence."""
        self._ask({"janus": "keepalive", "session_id": self._session})

    def stop(self) -> None:
        """End the process, which keeps nothing that is worth a farewell to each listener."""
        self._api.close()
        self._process.kill()
        self._process.wait()

    def _connect(self, path: str) -> None:
        deadline = time.monotonic() + START_S
        while True:
            try:
                return self._api.connect(path)
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.05)

    def _join(self, handle: int) -> dict[str, Any]:
        body = {"request": "join", "room": self._room, "ptype": "subscriber"}
        deadline = time.monotonic() + START_S
        while True:
            got = self._message(handle, {**body, "streams": [{"feed": self._feed}]})
            if "jsep" in got:
                return got
            if time.monotonic() > deadline:
                raise SystemExit(f"Janus lets nobody hear: {got['plugindata']['data']}")
            time.sleep(0.05)  # it has not noticed yet that the speaker is connected

    def _attach(self) -> int:
        ask = {"janus": "attach", "session_id": self._session, "plugin": "janus.plugin.videoroom"}
        return int(self._ask(ask)["data"]["id"])

    def _message(
        self, handle: int, body: dict[str, Any], jsep: dict[str, str] | None = None
    ) -> dict[str, Any]:
        about = {"session_id": self._session, "handle_id": handle, "body": body}
        return self._ask({"janus": "message", **about} | ({"jsep": jsep} if jsep else {}))

    def _ask(self, ask: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        transaction = str(self._number)
        self._api.send(json.dumps({**ask, "transaction": transaction}).encode())
        while True:
            got: dict[str, Any] = json.loads(self._api.recv(65_536))
            if got.get("transaction") != transaction:
                continue  # an event of the session: somebody is connected, media flow
            if got["janus"] == "error":
                raise SystemExit(f"Janus refused {ask['janus']}: {got['error']['reason']}")
            if got["janus"] != "ack" or ask["janus"] == "keepalive":
                return got


def configure(folder: Path) -> None:
    """Write Janus's settings: this room alone, this API alone, ICE-lite on our address."""
    (plugins,) = {path.parent for path in LIBRARIES.glob(f"*/janus/plugins/{PLUGIN}")}
    transports, nothing = plugins.parent / "transports", folder / "nothing"
    nothing.mkdir()
    others = [
        ",".join(path.name for path in where.glob("*.so") if path.name != kept)
        for where, kept in ((plugins, PLUGIN), (transports, TRANSPORT))
    ]
    (folder / "janus.jcfg").write_text(
        f'general: {{ configs_folder = "{folder}" plugins_folder = "{plugins}"'
        f' transports_folder = "{transports}" events_folder = "{nothing}"'
        f' loggers_folder = "{nothing}" debug_level = 4 }}\n'
        "nat: { ice_lite = true ignore_mdns = true ipv6 = false }\n"
        f'plugins: {{ disable = "{others[0]}" }}\ntransports: {{ disable = "{others[1]}" }}\n'
    )
    (folder / "janus.transport.pfunix.jcfg").write_text(
        f'general: {{ enabled = true json = "compact" path = "{folder}/api"'
        ' type = "SOCK_SEQPACKET" }\nadmin: { admin_enabled = false }\n'
    )
    (folder / "janus.plugin.videoroom.jcfg").write_text("general: { }\n")


def _description(device: DeviceLeg, *, sends: bool) -> str:
    """Return the device's half as Janus wants it: one section, the device the DTLS client."""
    offer = parse_offer_untrusted(device.offer())
    lines = [
        "v=0",
        f"o=- 1 1 IN IP4 {ADDRESS}",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        f"m=audio 9 UDP/TLS/RTP/SAVPF {PAYLOAD_TYPE}",
        f"c=IN IP4 {ADDRESS}",
        "a=mid:0",
        "a=rtcp-mux",
        f"a=rtpmap:{PAYLOAD_TYPE} opus/48000/2",
        f"a=ice-ufrag:{offer.credentials.ufrag}",
        f"a=ice-pwd:{offer.credentials.password}",
        f"a=fingerprint:sha-256 {offer.fingerprint.hex(':').upper()}",
        "a=setup:active",
        "a=sendonly" if sends else "a=recvonly",
        *([f"a=ssrc:{device.ssrc} cname:device"] if sends else []),
    ]
    return "\r\n".join(lines) + "\r\n"


def _as_answer(sdp: str, *, sends: bool) -> str:
    """Return Janus's half in the form in which our device takes it."""
    said: dict[str, str] = {}
    for line in sdp.splitlines():
        name, _, value = line.removeprefix("a=").partition(":")
        said.setdefault(name, value)
    candidate = said["candidate"].split()
    ssrc = None if sends else int(said["ssrc"].split()[0])
    answer = Answer(
        credentials=Credentials(said["ice-ufrag"], said["ice-pwd"]),
        fingerprint=bytes.fromhex(said["fingerprint"].split()[1].replace(":", "")),
        hosts=(candidate[4],),
        port=int(candidate[5]),
        sections=(AnswerSection("0", PAYLOAD_TYPE, ssrc),),
    )
    return format_answer(answer, session_id=1, version=1, cname="janus")


async def _serve(janus: Janus) -> None:
    load = Load(janus, host=ADDRESS, device=FullDevice)
    await load.connect()
    await load.speak(1)
    print("ready", flush=True)
    while asked := await asyncio.to_thread(sys.stdin.readline):
        janus.keep_alive()
        print(json.dumps((await load.speak(int(asked))).as_json()), flush=True)
    load.close()


def main() -> None:
    """Be the inner half: an address, Janus, the load."""
    for words in (
        "link set lo up",
        "link add line type veth peer name end",
        f"address add {ADDRESS}/24 dev line",
        "link set line up",
        "link set end up",
    ):
        subprocess.run(["ip", *words.split()], check=True)
    two_cores = len(os.sched_getaffinity(0)) >= 2
    with tempfile.TemporaryDirectory(prefix="telcon-janus-") as place:
        janus = Janus(Path(place), 0 if two_cores else None)
        try:
            asyncio.run(_serve(janus))
        finally:
            janus.stop()


if __name__ == "__main__":
    main()
