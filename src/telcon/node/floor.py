"""One call's media on this node: which packet goes where, and only while the gate is open.

A floor joins the legs of our own devices with the trunk to the other node. The place where a packet is
forwarded is also where it is recorded, so what is not forwarded is not recorded, and the reverse.
Who may be heard is decided by `telcon.core.gate`; the floor obeys (`apply`) and can be cut at once (`cut`).
"""

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from telcon.core.gate import Gate
from telcon.core.signals import TrunkSignal
from telcon.errors import OperatorError, PinError
from telcon.node.media.leg import Leg, LegEvent
from telcon.node.media.plane import MediaPlane
from telcon.node.media.rtcp import ReportBlock
from telcon.node.media.rtp import RtpPacket
from telcon.node.media.sdp import parse_offer_untrusted
from telcon.node.media.source import Source
from telcon.node.media.trunk import Trunk
from telcon.node.tape import Tape

__all__ = ["Floor", "Speaker"]

TRUNK_KEY_OCTETS = 44  # RFC 7714 §12: 32 of key and 12 of salt for AEAD_AES_256_GCM
NOBODY = Gate(frozenset(), frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class Speaker:
    """Somebody on the roster: `handle`, the log's `origin` of their side, and their track."""

    handle: str
    origin: str
    track: int


@dataclass(slots=True)
class _Device:
    """One of our own devices: its leg, and as whom it is on the call once it is."""

    leg: Leg
    certificate: bytes  # SHA-256, as its offer announced and DTLS showed
    handle: str | None = None
    heard: list[str] = field(default_factory=list)


class Floor:
    """The media of one call. Every method returns at once; nothing here waits for disk or peer."""

    def __init__(self, plane: MediaPlane, hosts: Sequence[str], call: str, own_origin: str) -> None:
        """Make the trunk with a fresh key; it sends nothing before the peer's half is known.

        `hosts` are the IP addresses at which the other node reaches our media port.
        """
        self._hosts = hosts
        self.call = call
        self.cut_off = False
        self.tape: Tape | None = None
        self._plane = plane
        self._own_origin = own_origin
        key = os.urandom(TRUNK_KEY_OCTETS)
        self.trunk_key_hash = hashlib.sha256(key).hexdigest()
        """Hex SHA-256 of our trunk key, as it is sealed in ring and answer."""
        self._trunk = Trunk(plane.mux, self, key=key, ssrc_prefix=int.from_bytes(os.urandom(3)))
        self._timer: asyncio.TimerHandle | None = None
        self._devices: dict[str, _Device] = {}
        self._speakers: dict[str, Speaker] = {}
        self._theirs: dict[int, Source] = {}  # by track
        self._gate = NOBODY
        self._muted: set[str] = set()

    # -- the trunk

    def trunk_signal(self) -> TrunkSignal:
        """Return our half of the trunk, for the link alone: it holds the key."""
        return self._trunk.signal([(host, self._plane.port) for host in self._hosts])

    def set_peer(self, peer: TrunkSignal) -> None:
        """Take the other node's half; the caller has held its key against the sealed hash.

        Raises:
            MalformedError: an address that nobody can be at, or another key than before.
        """
        self._trunk.set_peer(peer)
        self._arm()

    def trunk_silent_s(self) -> float:
        """Return for how many seconds nothing authentic has come from the other node."""
        return self._trunk.silent_for(time.monotonic())

    # -- devices

    def offer(
        self, device: str, sdp: str, expected: bytes | None, on_event: Callable[[LegEvent], None]
    ) -> str:
        """Begin the leg of `device`, armed but not admitted; return the answer. An old one closes.

        `expected` is the SHA-256 of the certificate that its entry names, if there is one yet.

        Raises:
            MalformedError: the offer cannot be read or has another shape than a leg.
            PinError: it bears another certificate than the entry; the leg has closed.
            BusyError: the node has as many legs open as it can.
        """
        self.drop(device)
        leg = self._plane.open_leg(expected, on_event)
        try:
            answer = leg.answer(sdp)
        except BaseException:
            leg.close()
            raise
        self._devices[device] = _Device(leg, parse_offer_untrusted(sdp).fingerprint)
        return answer

    def restart(self, device: str, sdp: str) -> str:
        """Give the leg of `device` a new path; return the answer.

        Raises:
            MalformedError: the offer cannot be read, or differs in more than its credentials.
            OperatorError: `device` has no leg here any more.
        """
        held = self._devices.get(device)
        if held is None:
            raise OperatorError("This device's connection is gone.", advice="Join on this device.")
        return held.leg.restart(sdp)

    def has(self, device: str) -> bool:
        """Say whether `device` has a leg here."""
        return device in self._devices

    def require_certificate(self, device: str, certificate: bytes) -> None:
        """Refuse an act that names another certificate than the leg of `device` shows.

        Raises:
            PinError: it does.
        """
        held = self._devices.get(device)
        if held is not None and held.certificate != certificate:
            raise PinError(
                "This page connected with another certificate than it states.",
                advice="Reload the page and try again.",
            )

    def seat(self, device: str, handle: str) -> None:
        """Say as whom `device` is on the call; it is admitted when the gate opens."""
        self._devices[device].handle = handle

    def adopt(self, other: "Floor") -> None:
        """Take over the devices of `other`, a ring that was merged into this call."""
        self._devices.update(other._devices)
        other._devices.clear()

    def drop(self, device: str) -> None:
        """Close the leg of `device`, if it has one."""
        gone = self._devices.pop(device, None)
        if gone is not None:
            gone.leg.close()
            self._map_slots()

    def heard_by(self, device: str) -> list[str]:
        """Return the handles that `device` hears, in the order of its slots."""
        return list(self._devices[device].heard) if device in self._devices else []

    # -- the gate

    def apply(self, gate: Gate, speakers: Iterable[Speaker]) -> None:
        """Obey `gate` for the roster `speakers`: admit or dismiss devices, map sources to slots."""
        if self.cut_off:
            return
        self._gate = gate
        self._speakers = {speaker.handle: speaker for speaker in speakers}
        for held in self._devices.values():
            self._admit(held)
        self._map_slots()

    def mute(self, handle: str, *, muted: bool) -> None:
        """Stop or resume forwarding of `handle` on this node, at once."""
        (self._muted.add if muted else self._muted.discard)(handle)

    def hush(self) -> None:
        """Stop sending and playing until the next `apply`: the other side says it has hung up."""
        self.apply(NOBODY, self._speakers.values())

    def cut(self) -> None:
        """Stop all media of the call now and for ever; legs and trunk are closed, keys erased."""
        self.cut_off = True
        self._gate = NOBODY
        for device in list(self._devices):
            self._devices.pop(device).leg.close()
        self._trunk.close()
        self._theirs.clear()
        if self._timer is not None:
            self._timer.cancel()

    # -- packets

    def _admit(self, held: _Device) -> None:
        """Open the leg of a seated device once anything may flow on it; close it when nothing may."""
        seated = held.handle is not None and held.handle in self._speakers
        may_flow = seated and (bool(self._gate.play) or held.handle in self._gate.send)
        if may_flow and held.leg.source is None and held.handle is not None:
            held.leg.admit().add_tap(self._forwarder(held.handle))
        elif not may_flow and held.leg.source is not None:
            held.leg.dismiss()

    def _forwarder(self, handle: str) -> Callable[[RtpPacket], None]:
        def forward(packet: RtpPacket) -> None:
            if handle not in self._gate.send or handle in self._muted:
                return
            track = self._speakers[handle].track
            sent = self._trunk.send(track, packet.timestamp, packet.payload, packet.marker)
            if sent is not None and self.tape is not None:
                self.tape.write(self._own_origin, track, sent.index, sent.timestamp, packet.payload)

        return forward

    # -- telcon.node.media.trunk.TrunkUser

    def receive_packet(self, track: int, index: int, timestamp: int, packet: RtpPacket) -> None:
        """Play and record a packet of the other side, if its speaker may be heard."""
        speaker = self._their_speaker(track)
        if speaker is None or speaker.handle not in self._gate.play:
            return
        source = self._theirs.get(track)
        if source is None:
            source = self._theirs[track] = Source()
            self._map_slots()
        source.feed(packet)
        if self.tape is not None:
            self.tape.write(speaker.origin, track, index, timestamp, packet.payload)

    def receive_report(self, track: int, block: ReportBlock) -> None:
        """Let our speaker know what the far listeners miss, so that the encoder adds to it."""
        for held in self._devices.values():
            speaker = self._speakers.get(held.handle or "")
            if speaker is not None and speaker.track == track and held.leg.source is not None:
                held.leg.source.note_listener_loss(self, block.fraction_lost)

    def receive_sender_report(self, track: int, ntp: int) -> None:
        """Remember when the other node reported, for our next report to it."""
        if track in self._theirs:
            self._theirs[track].note_sender_report(ntp)

    def report_blocks(self) -> Sequence[ReportBlock]:
        """Return what we miss of the other node's tracks."""
        blocks = (source.report() for source in self._theirs.values())
        return [block for block in blocks if block is not None]

    def _their_speaker(self, track: int) -> Speaker | None:
        for speaker in self._speakers.values():
            if speaker.track == track and speaker.origin != self._own_origin:
                return speaker
        return None

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._trunk.next_deadline()
        if deadline is not None and not self.cut_off:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, deadline - time.monotonic()), self._deadline)

    def _deadline(self) -> None:
        self._trunk.handle_deadline(time.monotonic())
        self._arm()

    # -- slots

    def _map_slots(self) -> None:
        """Give each admitted leg the others' sources, in roster order, one a slot."""
        for held in self._devices.values():
            if held.leg.source is None:
                held.heard = []
                continue
            wanted = [
                (speaker.handle, source)
                for speaker in self._speakers.values()
                if speaker.handle != held.handle
                and (source := self._source_of(speaker)) is not None
            ][: len(held.leg.slots)]
            held.heard = [handle for handle, _ in wanted]
            for number, slot in enumerate(held.leg.slots):
                slot.map(wanted[number][1] if number < len(wanted) else None)

    def _source_of(self, speaker: Speaker) -> Source | None:
        if speaker.origin != self._own_origin:
            return self._theirs.get(speaker.track) if speaker.handle in self._gate.play else None
        if speaker.handle not in self._gate.local:
            return None
        for held in self._devices.values():
            if held.handle == speaker.handle:
                return held.leg.source
        return None
