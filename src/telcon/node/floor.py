"""One call's media on this node: which packet goes where, and only while the gate is open.

A floor joins the legs of our own devices with the trunk to the other node. Where a packet is
forwarded it is also recorded: what is not forwarded is not recorded, and the reverse. Who may be
heard is decided by `telcon.core.gate`; the floor obeys (`apply`) and can be cut at once (`cut`).
"""

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from telcon.core.gate import CLOSED, Gate
from telcon.core.signals import TrunkSignal
from telcon.errors import OperatorError, PinError
from telcon.node.device import Device
from telcon.node.media.plane import MediaPlane
from telcon.node.media.rtcp import ReportBlock
from telcon.node.media.rtp import RtpPacket
from telcon.node.media.source import Source
from telcon.node.media.trunk import Trunk, TrunkStatistics
from telcon.node.tape import Tape

__all__ = ["Floor", "Speaker"]

LOSS_NEWS = 8
"""256ths; when the far listeners miss so much more, our speaker's encoder is told at once."""

TRUNK_KEY_OCTETS = 44  # RFC 7714 §12: 32 of key and 12 of salt for AEAD_AES_256_GCM


@dataclass(frozen=True, slots=True)
class Speaker:
    """Somebody on the roster: `handle`, the log's `origin` of their side, and their track."""

    handle: str
    origin: str
    track: int
    joined: bool
    """They came by `call.join`, neither by the ring nor by the answer."""


class Floor:
    """The media of one call. Every method returns at once; nothing here waits for disk or peer."""

    def __init__(
        self,
        plane: MediaPlane,
        hosts: Sequence[str],
        call: str,
        own_origin: str,
        *,
        clock: Callable[[], float],
        lost: Callable[[], None],
    ) -> None:
        """Make the trunk with a fresh key; it sends nothing before the peer's half is known.

        `hosts` are the IP addresses at which the other node reaches our media port; `clock` gives
        monotonic seconds; `lost` hears that a device's leg has closed by itself.
        """
        self.call = call
        self.is_cut = False
        self.tape: Tape | None = None
        self._hosts = hosts
        self._plane = plane
        self._own_origin = own_origin
        self._clock = clock
        self._lost = lost
        key = os.urandom(TRUNK_KEY_OCTETS)
        self.trunk_key_hash = hashlib.sha256(key).hexdigest()
        """Hex SHA-256 of our trunk key, as it is sealed in ring and answer."""
        prefix = int.from_bytes(os.urandom(3))
        self._trunk = Trunk(plane.mux, self, key=key, ssrc_prefix=prefix, clock=clock)
        self._timer: asyncio.TimerHandle | None = None
        self._devices: dict[str, Device] = {}
        self._speakers: dict[str, Speaker] = {}
        self._theirs: dict[int, Source] = {}  # by track
        self.gate = CLOSED
        """What is obeyed now; set by `apply`."""
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
        return self._trunk.silent_for(self._clock())

    def trunk_statistics(self) -> TrunkStatistics:
        """Return the counts of the trunk so far."""
        return self._trunk.statistics()

    # -- devices

    def offer(self, device: str, sdp: str, expected: bytes | None) -> str:
        """Begin the leg of `device`, armed but not admitted; return the answer. An old one closes.

        `expected` is the SHA-256 of the certificate that its entry names, if there is one yet.

        Raises:
            MalformedError: the offer cannot be read or has another shape than a leg.
            PinError: it bears another certificate than the entry; the leg has closed.
            BusyError: the node has as many legs open as it can.
        """
        self.drop(device)
        self._devices[device] = Device(self._plane, sdp, expected, self._lose)
        return self._devices[device].answer

    def device(self, device: str) -> Device | None:
        """Return `device`, if it has a leg here."""
        return self._devices.get(device)

    def restart(self, device: str, sdp: str) -> str:
        """Give the leg of `device` a new path; return the answer.

        Raises:
            MalformedError: the offer cannot be read, or differs in more than its credentials.
            OperatorError: `device` has no leg here any more.
        """
        if device not in self._devices:
            raise OperatorError("This device's connection is gone.", advice="Join on this device.")
        return self._devices[device].restart(sdp)

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

    def adopt(self, other: "Floor") -> None:
        """Take over the devices of `other`, a ring that was merged into this call."""
        for name, held in other._devices.items():
            self.drop(name)
            held.on_lost = self._lose
            self._devices[name] = held
        other._devices.clear()

    def drop(self, device: str) -> None:
        """Close the leg of `device`, if it has one."""
        gone = self._devices.pop(device, None)
        if gone is not None:
            gone.close()
            self._map_slots()

    def heard_by(self, device: str) -> dict[int, str]:
        """Return the handles that `device` hears, by its slots."""
        return self._devices[device].heard() if device in self._devices else {}

    def _lose(self, lost: Device) -> None:
        """Forget a device whose leg closed by itself; its page makes a new one, or has gone."""
        for name, held in list(self._devices.items()):
            if held is lost:
                del self._devices[name]
                self._map_slots()
                self._lost()

    # -- the gate

    def apply(self, gate: Gate, speakers: Iterable[Speaker], seats: dict[str, str]) -> None:
        """Obey `gate` for the roster `speakers`; `seats`: as whom each device is on the call."""
        if self.is_cut:
            return
        self.gate = gate
        self._speakers = {speaker.handle: speaker for speaker in speakers}
        for name, held in self._devices.items():
            held.handle = seats.get(name)
            if held.handle is not None and self._may_flow(held.handle):
                held.admit(self._forwarder(held.handle))
            else:
                held.dismiss()
        self._map_slots()

    def _may_flow(self, handle: str) -> bool:
        """Say whether the leg of `handle` may carry anything, one way or the other.

        Who rang or answered hears the other side from (a) and (c) of the gate on; who joined, once
        the other side has signed that they did.
        """
        speaker = self._speakers.get(handle)
        if speaker is None:
            return False
        is_covered = handle in self.gate.send or handle in self.gate.local
        return is_covered or (bool(self.gate.play) and not speaker.joined)

    def mute(self, handle: str, *, muted: bool) -> None:
        """Stop or resume forwarding of `handle` on this node, at once."""
        (self._muted.add if muted else self._muted.discard)(handle)
        self._map_slots()

    def cut(self) -> None:
        """Stop all media of the call now and for ever; legs and trunk are closed, keys erased."""
        self.is_cut = True
        self.gate = CLOSED
        for held in self._devices.values():
            held.close()
        self._devices.clear()
        self._trunk.close()
        self._theirs.clear()
        if self._timer is not None:
            self._timer.cancel()

    # -- packets

    def _forwarder(self, handle: str) -> Callable[[RtpPacket], None]:
        def forward(packet: RtpPacket) -> None:
            if handle not in self.gate.send or handle in self._muted:
                return
            track = self._speakers[handle].track
            sent = self._trunk.send(track, packet.timestamp, packet.payload, packet.marker)
            if sent is not None and self.tape is not None:
                self.tape.write(self._own_origin, track, sent.index, sent.timestamp, packet.payload)

        return forward

    # -- telcon.node.media.trunk.TrunkUser

    def receive_packet(
        self, track: int, index: int, timestamp: int, packet: RtpPacket, *, filled: bool
    ) -> None:
        """Play and record a packet of the other side, if its speaker may be heard."""
        speaker = self._their_speaker(track)
        if speaker is None or speaker.handle not in self.gate.play:
            return
        source = self._theirs.get(track)
        if source is None:
            source = self._theirs[track] = Source(clock=self._clock)
            self._map_slots()
        source.feed(packet, filled=filled)
        if self.tape is not None:
            self.tape.write(speaker.origin, track, index, timestamp, packet.payload)

    def note_overtaken(self, track: int) -> None:
        """Count a packet as not lost that came after another had brought it."""
        if source := self._theirs.get(track):
            source.note_overtaken()

    def wanted(self, track: int, round_trip_s: float) -> Sequence[int]:
        """Return what we miss of a track of the other side and could still use."""
        source = self._theirs.get(track)
        return source.wanted(round_trip_s) if source is not None else ()

    def receive_report(self, track: int, block: ReportBlock) -> None:
        """Let our speaker know what the far listeners miss, so that the encoder adds to it."""
        for held in self._devices.values():
            speaker = self._speakers.get(held.handle or "")
            if speaker is not None and speaker.track == track and held.source is not None:
                held.source.note_listener_loss(self, block.fraction_lost)
                if block.fraction_lost - held.source.told_loss > LOSS_NEWS:
                    held.leg.report()

    def receive_sender_report(self, track: int, ntp: int) -> None:
        """Remember when the other node reported, for our next report to it."""
        if source := self._theirs.get(track):
            source.note_sender_report(ntp)

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
        if deadline is not None and not self.is_cut:
            delay = max(0.0, deadline - self._clock())
            self._timer = asyncio.get_running_loop().call_later(delay, self._deadline)

    def _deadline(self) -> None:
        self._trunk.handle_deadline(self._clock())
        self._arm()

    # -- slots

    def _map_slots(self) -> None:
        """Let each admitted device hear all others who may be heard."""
        for held in self._devices.values():
            if held.source is not None:
                held.hear(
                    {
                        handle: source
                        for handle, speaker in self._speakers.items()
                        if handle != held.handle
                        and (source := self._source_of(speaker)) is not None
                    }
                )

    def _source_of(self, speaker: Speaker) -> Source | None:
        if speaker.origin != self._own_origin:
            return self._theirs.get(speaker.track) if speaker.handle in self.gate.play else None
        if speaker.handle not in self.gate.local or speaker.handle in self._muted:
            return None
        own = (one.source for one in self._devices.values() if one.handle == speaker.handle)
        return next(own, None)
