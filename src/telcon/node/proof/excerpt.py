"""The proof folder of one message out of a talk, and of how many others it leaves out.

Which type an entry has stands in clear, and whether it had effect is told by folding both logs. So
the whole logs, seals unopened, prove the counts; the one message is opened by its receipt.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec import UNSET

from telcon.core.call import Place
from telcon.core.entry import LAYERS, Message, read_entry_untrusted
from telcon.core.fold import Applied
from telcon.core.stored import StoredLog
from telcon.errors import MalformedError, OperatorError
from telcon.ledger import KeyCard
from telcon.node.proof import layout
from telcon.node.proof.check import FolderCheck
from telcon.node.proof.export import (
    CutLog,
    ExportedLog,
    cosigned_end,
    sides_of,
    write_log,
    write_policies,
    write_receipt,
)
from telcon.node.proof.files import FolderWriter, nobody
from telcon.node.proof.layout import SIDES, ExcerptAccount
from telcon.node.proof.readme import excerpt_readme
from telcon.node.proof.selection import fold_line
from telcon.node.proof.steps import QUIET, Progress
from telcon.node.proof.trust import Keys

__all__ = ["ExcerptCheck", "Talk", "export_message", "talk_around"]

_MEMBERS: Final = LAYERS[-1].members


@dataclass(frozen=True, slots=True)
class Talk:
    """How many messages stand around one: those of its call, or, of none, those of no call."""

    call: str
    """Empty: of no call."""
    before: int
    """By the same author; likewise `after`."""
    after: int
    other_before: int
    """By the other side, and seen by the author when writing; `other_after`: not."""
    other_after: int

    @property
    def left_out(self) -> int:
        """How many there are besides the one."""
        return self.before + self.after + self.other_before + self.other_after


def talk_around(
    ours: StoredLog, theirs: StoredLog, place: Place, progress: Progress = QUIET
) -> Talk | None:
    """Fold both logs and count the messages around that at `place`; None if there is none.

    Raises:
        StorageError: the entries of a log are not those of its tree.
    """
    origin, index = place
    log = ours if ours.origin == origin else theirs
    read = read_entry_untrusted(log.entries(index, 1)[0]) if 0 <= index < log.size else None
    if not isinstance(read, Message):
        return None
    message = read
    counts = [0, 0, 0, 0]
    has_effect = False

    def count(author: str, at: int, applied: Applied) -> None:
        nonlocal has_effect
        entry = applied.entry
        if not isinstance(entry, Message) or applied.void is not None:
            return
        if (author, at) == place:
            has_effect = True
        elif entry.call == message.call:
            if author == origin:
                counts[int(at > index)] += 1
            else:
                counts[2 + int(at >= message.seen[0])] += 1

    fold_line(ours, theirs, count, progress)
    call = "" if message.call is UNSET else message.call
    return Talk(call, *counts) if has_effect else None


def export_message(
    ours: ExportedLog,
    theirs: ExportedLog,
    *,
    own_card: KeyCard,
    peer_card: KeyCard,
    place: Place,
    out: Path,
    told: Callable[[], None] = nobody,
    progress: Progress = QUIET,
) -> Talk:
    """Write the proof folder of the message at `place` to `out`; return what it leaves out.

    `told` is called right before the first byte, as of any export.

    Raises:
        OperatorError: there is no such message, the other side has not cosigned it yet, or `out`
            is taken.
        StorageError: the disk refused, or the store's own proofs do not hold.
        PeerError: a stored checkpoint is not what it should be.
    """
    sides = sides_of(ours, theirs, own_card, peer_card)
    ends = [cosigned_end(side) for side in sides]
    cut = [CutLog(side.log, size) for side, (size, _) in zip(sides, ends, strict=True)]
    talk = talk_around(cut[0], cut[1], place, progress)
    if talk is None:
        raise OperatorError(
            f"no message that both sides hold is entry {place[1]} of {place[0]}",
            advice="Leave out --message to see which there are.",
        )
    shown = next(side for side in sides if side.log.origin == place[0])
    with FolderWriter(out, told) as writer:
        for side, (size, note) in zip(sides, ends, strict=True):
            write_policies(writer, side)
            write_log(writer, side, size, note, progress)
        entry = read_entry_untrusted(shown.log.entries(place[1], 1)[0])
        if isinstance(entry, Message):
            write_receipt(writer, shown, place[1], entry, _MEMBERS)
        account = _account(own_card.line, own_card.name, peer_card.name, talk)
        writer.write(layout.EXCERPT, layout.format_account(account))
        writer.write(layout.README, excerpt_readme(account).encode())
        writer.finish()
    return talk


def _account(line: str, ours: str, theirs: str, talk: Talk) -> ExcerptAccount:
    return ExcerptAccount(
        line,
        ours,
        theirs,
        talk.call,
        talk.before,
        talk.after,
        talk.other_before,
        talk.other_after,
    )


class ExcerptCheck(FolderCheck[ExcerptAccount]):
    """The folder of one message."""

    SUMMARY = layout.EXCERPT
    NOT_SHOWN = ("what the messages say that are left out",)

    def parse(self, data: bytes) -> ExcerptAccount:
        """Read excerpt.json."""
        account = layout.parse_account_untrusted(data)
        if not isinstance(account, ExcerptAccount):
            raise MalformedError(f"{layout.EXCERPT} is about something else")
        return account

    def check(self, summary: ExcerptAccount, keys: Keys) -> None:
        """Check the message, both logs, and the counts."""
        for side in SIDES:
            self.check_receipts(side, summary, keys)
        self.check_roots()
        for side in SIDES:
            self.check_log(side, summary, keys)
        if self.faults:
            return
        if len(self.receipts) != 1 or not isinstance(self.receipts[0].entry, Message):
            self.faults.append("it does not show exactly one message")
            return
        proven = self.receipts[0].proven
        ours, theirs = (self.logs[summary.origin(side)] for side in SIDES)
        talk = talk_around(ours, theirs, (proven.origin, proven.index), self.progress)
        if talk is None:
            self.faults.append("by both logs, the message had no effect")
            return
        if summary != _account(summary.line, summary.ours, summary.theirs, talk):
            self.faults.append("excerpt.json says another call or count than the whole logs")
            return
        of = f"of the call {talk.call}" if talk.call else "of this line, in no call"
        self.also.append(
            f"This is one message of {talk.left_out + 1} {of}, by both logs as far as they are"
            f" here. Not shown are {talk.left_out}: by its author {talk.before} before it and"
            f" {talk.after} after it; by the other side {talk.other_before} that its author had"
            f" when writing it, and {talk.other_after} others."
        )
