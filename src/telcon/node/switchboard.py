"""The calls of one line: entries on one side, devices and media on the other.

Entries that are held arrive as events; what people do arrives as method calls. Both end in the same
place, `_settle`: it looks at the fold, asks `telcon.core.gate` what may be heard, and lets the floor
obey. Time-outs are decided by `telcon.core.duties`; this module only writes what they wish for.
"""

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from telcon.core import draft as drafts
from telcon.core.call import CallState
from telcon.core.draft import Draft
from telcon.core.duties import Duties, GlareAnswer, glare_answers
from telcon.core.entry import CallAnswer, CallJoin, CallRing, LineTest, LineTested, Mode
from telcon.core.events import Cosigned, EntryHeld, Event, LineDown, LineUp, SignalReceived
from telcon.core.gate import CLOSED, gate_of
from telcon.core.seal import Media, Person, Text, parse_media_untrusted, parse_person_untrusted
from telcon.core.signals import (
    HintKind,
    HintSignal,
    RecorderSignal,
    TrunkSignal,
    format_signal,
    parse_hint_untrusted,
    parse_recorder_untrusted,
    parse_trunk_untrusted,
)
from telcon.core.transitions import Phase
from telcon.errors import LinkDownError, MalformedError, OperatorError, TelconError
from telcon.node.audit import AuditEvent
from telcon.node.floor import Floor, Speaker
from telcon.node.line import Line
from telcon.node.media.leg import FingerprintMismatch, LegEvent, LegFailed
from telcon.node.media.plane import MediaPlane
from telcon.node.media.recorder import RecorderStatus
from telcon.node.store import Store
from telcon.node.tape import Tape

__all__ = ["RunningCall", "Switchboard"]

MAX_EARLY_TRUNKS = 8  # trunk signals that came before their ring was held
ENDED_SHOWN_S = 6.0  # how long the screen keeps an ended call, so that a person can read why
HEARTBEAT_S = 1.0  # docs/protocol.md §6, recorder

Audit = Callable[..., None]


@dataclass(slots=True)
class RunningCall:
    """What this node holds of a call besides the fold: its media, devices and signals."""

    call: str
    floor: Floor
    seats: dict[str, str] = field(default_factory=dict)  # device -> own handle
    certificates: dict[str, bytes] = field(default_factory=dict)  # device -> as its entry names it
    persons: dict[str, Person] = field(default_factory=dict)  # handle -> as stated by its side
    muted: set[str] = field(default_factory=set)  # handles, by both sides' hints
    trunk_hash: str | None = None  # as the peer sealed it
    trunk: TrunkSignal | None = None  # as the peer signalled it
    tape: Tape | None = None
    their_recorder: tuple[RecorderSignal, float] | None = None  # and when it came, monotonic
    ended_at: float | None = None  # monotonic

    def recorder(self) -> RecorderStatus:
        """Return our recorder's lamp."""
        return RecorderStatus(on=False, age_ms=None) if self.tape is None else self.tape.status()


class Switchboard:
    """One line's calls. Everything happens on the loop's thread; `spawn` owns the tasks."""

    def __init__(
        self,
        *,
        principal: Person,
        plane: MediaPlane,
        hosts: Sequence[str],
        store: Store,
        folder: Path,
        audit: Audit,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        changed: Callable[[], None],
        devices: Callable[[], int],
    ) -> None:
        """`changed` hears that screens differ now; `devices` counts the pages that would ring."""
        self.running: dict[str, RunningCall] = {}
        self._principal = principal
        self._plane = plane
        self._hosts = hosts
        self._store = store
        self._folder = folder
        self._audit = audit
        self._spawn = spawn
        self._changed = changed
        self._devices = devices
        self._early: dict[str, TrunkSignal] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._tests: dict[tuple[str, int], list[asyncio.Event]] = {}
        self._glared: set[str] = set()
        self._hushed: set[str] = set()  # calls that the terms mute while the link is away

    def attach(self, line: Line) -> None:
        """Take the line whose calls these are; what it can no longer carry on has failed."""
        self.line = line
        self._own = line.identity.own_card.log.name
        self._duties = Duties(self._own)
        for draft in self._duties.restarted(line.machine.fold):
            self._write(draft)

    def close(self) -> None:
        """Cut all media and end the recordings; the node is closing."""
        if self._timer is not None:
            self._timer.cancel()
        for running in self.running.values():
            if running.ended_at is None:
                self._end(running)

    async def wait_tested(self, test: tuple[str, int]) -> None:
        """Wait until the other side has answered our `line.test` at `test`."""
        answered = asyncio.Event()
        self._tests.setdefault(test, []).append(answered)
        await answered.wait()

    # -- what people do

    async def ring(self, device: str, mode: Mode, certificate: str, topic: str | None) -> str:
        """Ring the other side's principal from `device`; return the call's id.

        Raises:
            LinkDownError: the line is down; a message can be left instead.
            OperatorError: a call is going on already.
        """
        if self.line.up_since_us is None:
            raise LinkDownError(
                "The line is down.", advice="Write a message: it goes when the line is back."
            )
        if self.current() is not None:
            raise OperatorError("A call on this line is going on already.")
        call = os.urandom(16).hex()
        running = self._begin(call)
        handle = self._sit(running, device, certificate)
        draft = drafts.ring(
            call,
            handle,
            mode=mode,
            track=1,
            person=self._principal,
            media=self._media(certificate, running.floor.trunk_key_hash),
            topic=None if topic is None else Text("en", topic),
        )
        try:
            await self.line.act(draft)
        except TelconError:
            self._forget(call)
            raise
        self._signal_trunk(running)
        return call

    async def answer(self, device: str, call: str, certificate: str) -> None:
        """Answer the ringing `call` on `device`.

        Raises:
            OperatorError: it does not ring any more, or the device's certificate is not the leg's.
        """
        running, state = self._ringing(call)
        handle = self._sit(running, device, certificate)
        draft = drafts.answer(
            call,
            handle,
            state.rung,
            mode=state.mode,
            track=1,
            person=self._principal,
            media=self._media(certificate, running.floor.trunk_key_hash),
        )
        self._signal_trunk(running)
        await self._act_or_leave_seat(running, device, draft)

    async def join(self, device: str, call: str, certificate: str) -> None:
        """Let one more device of our principal take part in the live `call`.

        Raises:
            OperatorError: the call is not live, or nobody may join now.
        """
        running, state = self._live(call)
        if self.line.up_since_us is None:
            raise LinkDownError("Nobody can join while the line is down.")
        handle = self._sit(running, device, certificate)
        track = 1 + max(seat.track for seat in state.roster.values() if seat.origin == self._own)
        draft = drafts.join(
            call,
            handle,
            role="principal",
            track=track,
            person=self._principal,
            media=self._media(certificate, ""),
        )
        await self._act_or_leave_seat(running, device, draft)

    async def decline(self, call: str, reason: str | None) -> None:
        """Decline the ringing `call`.

        Raises:
            OperatorError: it does not ring any more.
        """
        running, state = self._ringing(call)
        self._close_media(
            running, "decline", next((seat.handle for seat in state.roster.values()), "")
        )
        await self.line.act(drafts.decline(call, state.rung, _words(reason)))

    async def cancel(self, call: str) -> None:
        """Take our ring back.

        Raises:
            OperatorError: it does not ring any more.
        """
        running, state = self._ringing(call)
        self._close_media(running, "cancel", next(iter(running.seats.values()), ""))
        await self.line.act(drafts.cancel(call, state.rung))

    async def hang_up(self, device: str, call: str) -> None:
        """End the live `call`: media first, the entry after it.

        Raises:
            OperatorError: the call is not live, or `device` is not on it.
        """
        running, _ = self._live(call)
        handle = self._seat(running, device)
        self._close_media(running, "hang-up", handle)
        await self.line.act(drafts.hang_up(call, handle))

    async def leave(self, device: str, call: str) -> None:
        """Take `device` off the live `call`; the last one to go hangs up.

        Raises:
            OperatorError: the call is not live, or `device` is not on it.
        """
        running, _ = self._live(call)
        handle = self._seat(running, device)
        if len(running.seats) == 1:
            await self.hang_up(device, call)
            return
        running.floor.drop(device)
        del running.seats[device]
        self._hint(running, "leave", handle)
        await self.line.act(drafts.leave(call, handle))

    def mute(self, device: str, call: str, *, muted: bool) -> None:
        """Stop or resume forwarding what `device` sends, at once; not logged.

        Raises:
            OperatorError: `device` is not on the call.
        """
        running = self._known(call)
        handle = self._seat(running, device)
        running.floor.mute(handle, muted=muted)
        (running.muted.add if muted else running.muted.discard)(handle)
        self._hint(running, "mute" if muted else "unmute", handle)
        self._changed()

    def offer(self, device: str, call: str, sdp: str) -> str:
        """Begin the leg of `device` for `call`; return the SDP answer.

        Raises:
            MalformedError: an offer that no leg can answer.
            PinError: it bears another certificate than the call's entry.
            OperatorError: no such call is going on.
        """
        running = self._known(call)
        answer = running.floor.offer(
            device,
            sdp,
            running.certificates.get(device),
            lambda event: self._leg_event(call, device, event),
        )
        self._settle(call)
        return answer

    def restart(self, device: str, call: str, sdp: str) -> str:
        """Give the leg of `device` a new path (ICE restart); return the SDP answer.

        Raises:
            MalformedError: the offer differs in more than its credentials.
            OperatorError: no such call is going on, or the leg is gone.
        """
        return self._known(call).floor.restart(device, sdp)

    def _leg_event(self, call: str, device: str, event: LegEvent) -> None:
        """A leg that failed is gone; the page makes a new one, or its person has left."""
        running = self.running.get(call)
        if running is not None and isinstance(event, LegFailed | FingerprintMismatch):
            running.floor.drop(device)
            self._changed()

    def device_gone(self, device: str) -> None:
        """Forget a page that was closed; its call goes on with the others or is hung up."""
        for running in list(self.running.values()):
            if device in running.seats and running.ended_at is None:
                self._spawn(self._leave_quietly(device, running.call))
            else:
                running.floor.drop(device)

    async def _leave_quietly(self, device: str, call: str) -> None:
        try:
            state = self.line.machine.fold.calls[call]
            if state.phase is Phase.RINGING:
                await self.cancel(call)
            else:
                await self.leave(device, call)
        except TelconError as error:
            self._audit(AuditEvent.ACT_REFUSED, call=call, act="leave", why=str(error))

    # -- what the line tells

    def event(self, event: Event) -> None:
        """Take one event of the line."""
        match event:
            case EntryHeld():
                self._held(event)
            case Cosigned() | LineUp() | LineDown():
                if isinstance(event, LineUp):
                    self._hushed.clear()
                for call in list(self.running):
                    self._settle(call)
            case SignalReceived():
                self._signal(event)
        self._do_duties()
        self._changed()

    def _held(self, held: EntryHeld) -> None:
        entry = held.entry
        if entry is None or held.void is not None:
            return
        ours = held.origin == self._own
        contents = {opening.member: opening.content for opening in held.openings}
        match entry:
            case LineTested() if not ours:
                for waiting in self._tests.pop(entry.re[0], ()):
                    waiting.set()
            case LineTest() if not ours:
                self._write(drafts.line_tested((held.origin, held.index)))
            case CallRing() if not ours:
                self._begin(entry.call)
                self._write(drafts.ringing(entry.call, (held.origin, held.index), self._devices()))
        match entry:
            case CallRing() | CallAnswer() | CallJoin():
                self._introduce(entry, contents, ours=ours)
        call = getattr(entry, "call", None)
        if isinstance(call, str):
            self._settle(call)

    def _introduce(
        self, entry: CallRing | CallAnswer | CallJoin, contents: dict[str, bytes], *, ours: bool
    ) -> None:
        """Keep who stands behind a handle, and which trunk key the peer sealed."""
        running = self.running.get(entry.call)
        if running is None:
            return
        if isinstance(entry, CallAnswer) and entry.glare:
            self._merge(running, entry, ours=ours)
        try:
            running.persons[entry.by] = parse_person_untrusted(contents.get("person", b""))
            if not ours and not isinstance(entry, CallJoin):
                running.trunk_hash = parse_media_untrusted(contents.get("media", b"")).trunk
        except MalformedError as error:
            self._audit(AuditEvent.OPENING_UNREADABLE, call=entry.call, why=str(error))
        self._join_trunk(running)

    def _merge(self, running: RunningCall, entry: CallAnswer, *, ours: bool) -> None:
        """Both sides rang: devices of the ring that was merged move to the call that lives."""
        merged = entry.re[1]
        for other in list(self.running.values()):
            state = self.line.machine.fold.calls.get(other.call)
            if state is None or state.rung != merged or other is running:
                continue
            running.floor.adopt(other.floor)
            if ours:
                running.seats.update(dict.fromkeys(other.seats, entry.by))
                running.certificates.update(other.certificates)
            self._forget(other.call)

    def _signal(self, signal: SignalReceived) -> None:
        try:
            match signal.kind:
                case "trunk":
                    self._take_trunk(signal.call, parse_trunk_untrusted(signal.body))
                case "hint":
                    self._take_hint(signal.call, parse_hint_untrusted(signal.body))
                case "recorder" if signal.call in self.running:
                    beat = parse_recorder_untrusted(signal.body)
                    self.running[signal.call].their_recorder = (beat, time.monotonic())
        except MalformedError as error:
            self._audit(AuditEvent.PEER_MISBEHAVED, why=str(error))

    def _take_trunk(self, call: str, trunk: TrunkSignal) -> None:
        running = self.running.get(call)
        if running is None:
            self._early[call] = trunk
            while len(self._early) > MAX_EARLY_TRUNKS:
                del self._early[next(iter(self._early))]
            return
        running.trunk = trunk
        self._join_trunk(running)

    def _take_hint(self, call: str, hint: HintSignal) -> None:
        """Obey a hint only where it closes something: no proof stands behind it."""
        running = self.running.get(call)
        state = self.line.machine.fold.calls.get(call)
        if running is None or state is None or hint.handle in running.seats.values():
            return
        match hint.kind:
            case "mute":
                running.muted.add(hint.handle)
            case "unmute":
                running.muted.discard(hint.handle)
            case "hang-up" if any(seat.handle == hint.handle for seat in state.roster.values()):
                running.floor.hush()

    # -- settling

    def current(self) -> RunningCall | None:
        """Return the call that the screen shows: one not ended, or one that ended just now."""
        alive = [r for r in self.running.values() if r.ended_at is None]
        return alive[0] if alive else None

    def is_live(self, call: str) -> bool:
        """Say whether the fold has `call` live."""
        state = self.line.machine.fold.calls.get(call)
        return state is not None and state.phase is Phase.LIVE

    def shown(self) -> RunningCall | None:
        """Return the call that the screens show, an ended one for some seconds too."""
        return self.current() or next(reversed(list(self.running.values())), None)

    def _settle(self, call: str) -> None:
        """Let the media of `call` follow its fold."""
        running, state = self.running.get(call), self.line.machine.fold.calls.get(call)
        if running is None or state is None or running.ended_at is not None:
            return
        if state.phase not in (Phase.RINGING, Phase.LIVE):
            self._end(running)
            return
        for device, handle in running.seats.items():
            if running.floor.has(device):
                running.floor.seat(device, handle)
        machine = self.line.machine
        gate = gate_of(
            machine.fold, call, self._own, machine.cosigned_by_peer, machine.cosigned_here
        )
        if call in self._hushed:
            gate = CLOSED
        speakers = [
            Speaker(seat.handle, seat.origin, seat.track)
            for seat in state.roster.values()
            if seat.left is None
        ]
        if (gate.send or gate.play) and state.mode == "audio":
            self._record(running, speakers)
        elif running.tape is not None:
            running.tape.finish()
        running.floor.apply(gate, speakers)

    def _record(self, running: RunningCall, speakers: list[Speaker]) -> None:
        if running.tape is None:
            running.tape = Tape(
                call=running.call,
                own_origin=self._own,
                folder=self._folder,
                store=self._store,
                act=self.line.act,
                audit=self._audit,
            )
            running.floor.tape = running.tape
            self._spawn(running.tape.run())
            self._spawn(self._beat(running))
        for speaker in speakers:
            person = running.persons.get(speaker.handle)
            running.tape.add_track(speaker.origin, speaker.track, person.name if person else "")

    async def _beat(self, running: RunningCall) -> None:
        """Tell the other side each second that our recorder runs."""
        while running.ended_at is None:
            lamp = running.recorder()
            body = format_signal(RecorderSignal(on=lamp.on, age_ms=lamp.age_ms))
            self.line.signal("recorder", running.call, body)
            self._changed()
            await asyncio.sleep(HEARTBEAT_S)

    def _end(self, running: RunningCall) -> None:
        running.ended_at = time.monotonic()
        running.floor.cut()
        if running.tape is not None:
            running.tape.finish()
        loop = asyncio.get_running_loop()
        loop.call_later(ENDED_SHOWN_S, self._forget, running.call)

    def _close_media(self, running: RunningCall, kind: HintKind, handle: str) -> None:
        """Cut media on this node now; no disk, link or peer can delay that."""
        running.floor.cut()
        self._hint(running, kind, handle)

    def _forget(self, call: str) -> None:
        gone = self.running.pop(call, None)
        if gone is not None:
            gone.floor.cut()
            self._changed()

    # -- duties

    def _do_duties(self) -> None:
        machine = self.line.machine
        quiet = [r.floor.trunk_silent_s() for r in self.running.values() if r.ended_at is None]
        self._duties.observe(
            machine.fold,
            cosigned_by_peer=machine.cosigned_by_peer,
            cosigned_here=machine.cosigned_here,
            link_up=self.line.up_since_us is not None,
            trunk_silent_s=min(quiet, default=0.0),
            now=time.monotonic(),
        )
        for draft in self._duties.due(time.monotonic()):
            self._write(draft)
        for glare in glare_answers(machine.fold, self._own):
            if glare.own_call in self.running and glare.call not in self._glared:
                self._glared.add(glare.call)
                self._answer_glare(glare)
        for lost in self._duties.link_lost(time.monotonic()):
            if lost.action == "mute":
                self._hushed.add(lost.call)
                self._settle(lost.call)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._duties.next_deadline()
        if deadline is not None:
            delay = max(0.0, deadline - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._do_duties)

    def _answer_glare(self, glare: GlareAnswer) -> None:
        """Answer the other's ring by ourselves: our principal has tapped to ring already."""
        own, other = self.running[glare.own_call], self.running.get(glare.call)
        device = next(iter(own.certificates), None)
        if other is None or device is None:
            return
        draft = drafts.answer(
            glare.call,
            os.urandom(8).hex(),
            glare.rung,
            mode=glare.mode,
            track=1,
            person=self._principal,
            media=self._media(own.certificates[device].hex(), other.floor.trunk_key_hash),
            own_ring=glare.own_ring,
        )
        self._signal_trunk(other)
        self._write(draft)

    def _write(self, draft: Draft) -> None:
        self._spawn(self._write_act(draft))

    async def _write_act(self, draft: Draft) -> None:
        """Append an act that nobody waits for; a refusal means that it was overtaken."""
        try:
            await self.line.act(draft)
        except TelconError as error:
            self._audit(AuditEvent.ACT_REFUSED, act=draft.type, why=str(error))

    # -- pieces

    def _begin(self, call: str) -> RunningCall:
        running = RunningCall(call, Floor(self._plane, self._hosts, call, self._own))
        running.trunk = self._early.pop(call, None)
        self.running[call] = running
        return running

    def _sit(self, running: RunningCall, device: str, certificate: str) -> str:
        """Give `device` a fresh handle; the leg must show the certificate that is logged.

        Raises:
            PinError: its leg shows another one already.
        """
        running.floor.require_certificate(device, bytes.fromhex(certificate))
        running.certificates[device] = bytes.fromhex(certificate)
        running.seats[device] = os.urandom(8).hex()
        return running.seats[device]

    def _media(self, certificate: str, trunk: str) -> Media:
        node = self._plane.certificate_sha256.hex()
        return Media(node=node, device=certificate, trunk=trunk)

    def _signal_trunk(self, running: RunningCall) -> None:
        body = format_signal(running.floor.trunk_signal())
        self.line.signal("trunk", running.call, body)

    def _join_trunk(self, running: RunningCall) -> None:
        """Use the peer's trunk key only if it is the one that the peer sealed in its log."""
        if running.trunk is None or running.trunk_hash is None or running.floor.cut_off:
            return
        if hashlib.sha256(running.trunk.key).hexdigest() != running.trunk_hash:
            self._audit(AuditEvent.TRUNK_KEY_MISMATCH, call=running.call)
            return
        try:
            running.floor.set_peer(running.trunk)
        except MalformedError as error:
            self._audit(AuditEvent.PEER_MISBEHAVED, call=running.call, why=str(error))

    def _hint(self, running: RunningCall, kind: HintKind, handle: str) -> None:
        if handle:
            self.line.signal("hint", running.call, format_signal(HintSignal(kind, handle)))

    async def _act_or_leave_seat(self, running: RunningCall, device: str, draft: Draft) -> None:
        try:
            await self.line.act(draft)
        except TelconError:
            running.seats.pop(device, None)
            raise

    def _known(self, call: str) -> RunningCall:
        running = self.running.get(call)
        if running is None or running.ended_at is not None:
            raise OperatorError("This call is over.")
        return running

    def _ringing(self, call: str) -> tuple[RunningCall, CallState]:
        running = self._known(call)
        state = self.line.machine.fold.calls[call]
        if state.phase is not Phase.RINGING:
            raise OperatorError("This call does not ring any more.")
        return running, state

    def _live(self, call: str) -> tuple[RunningCall, CallState]:
        running = self._known(call)
        state = self.line.machine.fold.calls[call]
        if state.phase is not Phase.LIVE:
            raise OperatorError("This call is not live.")
        return running, state

    def _seat(self, running: RunningCall, device: str) -> str:
        handle = running.seats.get(device)
        if handle is None:
            raise OperatorError("This device is not on the call.", advice="Join on this device.")
        return handle


def _words(reason: str | None) -> Text | None:
    return None if reason is None else Text("en", reason)
