"""What a node holds of one call besides the fold: media, devices, what the peer signalled.

Nothing here decides. `telcon.node.calls` keeps the calls and lets their media follow the fold;
`telcon.node.acts` does what people ask for.
"""

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from telcon.core.call import CallState
from telcon.core.seal import Media, Person, Text, parse_media_untrusted, parse_person_untrusted
from telcon.core.signals import HintSignal, RecorderSignal, TrunkSignal, format_signal
from telcon.errors import MalformedError, OperatorError, PinError
from telcon.node.agreement import Agreement, find_left
from telcon.node.agreements import Agreements
from telcon.node.audit import AuditEvent
from telcon.node.floor import Floor, Speaker
from telcon.node.line import Line
from telcon.node.media.plane import MediaPlane
from telcon.node.record.journal import Head
from telcon.node.record.place import RecordPlace
from telcon.node.record.recorder import RecorderStatus
from telcon.node.record.sealing import Reader
from telcon.node.record.shelf import Shelf
from telcon.node.store import Store
from telcon.node.store.keepers import find_keepers
from telcon.node.tape import Tape

__all__ = ["Audit", "RunningCall", "Site"]

HANDLE_OCTETS = 8
STALE_S = 2.0
"""A recorder heard of longer ago than this counts as stopped."""

HEARTBEAT_S = 1.0  # docs/protocol.md §6, recorder


class Audit(Protocol):
    """Writes one event to the node's audit file."""

    def __call__(self, event: str, /, **fields: str | int | bool | None) -> None:
        """Write `event` with its fields; never a secret."""


@dataclass(frozen=True, slots=True)
class Site:
    """What the calls of all lines of a node share."""

    principal: Person
    plane: MediaPlane
    hosts: Sequence[str]
    """IP addresses at which the other node reaches our media port."""
    store: Store
    folder: Path
    audit: Audit
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    """Runs a task that the node owns."""
    changed: Callable[[], None]
    """Hears that screens differ now."""
    passed: Callable[[Mapping[str, Any]], None]
    """Tells every page something that passes by."""
    devices: Callable[[], int]
    """Counts the pages that would ring."""
    clock: Callable[[], float]
    """Monotonic seconds, for all time-outs of calls."""
    test_every_minutes: int
    """How often each line is tested; 0: only when somebody asks."""

    def media(self, certificate: str, trunk: str) -> Media:
        """Return what an entry seals about media: our DTLS certificate, the device's, the trunk."""
        return Media(node=self.plane.certificate_sha256.hex(), device=certificate, trunk=trunk)


@dataclass(slots=True)
class RunningCall:
    """One call as it runs here, from its ring until some seconds after its end."""

    call: str
    floor: Floor
    audit: Audit
    began: float = 0.0  # monotonic, by the clock of the calls: when it began to ring here
    seats: dict[str, str] = field(default_factory=dict)  # device -> own handle
    certificates: dict[str, bytes] = field(default_factory=dict)  # device -> as its entry names it
    persons: dict[str, Person] = field(default_factory=dict)  # handle -> as stated by its side
    muted: set[str] = field(default_factory=set)  # handles, by both sides' hints
    tape: Tape | None = None
    had_stricter: bool = False  # it was live in a mode that does not record
    their_recorder: tuple[RecorderSignal, float] | None = None  # and when it came, monotonic
    hushed_until: float | None = None  # the peer says that it has hung up
    goes_on_unsigned: bool = False  # the link is away for so long that people are told, once
    ended_at: float | None = None  # monotonic
    leaving: asyncio.TimerHandle | None = None  # takes the ended call off the screens
    is_unread: bool = False  # the store was, so it is not recorded: it is tried again
    _since: float = field(default_factory=time.monotonic)  # none of its packets is older
    _switched: asyncio.Event = field(default_factory=asyncio.Event)
    _beating: asyncio.Task[None] | None = None
    _trunk_hash: str | None = None  # as the peer sealed it
    _trunk: TrunkSignal | None = None  # as the peer signalled it

    def recorder(self) -> RecorderStatus:
        """Return our recorder's lamp."""
        return RecorderStatus(on=False, age_ms=None) if self.tape is None else self.tape.status()

    def hears_their_recorder(self) -> bool:
        """Say whether their recorder told just now that it is on."""
        if self.their_recorder is None:
            return False
        beat, came = self.their_recorder
        return beat.on and time.monotonic() - came < STALE_S

    def is_recorded(self, state: CallState, own: str, *, link_up: bool) -> bool:
        """Say whether both recorders are on, as far as can be told; `own` is our log.

        Without the link theirs is not heard of, well or not.
        """
        logged = {one.author for one in state.recordings if one.off is None}
        theirs = bool(logged - {own}) and self.hears_their_recorder()
        return own in logged and self.recorder().on and (theirs or not link_up)

    # -- devices

    def sit(self, device: str, certificate: str) -> str:
        """Give `device` a fresh handle; the leg must show the certificate that is logged.

        Raises:
            OperatorError: it has a seat already.
            PinError: its leg shows another one already.
        """
        if device in self.seats:
            raise OperatorError("This device is on the call already.")
        try:
            self.floor.require_certificate(device, bytes.fromhex(certificate))
        except PinError as error:
            self.audit(AuditEvent.WRONG_FINGERPRINT, call=self.call, why=str(error))
            raise
        self.certificates[device] = bytes.fromhex(certificate)
        self.seats[device] = os.urandom(HANDLE_OCTETS).hex()
        return self.seats[device]

    def stand_up(self, device: str) -> None:
        """Take the seat of `device` away, if it has one."""
        self.seats.pop(device, None)
        self.certificates.pop(device, None)

    def seat_of(self, device: str) -> str:
        """Return the handle under which `device` is on the call.

        Raises:
            OperatorError: it is not.
        """
        handle = self.seats.get(device)
        if handle is None:
            raise OperatorError("This device is not on the call.", advice="Join on this device.")
        return handle

    def adopt(self, merged: "RunningCall", handle: str | None) -> None:
        """Take over the devices of our ring that `merged` into this call, there with `handle`."""
        self.floor.adopt(merged.floor)
        if handle is not None:
            self.seats.update(dict.fromkeys(merged.seats, handle))
            self.certificates.update(merged.certificates)

    # -- what the peer states

    def introduce(self, handle: str, contents: Mapping[str, bytes], *, opens_theirs: bool) -> None:
        """Keep who stands behind `handle`, as the entry with these `contents` states it.

        In the peer's ring or answer (`opens_theirs`) it also sealed its trunk key.
        """
        try:
            self.persons[handle] = parse_person_untrusted(contents.get("person", b""))
            if opens_theirs:
                self._trunk_hash = parse_media_untrusted(contents.get("media", b"")).trunk
        except MalformedError as error:
            self.audit(AuditEvent.OPENING_UNREADABLE, call=self.call, why=str(error))
        self._join_trunk()

    def take_trunk(self, trunk: TrunkSignal) -> None:
        """Take the peer's half of the trunk; it is used once its key was sealed."""
        self._trunk = trunk
        self._join_trunk()

    def _join_trunk(self) -> None:
        """Use the peer's trunk key only if it is the one that the peer sealed in its log."""
        trunk = self._trunk
        if trunk is None or self._trunk_hash is None or self.floor.is_cut:
            return
        self._trunk = None
        if hashlib.sha256(trunk.key).hexdigest() != self._trunk_hash:
            self.audit(AuditEvent.TRUNK_KEY_MISMATCH, call=self.call)
            return
        try:
            self.floor.set_peer(trunk)
        except MalformedError as error:
            self.audit(AuditEvent.PEER_MISBEHAVED, call=self.call, reason=str(error))

    def take_hint(self, hint: HintSignal, state: CallState) -> bool:
        """Note a hint, where it is about somebody of the peer's; say whether it ends the call.

        No proof stands behind it: it may close something for a while, and never opens anything.
        """
        is_ours = hint.handle in self.seats.values()
        if hint.kind == "decline":  # who declines has no handle yet: it names the one who rang
            return is_ours
        if is_ours or all(seat.handle != hint.handle for seat in state.roster.values()):
            return False
        if hint.kind == "mute":
            self.muted.add(hint.handle)
        elif hint.kind == "unmute":
            self.muted.discard(hint.handle)
        return hint.kind in ("hang-up", "cancel")

    # -- recording

    def record(
        self, site: Site, line: Line, agreements: Agreements, speakers: Iterable[Speaker]
    ) -> None:
        """Record `speakers` from now on, those who are not recorded yet; again, after `pause`.

        Raises:
            StorageError: the store cannot be read; nothing has begun.
        """
        if self.tape is None:
            self.tape = self.floor.tape = self._tape(site, line, agreements)
            site.spawn(self.tape.run())
            self._beating = site.spawn(self._beat(site, line))
        self.tape.resume()
        for speaker in speakers:
            self.tape.add_track(speaker.origin, speaker.track)

    def switch_recorder(self, reason: Text | None) -> None:
        """Switch our recorder off for `reason`, or on again; the other side hears of it at once.

        Raises:
            OperatorError: nothing is recorded now, the recorder has failed, or it is so already.
        """
        if self.tape is None:
            raise OperatorError("Nothing of this call is recorded.")
        if self.tape.is_switched_off == (reason is not None):
            state = "on" if reason is None else "off"
            raise OperatorError(f"The recorder of this call is {state} already.")
        if reason is None:
            self.tape.switch_on()
        else:
            self.tape.switch_off(reason)
        self._switched.set()

    def pause(self) -> None:
        """Record nothing from now on: one side has stated a mode that does not record."""
        self.had_stricter = True
        if self.tape is not None:
            self.tape.pause()

    def _tape(self, site: Site, line: Line, agreements: Agreements) -> Tape:
        own, other = line.identity.own_card.log.name, line.identity.peer_card.log.name
        place = RecordPlace.of(site.folder, line.identity.line, self.call)
        head = Head(self.call, own, other, time.time_ns() // 1_000)
        public = site.store.read(lambda connection: find_keepers(connection, line.identity.line))
        keepers = [Reader(one) for one in public]
        left = find_left(site.store, line, self.call)
        make = partial(place.begin, head, keepers)
        shelf = Shelf(f"record {self.call[:8]}", make, time.monotonic())  # a thread from here on
        agreement = Agreement(
            self.call, line, place, shelf, site.store, site.audit, keepers=len(keepers), left=left
        )
        agreements.add(agreement)
        return Tape(
            call=self.call,
            began=self._since,
            own_origin=own,
            path=place.path,
            agreement=agreement,
            store=site.store,
            act=line.act,
            audit=site.audit,
        )

    async def _beat(self, site: Site, line: Line) -> None:
        """Tell the other side each second how our recorder is."""
        while True:
            lamp = self.recorder()
            body = format_signal(RecorderSignal(on=lamp.on, age_ms=lamp.age_ms))
            line.signal("recorder", self.call, body)
            site.changed()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._switched.wait(), HEARTBEAT_S)
            self._switched.clear()

    # -- the end

    def cut(self) -> None:
        """Stop all media now and for ever; no disk, link or peer can delay that."""
        self.floor.cut()
        if self.tape is not None:
            self.tape.finish()

    def end(self, now: float) -> None:
        """Note that the call is over."""
        self.cut()
        self.ended_at = now
        if self._beating is not None:
            self._beating.cancel()

    def forget(self) -> None:
        """Leave no timer behind; the call leaves the screens."""
        self.cut()
        if self.leaving is not None:
            self.leaving.cancel()
        if self._beating is not None:
            self._beating.cancel()
