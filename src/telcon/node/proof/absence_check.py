"""Checks the proof folder of a time without a call, and says what it shows and what it does not.

1. Both whole logs: checkpoint, tiles, entries (`check`).
2. Each log's length before and after the time: signed by its author, cosigned by the other side's
   mirror, on that side's clock, and a prefix of the whole log.
3. No call touches the time on either clock (`absence`), and nothing in it is unreadable here.
4. What both sides stated of coverage, and what they stated before the time began.
5. When the line was opened, where the time begins before that.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from telcon.core.coverage import ALWAYS, Statement, hours_in_words, stretches
from telcon.core.entry import MODES, LineOpened, read_entry_untrusted
from telcon.core.stored import StoredLog
from telcon.errors import MalformedError, PeerError, ProofError
from telcon.ledger import mirror_name, organisation, root_at, verify_checkpoint
from telcon.node.proof import layout
from telcon.node.proof.absence import Bounds, Exchange, Findings, Until, survey
from telcon.node.proof.check import FolderCheck
from telcon.node.proof.coverage import NOT_COVERED
from telcon.node.proof.layout import SIDES, AbsenceAccount
from telcon.node.proof.trust import Keys
from telcon.node.proof.wording import utc_from_seconds, utc_from_us

__all__ = ["AbsenceCheck", "clocks_words", "opened_by", "opening_words", "touch_words"]

SHOWN_TOUCHES: Final = 10
WIDE_US: Final = 2 * 60 * 60 * 1_000_000  # tests come each hour, unless the operator says otherwise
CLOCKS_DIFFER_US: Final = 60 * 1_000_000


class AbsenceCheck(FolderCheck[AbsenceAccount]):
    """The folder of a time without a call."""

    SUMMARY = layout.ABSENCE
    NOT_SHOWN = (
        *NOT_COVERED,
        "what both nodes together kept out of both logs, or gave false times",
    )

    def parse(self, data: bytes) -> AbsenceAccount:
        """Read absence.json."""
        account = layout.parse_account_untrusted(data)
        if not isinstance(account, AbsenceAccount):
            raise MalformedError(f"{layout.ABSENCE} is about something else")
        return account

    def check(self, summary: AbsenceAccount, keys: Keys) -> None:
        """Check both logs, their bounds, and that no call touches the time."""
        for side in SIDES:
            self.check_log(side, summary, keys)  # 1
        if self.faults:
            return
        bounds: dict[str, Bounds] = {}
        for side in SIDES:
            try:
                bounds[summary.origin(side)] = self._bounds(side, summary, keys)  # 2
            except PeerError as error:
                self.faults.append(str(error))
        if self.faults:
            return
        ours, theirs = (self.logs[summary.origin(side)] for side in SIDES)
        found = survey(ours, theirs, bounds, summary.from_us, summary.to_us, self.progress)
        self._judge(summary, found)  # 3
        if not self.faults:
            self._tell(summary, found, bounds)
            self._tell_coverage(summary, found, bounds)  # 4

    def _bounds(self, side: str, summary: AbsenceAccount, keys: Keys) -> Bounds:
        before = self._until(side, layout.BEFORE, summary, keys)
        after = self._until(side, layout.AFTER, summary, keys)
        if after is None:
            raise ProofError(f"{side}/{layout.AFTER} is missing: the log may have been cut off")
        # A cosignature's time is in whole seconds: it was given at some moment of that second.
        if before is not None and (before.time_s + 1) * 1_000_000 > summary.from_us:
            raise ProofError(f"{side}/{layout.BEFORE} was cosigned after the time had begun")
        if after.time_s * 1_000_000 < summary.to_us:
            raise ProofError(
                f"{side}/{layout.AFTER} was cosigned at {utc_from_seconds(after.time_s)}, before"
                " the time had ended: what was logged later is not here"
            )
        return Bounds(before, after)

    def _until(self, side: str, file: str, summary: AbsenceAccount, keys: Keys) -> Until | None:
        """Read a checkpoint of a side's log that the other side's mirror cosigned."""
        path = f"{side}/{file}"
        if path not in self.paths:
            return None
        log = self.logs[summary.origin(side)]
        data = self.files.read(path, layout.MAX_SMALL_OCTETS)
        accepted = verify_checkpoint(data, keys.policy_for(log.origin))
        size, root = accepted.checkpoint.size, accepted.checkpoint.root
        if size > log.size or root_at(size, log.hash) != root:
            raise ProofError(f"{path}: the whole log has another root, or none, at {size}")
        other = summary.theirs if side == SIDES[0] else summary.ours
        mirror = mirror_name(other, summary.line)
        times = [time_s for key, time_s in accepted.cosigned if key.name == mirror]
        if not times:
            raise ProofError(f"{path} is not cosigned by {mirror}")
        self.signed.add(path)
        return Until(size, times[0])

    def _judge(self, summary: AbsenceAccount, found: Findings) -> None:
        self.faults += [
            f"the log {origin} is cut off: by its author's own clock it ends before"
            f" {utc_from_us(summary.to_us)}"
            for origin in found.short
        ]
        self.faults += touch_words(found)
        if not self.faults and (found.unread or found.withheld):
            self.is_undecided = True
            self.faults += [
                f"an entry of {author} of that time or before has seen {size} entries of {other},"
                " of which it is not shown here to hold so many: it was set back to a backup, or"
                " says so falsely; whether they are of a call cannot be told"
                for (author, other), size in found.withheld.items()
            ]
            self.faults += [
                f"{count} entries of that time in {origin} are of a kind that this version does not"
                " know; whether they are of a call cannot be told: verify with a newer telcon"
                for origin, count in found.unread.items()
            ]

    def _tell(self, summary: AbsenceAccount, found: Findings, bounds: dict[str, Bounds]) -> None:
        begin, end = utc_from_us(summary.from_us), utc_from_us(summary.to_us)
        names = f"{summary.ours} and {summary.theirs}"
        self.also.append(
            f"Neither log of the line {summary.line} between {names} has a call in the time from"
            f" {begin} to {end}, by the clock of either. If one of the two nodes told the truth and"
            " its clock was right, none was rung, answered or held on this line in that time."
        )
        opened = opening_words(self.logs.values(), summary.from_us, summary.to_us)  # 5
        if opened:
            self.also.append(opened)
        if found.void_rings:
            self.also.append(
                f"{found.void_rings} rings of that time had no effect: they made no call."
            )
        for origin, bound in bounds.items():
            who = organisation(origin)
            after = utc_from_seconds(bound.after.time_s)
            before = "no checkpoint of before it is here"
            if bound.before is not None:
                since = utc_from_seconds(bound.before.time_s)
                before = f"{bound.before.size} entries were held by the other side at {since}"
            self.also.append(f"Log of {who}: {before}, {bound.after.size} at {after}.")
        self._tell_tests(summary, found)
        self.not_shown += [
            f"what stands in {log} from entry {self.logs[log].size} on, though"
            f" {size} entries of it were seen by the other side"
            for log, size in found.unseen.items()
        ]

    def _tell_tests(self, summary: AbsenceAccount, found: Findings) -> None:
        self.also.append(f"Line tests asked and answered within that time: {found.tests}.")
        for word, one, edge_us in (
            ("before", found.test_before, summary.from_us),
            ("after", found.test_after, summary.to_us),
        ):
            if one is None:
                self.also.append(f"No answered line test of {word} it is here.")
                continue
            self.also.append(_test_words(word, one, edge_us, summary))

    def _tell_coverage(
        self, summary: AbsenceAccount, found: Findings, bounds: dict[str, Bounds]
    ) -> None:
        for side in SIDES:
            origin = summary.origin(side)
            before = bounds[origin].before
            known = 0 if before is None else before.size
            statements = found.statements.of(origin)
            beforehand = [
                one  # held by the other side by then, and not even said to be later by its author
                for one in statements
                if one.index < known and one.entry.time < summary.from_us
            ]
            self._tell_stated(summary, organisation(origin), statements, beforehand)

    def _tell_stated(
        self,
        summary: AbsenceAccount,
        name: str,
        statements: list[Statement],
        beforehand: list[Statement],
    ) -> None:
        begin, end = summary.from_us, summary.to_us
        promised = stretches(beforehand, begin, end)
        early = {one.index for one in beforehand}
        late = [one for one in stretches(statements, begin, end) if one.index not in early]
        for stretch in (*promised, *late):
            when = "before that time" if stretch.index in early else "only once it had begun"
            self.also.append(
                f"{name} stated {when} (entry {stretch.index}) that its log covers"
                f" {utc_from_us(stretch.from_us)} to {utc_from_us(stretch.to_us)},"
                f" {hours_in_words(stretch.hours)}, in the record modes"
                f" {', '.join(stretch.modes)}, for persons named under seal."
            )
        kept = {one.index: one for one in stretches(statements, begin, end) if one.index in early}
        for one in promised:
            until_us = kept[one.index].to_us if one.index in kept else one.from_us
            if until_us < one.to_us:
                self.also.append(
                    f"{name} took back, once that time had begun, what it had stated before (entry"
                    f" {one.index}) of {utc_from_us(until_us)} to {utc_from_us(one.to_us)}."
                )
        covered_us = sum(one.to_us - one.from_us for one in kept.values())
        is_whole = covered_us == end - begin and all(
            one.hours == ALWAYS and one.modes == MODES for one in kept.values()
        )
        if not is_whole:
            what = "nothing of" if not kept else "only part of"
            self.also.append(
                f"{name} had stated beforehand that its log covers {what} that time: where it does"
                " not, that its log is silent shows only that nothing was logged."
            )


def opened_by(logs: Iterable[StoredLog]) -> dict[str, int]:
    """Return when each log of a line began, on its author's clock, by whose it is."""
    found = {}
    for log in logs:
        first = read_entry_untrusted(log.entries(0, 1)[0]) if log.size else None
        if isinstance(first, LineOpened):
            found[organisation(log.origin)] = first.time
    return found


def clocks_words(opened: Mapping[str, int]) -> str:
    """Say what `opened_by` has found."""
    return " and ".join(f"{utc_from_us(us)} by {who}'s clock" for who, us in opened.items())


def opening_words(logs: Iterable[StoredLog], from_us: int, to_us: int) -> str:
    """Say that the line was opened only after the time had begun; empty if it was there before."""
    opened = opened_by(logs)
    if not opened or max(opened.values()) <= from_us:
        return ""
    clocks = clocks_words(opened)
    if min(opened.values()) >= to_us:
        return (
            f"The line was opened at {clocks}, after that time: this shows only that the line was"
            " not there to be called on."
        )
    return (
        f"The line was opened at {clocks}, when that time had begun: of before then this shows only"
        " that the line was not there to be called on."
    )


def touch_words(found: Findings) -> list[str]:
    """Say which calls touch the time, by the place of their rings alone."""
    words = [
        f"a call touches that time, or cannot be placed outside it on both clocks: its ring is"
        f" entry {touch.ring[1]} of {touch.ring[0]} ({touch.phase})"
        for touch in found.touching[:SHOWN_TOUCHES]
    ]
    if more := len(found.touching) - len(words):
        words.append(f"and so do {more} more calls")
    return words


def _test_words(word: str, one: Exchange, edge_us: int, summary: AbsenceAccount) -> str:
    tester = organisation(one.tester)
    other = summary.theirs if tester == summary.ours else summary.ours
    times = f"asked {utc_from_us(one.asked_us)} by {tester}'s clock,"
    times += f" answered {utc_from_us(one.answered_us)} by {other}'s"
    apart_us = max(abs(one.asked_us - edge_us), abs(one.answered_us - edge_us))
    words = f"The nearest answered line test of {word} it: {times}."
    if apart_us > WIDE_US:
        words += f" That is {timedelta(microseconds=apart_us)} away: the bound is wide."
    skew_us = one.answered_us - one.asked_us
    if abs(skew_us) > CLOCKS_DIFFER_US:
        words += (
            f" The two differ by {timedelta(microseconds=abs(skew_us))}: a clock was wrong, or the"
            " answer came late."
        )
    return words
