"""One line as its principal sees it: its state, its tests, its messages, its history.

Everything is drawn from the fold, every time; what is remembered here is only whether somebody
wants to be told when the line is back.
"""

from collections.abc import Callable

from telcon.core import draft as drafts
from telcon.core.renewal import announced
from telcon.core.seal import Person, Text
from telcon.errors import StorageTrouble
from telcon.node.call_desk import CallDesk, View, person_view
from telcon.node.catching_up import CatchingUp
from telcon.node.contents import Contents
from telcon.node.course_desk import course_view
from telcon.node.evidence import Evidence
from telcon.node.history_desk import HistoryDesk
from telcon.node.line import Line
from telcon.node.message_desk import MessageDesk
from telcon.node.strip import Strip
from telcon.node.succession import Break, Succession, succession_of
from telcon.node.switchboard import Switchboard

__all__ = ["LineDesk"]

ENDED_THERE = "The other node says that its log of this line has ended. Pair the line anew."


class LineDesk:
    """One line as its principal sees it."""

    def __init__(self, line: Line, board: Switchboard, peer: Person, contents: Contents) -> None:
        """Show `line`, to the principal `peer` as their node stated them at pairing."""
        self.line = line
        self.board = board
        self.peer = peer
        self.broken: str | None = None
        """Why nothing more will be signed here on this line; for good."""
        self.trouble: StorageTrouble | None = None
        """Why nothing can be written just now."""
        self.wished = False
        """Whether the principal wants to be told when the line is back."""
        self.calls = CallDesk(line, board, peer, contents)
        self.strip = Strip(line, board.tester.every_minutes)
        self.history = HistoryDesk(line, self.calls, self.strip)
        site = board.calls.site
        self.messages = MessageDesk(line, contents, site.store)
        self.evidence = Evidence(line, site.store)
        self._store = site.store
        self._succession: Succession | None = None
        self._is_succession_read = False  # their first entry never changes
        self._contents = contents
        self._catching = CatchingUp(line)
        self._was_up = line.is_up

    # -- acts

    async def message(
        self, sender: Person, text: str, tag: str, lang: str, changed: Callable[[], None]
    ) -> str:
        """Write a message to the principal at the other end; see `MessageDesk.write`."""
        return await self.messages.write(
            sender, self.peer, Text(lang, text), tag=tag, call=self._live_call(), changed=changed
        )

    async def freeze(self, reason: str) -> None:
        """Trust the line no more: nobody is heard on it from now on, whatever the disk does.

        Raises:
            IllegalActError: this side has frozen the line already, or it has ended.
        """
        for running in self.board.calls.running.values():
            running.cut()
        await self.line.act(drafts.line_frozen(Text("en", reason)))

    def came_back(self) -> bool:
        """Say whether the line came up since this was last asked, and somebody waits for it."""
        was_up, self._was_up = self._was_up, self.line.is_up
        return self.wished and self._was_up and not was_up

    async def course(self, call: str) -> View:
        """Return the course of `call`, which is of this line; see `course_view`."""
        folder = self.board.calls.site.folder
        told = await course_view(self.line, self.calls, self._contents, folder, call)
        node = {"node": self.line.identity.peer_name}
        return told | {"peer": person_view(self.peer) | node}

    def _live_call(self) -> str | None:
        """Return the call that a message of this moment belongs to."""
        running = self.board.calls.current()
        is_live = running is not None and self.board.calls.is_live(running.call)
        return running.call if running is not None and is_live else None

    # -- the view

    def view(self) -> View:
        """Return the line as the contacts show it."""
        machine = self.line.machine
        up = self.line.up_since_us
        return {
            "line": self.line.identity.line,
            "peer": person_view(self.peer) | {"node": self.line.identity.peer_name},
            "up": self.line.is_up,
            "since_us": up if up is not None else self.line.down_since_us,
            "waiting": machine.waiting,
            "messages_waiting": self.messages.waiting() if machine.waiting else 0,
            "wished": self.wished,
            "catching": self._catching.view(),
            "tests": self.strip.view(),
            "frozen": machine.fold.is_frozen,
            "renewed_by": self._renewed_by(),
            "broken": self.ended,
            "forked": self.evidence.whose,
            "noted": not self.evidence.is_open,
            "trouble": self.trouble or self._alarm(),
        }

    @property
    def ended(self) -> str | None:
        """Why nothing more is signed on this line, here or on the other side, in words."""
        return self.broken or (ENDED_THERE if self.line.machine.is_ended_there else None)

    @property
    def succession(self) -> Succession | None:
        """What the other node's log says it goes on from; None: nothing, or it has not begun."""
        theirs = self.line.identity.peer_card.log.name
        is_begun = self.line.machine.fold.size(theirs) > 0
        if is_begun and not self._is_succession_read:
            self._succession = succession_of(self._store, self.line.identity.line)
            self._is_succession_read = True
        return self._succession

    def _renewed_by(self) -> str | None:
        """Return the line that takes this one's place, by the words of whoever has frozen it.

        None if one side has frozen it for another reason. Whether the line named is there, and
        with the same node, is for whoever shows it to see.
        """
        fold, identity = self.line.machine.fold, self.line.identity
        if not fold.is_frozen:
            return None
        named = set()
        for origin in (identity.own_card.log.name, identity.peer_card.log.name):
            index = fold.frozen_at(origin)
            if index is not None:
                words = self._contents.text((origin, index), "reason")
                named.add(announced(words.text) if words else None)
        return named.pop() if len(named) == 1 else None

    def _alarm(self) -> str | None:
        """Return what must be looked into, though the line goes on."""
        theirs = self.line.identity.peer_card.log.name
        if theirs in self.line.machine.fold.wrong_seen:
            return "seen"
        succession = self.succession
        is_another = succession is not None and succession.broken is Break.ANOTHER
        return "previous" if is_another else None
