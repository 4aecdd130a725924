"""What people do in the calls of one line: each act from the page's wish to its entry.

Opening waits for the log: whoever rings, answers or joins is heard when the gate opens. Closing
does not: media is cut on this node first, a hint goes to the other, and the entry follows.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from telcon.core import draft as drafts
from telcon.core.call import CallState
from telcon.core.entry import Mode
from telcon.core.seal import Text
from telcon.core.settle import stricter
from telcon.core.signals import HintKind
from telcon.core.transitions import Phase
from telcon.errors import LinkDownError, OperatorError, TelconError
from telcon.node.audit import AuditEvent
from telcon.node.calls import Calls
from telcon.node.running import RunningCall

__all__ = ["Acts"]

MAX_TRACK = 255  # docs/protocol.md §2
CALL_OCTETS = 16


class Acts:
    """The acts of the node's principal on one line; `device` is the page that asks."""

    def __init__(self, calls: Calls) -> None:
        """Act on the calls that `calls` keeps."""
        self._calls = calls
        self._site = calls.site
        self._line = calls.line

    # -- opening

    async def ring(self, device: str, mode: Mode, certificate: str, topic: str | None) -> str:
        """Ring the other side's principal from `device`; return the call's id.

        Raises:
            LinkDownError: the line is down; a message can be left instead.
            OperatorError: a call is going on already, or the other side's log has ended.
            IllegalActError: the line is frozen, or has ended.
        """
        if self._calls.current() is not None:
            raise OperatorError(
                "A call on this line is going on already.", advice="Answer or end that one first."
            )
        if self._line.machine.is_ended_there:
            raise OperatorError(
                "The other node has ended its log of this line: it takes no call.",
                advice="Tell whoever runs your node: a new line has to be set up.",
            )
        self._require_link("Write a message: it goes when the line is back.")
        call = os.urandom(CALL_OCTETS).hex()
        running = self._calls.begin(call)
        draft = drafts.ring(
            call,
            running.sit(device, certificate),
            mode=mode,
            track=1,
            person=self._site.principal,
            media=self._site.media(certificate, running.floor.trunk_key_hash),
            topic=_words(topic),
        )
        try:
            await self._line.act(draft)
        except TelconError:
            self._calls.forget(call)
            raise
        self._calls.signal_trunk(running)
        return call

    async def answer(self, device: str, call: str, certificate: str, mode: Mode = "audio") -> None:
        """Answer the ringing `call` on `device`; the stricter of `mode` and the ring's is stated.

        Raises:
            OperatorError: it does not ring any more, or rings at the other side.
            PinError: the device's certificate is not its leg's.
        """
        running, state = self._call(call, Phase.RINGING)
        self._require_side(state, ours=False)
        with self._seated(running, device, certificate) as handle:
            draft = drafts.answer(
                call,
                handle,
                state.rung,
                mode=stricter([state.mode, mode]),
                track=1,
                person=self._site.principal,
                media=self._site.media(certificate, running.floor.trunk_key_hash),
            )
            self._calls.signal_trunk(running)
            await self._line.act(draft)

    async def join(self, device: str, call: str, certificate: str) -> None:
        """Let one more device of our principal take part in the live `call`.

        Raises:
            OperatorError: the call is not live, or the device is on it already.
            LinkDownError: the line is down, and the other side could not sign who joins.
            PinError: the device's certificate is not its leg's.
        """
        running, state = self._call(call, Phase.LIVE)
        self._require_link("You can join as soon as the line is back.")
        origin = self._calls.own_origin
        track = 1 + max(seat.track for seat in state.roster.values() if seat.origin == origin)
        if track > MAX_TRACK:
            raise OperatorError(f"{MAX_TRACK} devices have been on this call; no more can join.")
        with self._seated(running, device, certificate) as handle:
            draft = drafts.join(
                call,
                handle,
                role="principal",
                track=track,
                person=self._site.principal,
                media=self._site.media(certificate, ""),
            )
            await self._line.act(draft)

    async def keep(self, device: str, call: str, mode: Mode) -> None:
        """State anew what this side lets be kept of the live `call`; the stricter side's holds.

        Where that is no audio nothing more is recorded here, at once; the entry follows.

        Raises:
            OperatorError: the call is not live, or `device` is not on it.
        """
        running, _ = self._call(call, Phase.LIVE)
        handle = running.seat_of(device)
        if mode != "audio":
            running.pause()
        try:
            await self._line.act(drafts.mode(call, handle, mode))
        finally:
            self._calls.settle(call)  # if it could not be stated, what was agreed before holds

    def switch_recorder(
        self, call: str, reason: str | None, lang: str = "en", device: str | None = None
    ) -> None:
        """Switch our recorder off for `reason`, in the language `lang`; without one, on again.

        It takes effect at once; record-off, with the reason, or record-on follow. `device` is the
        page that asks; None: the operator does.

        Raises:
            OperatorError: the call is not live, `device` is not on it, nothing is recorded, or the
                recorder has failed.
        """
        running, _ = self._call(call, Phase.LIVE)
        if device is not None:
            running.seat_of(device)
        running.switch_recorder(_words(reason, lang))
        event = AuditEvent.RECORDER_ON if reason is None else AuditEvent.RECORDER_OFF
        self._site.audit(event, call=call, why=reason, from_page=device is not None)
        self._site.changed()

    def offer(self, device: str, call: str, sdp: str) -> str:
        """Begin the leg of `device` for `call`; return the SDP answer.

        Raises:
            MalformedError: an offer that no leg can answer.
            PinError: it bears another certificate than the call's entry.
            OperatorError: no such call is going on.
        """
        running = self._running(call)
        answer = running.floor.offer(device, sdp, running.certificates.get(device))
        self._calls.settle(call)
        return answer

    def restart(self, device: str, call: str, sdp: str) -> str:
        """Give the leg of `device` a new path (ICE restart); return the SDP answer.

        Raises:
            MalformedError: the offer differs in more than its credentials.
            OperatorError: no such call is going on, or the leg is gone.
        """
        return self._running(call).floor.restart(device, sdp)

    # -- closing

    async def decline(self, call: str, reason: str | None, lang: str = "en") -> None:
        """Decline the ringing `call`; `reason` is in the language `lang`.

        Raises:
            OperatorError: it does not ring any more, or rings at the other side.
        """
        running, state = self._call(call, Phase.RINGING)
        self._require_side(state, ours=False)
        caller = next((seat.handle for seat in state.roster.values()), "")
        self._close(running, "decline", caller)
        await self._line.act(drafts.decline(call, state.rung, _words(reason, lang)))

    async def cancel(self, call: str) -> None:
        """Take our ring back.

        Raises:
            OperatorError: it does not ring any more, or it is not ours.
        """
        running, state = self._call(call, Phase.RINGING)
        self._require_side(state, ours=True)
        self._close(running, "cancel", next(iter(running.seats.values()), ""))
        await self._line.act(drafts.cancel(call, state.rung))

    async def hang_up(self, device: str, call: str) -> None:
        """End the live `call`.

        Raises:
            OperatorError: the call is not live, or `device` is not on it.
        """
        running, _ = self._call(call, Phase.LIVE)
        handle = running.seat_of(device)
        self._close(running, "hang-up", handle)
        await self._line.act(drafts.hang_up(call, handle))

    async def leave(self, device: str, call: str) -> None:
        """Take `device` off the live `call`; the last one to go hangs up.

        Raises:
            OperatorError: the call is not live, or `device` is not on it.
        """
        running, _ = self._call(call, Phase.LIVE)
        handle = running.seat_of(device)
        if len(running.seats) == 1:
            await self.hang_up(device, call)
            return
        running.floor.drop(device)
        running.stand_up(device)
        self._calls.hint(running, "leave", handle)
        await self._line.act(drafts.leave(call, handle))

    def mute(self, device: str, call: str, *, muted: bool) -> None:
        """Stop or resume forwarding what `device` sends, at once; not logged.

        Raises:
            OperatorError: `device` is not on the call.
        """
        running = self._running(call)
        handle = running.seat_of(device)
        running.floor.mute(handle, muted=muted)
        (running.muted.add if muted else running.muted.discard)(handle)
        self._calls.hint(running, "mute" if muted else "unmute", handle)
        self._site.changed()

    def device_gone(self, device: str) -> None:
        """Forget a page that was closed; its call goes on with the others, or is hung up."""
        for running in list(self._calls.running.values()):
            if device in running.seats and running.ended_at is None:
                self._site.spawn(self._leave_quietly(device, running.call))
            else:
                running.floor.drop(device)

    async def _leave_quietly(self, device: str, call: str) -> None:
        state = self._line.machine.fold.calls.get(call)
        try:
            if state is not None and state.phase is Phase.RINGING:
                await self.cancel(call)
            else:
                await self.leave(device, call)
        except TelconError as error:
            self._site.audit(AuditEvent.ACT_REFUSED, call=call, act="leave", why=str(error))

    # -- pieces

    def _close(self, running: RunningCall, kind: HintKind, handle: str) -> None:
        """Cut media on this node now; the other node need not wait for the entry either."""
        running.cut()
        self._calls.hint(running, kind, handle)

    @contextmanager
    def _seated(self, running: RunningCall, device: str, certificate: str) -> Iterator[str]:
        """Seat `device` for an act that may fail; yield its handle."""
        handle = running.sit(device, certificate)
        try:
            yield handle
        except TelconError:
            running.stand_up(device)
            raise

    def _require_link(self, advice: str) -> None:
        if not self._line.is_up:
            raise LinkDownError("The line is down.", advice=advice)

    def _require_side(self, state: CallState, *, ours: bool) -> None:
        if (state.rung[0] == self._calls.own_origin) is not ours:
            raise OperatorError("It is for the other side to do that.")

    def _running(self, call: str) -> RunningCall:
        running = self._calls.running.get(call)
        if running is None or running.ended_at is not None:
            raise OperatorError("This call is over.")
        return running

    def _call(self, call: str, phase: Phase) -> tuple[RunningCall, CallState]:
        running = self._running(call)
        state = self._line.machine.fold.calls.get(call)
        if state is None or state.phase is not phase:
            raise OperatorError(f"This call is not {phase} any more.")
        return running, state


def _words(words: str | None, lang: str = "en") -> Text | None:
    return None if words is None else Text(lang, words)
