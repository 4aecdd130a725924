"""Writes the proof folder of a time without a call, or says which call touches it.

1. Each log's length before and after the time, by the other side's cosignatures.
2. Each log is cut where nothing after that time need be shown: at the first cosigned checkpoint
   that reaches beyond it on both clocks and holds all that the shown part of the other has seen.
3. The survey that a verifier makes (`absence`), of the logs so cut.
4. Both logs with seals only, the bounds, absence.json, README.txt, SHA256SUMS.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telcon.core.entry import Void, read_entry_untrusted
from telcon.errors import OperatorError, StorageError
from telcon.ledger import KeyCard, verify_checkpoint
from telcon.node.proof import layout
from telcon.node.proof.absence import Bounds, Findings, Until, survey
from telcon.node.proof.absence_check import clocks_words, opened_by, opening_words, touch_words
from telcon.node.proof.export import CutLog, ExportedLog, Side, sides_of, write_log, write_policies
from telcon.node.proof.files import FolderWriter, nobody
from telcon.node.proof.layout import AbsenceAccount
from telcon.node.proof.readme import absence_readme
from telcon.node.proof.steps import QUIET, Progress

__all__ = ["attest_none"]

_READ_OCTETS: Final = 65_536


@dataclass(frozen=True, slots=True)
class _Note:
    """A cosigned checkpoint of a log."""

    size: int
    time_s: int
    note: bytes


class _Prefix:
    """How much of a log is to be shown, and what that claims to have seen of the other."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.size = 0
        self.seen = 0

    def grow_to(self, size: int) -> None:
        """Show `size` entries at least."""
        self._read(lambda _: self.size >= size)

    def grow_beyond(self, time_us: int) -> bool:
        """Show entries up to the first of `time_us` or later; return whether there is one."""
        return self._read(lambda entry_us: entry_us >= time_us)

    def _read(self, is_enough: Callable[[int], bool]) -> bool:
        log = self.side.log
        time_us = 0
        while not is_enough(time_us):
            piece = log.entries(self.size, _READ_OCTETS)
            if not piece:
                return False
            for data in piece:
                self.size += 1
                read = read_entry_untrusted(data)
                if not isinstance(read, Void):
                    time_us = read.time
                    self.seen = max(self.seen, read.seen[0])
                if is_enough(time_us):
                    break
        return True


def attest_none(
    ours: ExportedLog,
    theirs: ExportedLog,
    *,
    own_card: KeyCard,
    peer_card: KeyCard,
    from_us: int,
    to_us: int,
    out: Path,
    told: Callable[[], None] = nobody,
    progress: Progress = QUIET,
) -> Findings:
    """Write to `out` the proof that neither log has a call from `from_us` up to `to_us`.

    `told` is called right before the first byte, as of any export.

    Returns:
        What both logs tell of that time.

    Raises:
        OperatorError: a call touches it; a log does not reach beyond it; the line was opened only
            after it; it is no time at all; or `out` is taken.
        StorageError: the disk refused, or the store's own proofs do not hold.
        PeerError: a stored checkpoint is not what it should be.
    """
    if from_us >= to_us:
        raise OperatorError(
            "it ends before it begins", advice="Give --to a later time than --from."
        )
    _require_opened(ours, theirs, to_us)
    sides = sides_of(ours, theirs, own_card, peer_card)
    prefixes = [_Prefix(side) for side in sides]
    befores = [_last_before(side, from_us) for side in sides]
    afters = [_first_after(prefix, to_us) for prefix in prefixes]  # 1
    ends = _cut(prefixes, afters)  # 2
    bounds = {
        side.log.origin: Bounds(
            None if before is None else Until(before.size, before.time_s),
            Until(after.size, after.time_s),
        )
        for side, before, after in zip(sides, befores, afters, strict=True)
    }
    cut = [CutLog(side.log, end.size) for side, end in zip(sides, ends, strict=True)]
    found = survey(cut[0], cut[1], bounds, from_us, to_us, progress)  # 3
    _require_nothing(found)
    with FolderWriter(out, told) as writer:  # 4
        for side, before, after, end in zip(sides, befores, afters, ends, strict=True):
            write_policies(writer, side)
            if before is not None:
                writer.write(f"{side.name}/{layout.BEFORE}", before.note)
            writer.write(f"{side.name}/{layout.AFTER}", after.note)
            write_log(writer, side, end.size, end.note, progress)
        account = AbsenceAccount(own_card.line, own_card.name, peer_card.name, from_us, to_us)
        writer.write(layout.ABSENCE, layout.format_account(account))
        opened = opening_words((ours, theirs), from_us, to_us)
        writer.write(layout.README, absence_readme(account, opened).encode())
        writer.finish()
    return found


def _require_opened(ours: ExportedLog, theirs: ExportedLog, to_us: int) -> None:
    """Refuse a time that was over when the line was opened: its silence then shows nothing."""
    opened = opened_by((ours, theirs))
    if opened and min(opened.values()) >= to_us:
        raise OperatorError(
            f"the line was opened at {clocks_words(opened)}: in that time it was not there to be"
            " called on",
            advice="Give a time that ends later. Of an older line, attest by its id: telcon line"
            " list",
        )


def _require_nothing(found: Findings) -> None:
    if found.touching:
        raise OperatorError(
            "; ".join(touch_words(found)),
            advice="There was a call. Give a time without one; nothing was written.",
        )
    if found.short:
        raise _too_short(found.short[0])
    if found.withheld:
        ((author, other), size), *_ = found.withheld.items()
        raise OperatorError(
            f"an entry of {author} says that it had seen {size} entries of {other} by then, and it"
            " has cosigned fewer since: what lies between cannot be shown",
            advice="Give a time that ends before that entry. If this goes on, renew the line.",
        )
    if found.unread:
        raise OperatorError(
            "entries of that time are of a kind that this version does not know",
            advice="Use a newer telcon; nothing was written.",
        )


def _note_over(side: Side, index: int) -> _Note | None:
    """Return the earliest cosigned checkpoint over an entry, with the cosigner's time."""
    found = side.log.cosigned_note_over(index)
    if found is None:
        return None
    size, note = found
    times = [t for key, t in verify_checkpoint(note, side.policy).cosigned if key == side.mirror]
    return _Note(size, times[0], note)


def _search(side: Side, is_later: Callable[[_Note], bool]) -> int:
    """Return the first entry whose checkpoint is later, by halving; the size if there is none."""
    low, high = 0, side.log.size
    while low < high:
        middle = (low + high) // 2
        found = _note_over(side, middle)
        if found is None or is_later(found):
            high = middle
        else:
            low = middle + 1
    return low


def _last_before(side: Side, time_us: int) -> _Note | None:
    """Return the newest checkpoint that was cosigned before `time_us`."""
    first = _search(side, lambda found: (found.time_s + 1) * 1_000_000 > time_us)
    return None if first == 0 else _note_over(side, first - 1)


def _first_after(prefix: _Prefix, time_us: int) -> _Note:
    """Return the first checkpoint that was cosigned after `time_us`; the log must reach so far."""
    side = prefix.side
    first = _search(side, lambda found: found.time_s * 1_000_000 >= time_us)
    found = _note_over(side, first)
    if found is None or not prefix.grow_beyond(time_us):
        raise _too_short(side.log.origin)
    return found


def _too_short(origin: str) -> OperatorError:
    return OperatorError(
        f"the log {origin} does not reach beyond that time: only a later entry, held by the other"
        " side, shows that nothing is missing",
        advice="Once it is over, test the line (telcon line test), and try again seconds later.",
    )


def _cut(prefixes: Sequence[_Prefix], afters: Sequence[_Note]) -> list[_Note]:
    """Return where each log may end, so that neither has seen what the other does not show."""
    for prefix, after in zip(prefixes, afters, strict=True):
        prefix.grow_to(after.size)
    while True:
        ends = [_end(prefix) for prefix in prefixes]
        sizes = [prefix.size for prefix in prefixes]
        for at, prefix in enumerate(prefixes):
            # What is not cosigned yet cannot be shown; a verifier says so.
            prefix.grow_to(min(max(ends[at].size, prefixes[1 - at].seen), prefix.side.log.size))
        if sizes == [prefix.size for prefix in prefixes]:
            return ends


def _end(prefix: _Prefix) -> _Note:
    """Return the checkpoint at or after the end of what is to be shown, the newest if none is."""
    found = _note_over(prefix.side, prefix.size - 1)
    if found is None:
        newest = _search(prefix.side, lambda _: False)
        found = _note_over(prefix.side, newest - 1)
    if found is None:
        raise StorageError(f"no checkpoint of {prefix.side.log.origin} is cosigned yet")
    return found
