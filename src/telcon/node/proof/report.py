"""What a verification found, in words: what is proven, by whose keys, and what is not shown."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import msgspec

from telcon.core.entry import LineCoverage, entry_type
from telcon.core.house import DETAILS, HouseAct, house_entry_type, parse_details_untrusted
from telcon.core.seal import (
    Opening,
    parse_person_untrusted,
    parse_persons_untrusted,
    parse_text_untrusted,
)
from telcon.errors import MalformedError
from telcon.ledger import (
    COSIGNATURE_ED25519,
    COSIGNATURE_ML_DSA,
    ED25519,
    ProvenEntry,
    organisation,
)
from telcon.node.proof.alone import Alone
from telcon.node.proof.receipt import ProvenReceipt
from telcon.node.proof.wording import (
    coverage_in_words,
    escape,
    quote,
    utc_from_seconds,
    utc_from_us,
)

_PERSONS: Final = frozenset({"person", "from", "to"})
_KINDS: Final = {
    ED25519: "Ed25519",
    COSIGNATURE_ED25519: "Ed25519",
    COSIGNATURE_ML_DSA: "ML-DSA-44",
}
_NAMED: Final = ("name", "office", "organisation")
_TEXTS: Final = frozenset({"topic", "reason", "text"})

NOT_SHOWN: Final = (
    "which person spoke or heard",
    "that no other line exists",
    "that the clocks were right",
    "what was logged after these checkpoints",
)
NOT_SHOWN_WITHOUT_LOGS: Final = (
    "what else stands in the logs, and so whether these acts had effect",
    *NOT_SHOWN,
)
NOT_SHOWN_OF_HOUSE: Final = (
    "that the node logged all that was done on it, or that nobody went round it",
    "what else stands in its house log",
    "that the clocks were right",
)


class Verdict(IntEnum):
    """The answer; its number is the exit status of `telcon verify`."""

    PROVEN = 0  # under keys that the reader gave
    NOT_PROVEN = 1
    UNREADABLE = 2
    CONSISTENT = 3  # under the keys that lie in the folder, which prove nothing about anybody


_SEVERITY: Final = (Verdict.PROVEN, Verdict.CONSISTENT, Verdict.UNREADABLE, Verdict.NOT_PROVEN)
_TITLES: Final = {
    Verdict.PROVEN: "PROVEN under the keys you gave",
    Verdict.NOT_PROVEN: "NOT PROVEN",
    Verdict.UNREADABLE: "COULD NOT BE READ",
    Verdict.CONSISTENT: "CONSISTENT under the keys in this folder",
}
CAUTION: Final = (
    "Anyone can run two nodes and invent a counterpart. To prove it, give the key cards of both"
    " sides (--card), from somewhere you trust."
)


@dataclass(frozen=True, slots=True)
class PathReport:
    """What was found in one folder or receipt."""

    path: str
    verdict: Verdict
    faults: tuple[str, ...] = ()
    """Why it is not proven or could not be read."""
    receipts: tuple[ProvenReceipt, ...] = ()
    alone: tuple[Alone, ...] = ()
    """Acts that nobody but their author is shown to have held."""
    also: tuple[str, ...] = ()
    """What else is signed: whole logs, recordings. Sentences."""
    unsigned: tuple[str, ...] = ()
    """Files that stand in SHA256SUMS alone: unaltered since, and signed by nobody."""
    not_shown: tuple[str, ...] = ()
    caution: str = CAUTION
    """What to say where only the folder's own keys vouch."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was found in all paths."""

    paths: tuple[PathReport, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of any path; unreadable when there is none."""
        verdicts = [path.verdict for path in self.paths]
        return max(verdicts, key=_SEVERITY.index, default=Verdict.UNREADABLE)

    @property
    def exit_code(self) -> int:
        """The exit status of `telcon verify`: 0, 1, 2 or 3."""
        return int(self.verdict)


def format_words(report: VerifyReport) -> str:
    """Write the report for people, ending in a line feed."""
    return "\n".join(_path_words(path) for path in report.paths)


def format_json(report: VerifyReport) -> str:
    """Write the report for programs, ending in a line feed."""
    members = {
        "verdict": report.verdict.name.lower().replace("_", " "),
        "exit": report.exit_code,
        "paths": [_path_members(path) for path in report.paths],
    }
    # ASCII: what others wrote cannot turn the text or speak to the terminal.
    return json.dumps(msgspec.to_builtins(members), indent=2) + "\n"


def sentence(receipt: ProvenReceipt) -> str:
    """Say what a receipt proves, and by whose keys."""
    proven = receipt.proven
    read = receipt.entry or receipt.house
    what = "this" if read is not None else f"an entry of {len(receipt.data)} octets"
    words = [f"The holder of key {proven.origin} logged {what}"]
    words += [
        f"the holder of key {name}"
        f" {'held it, with what it was owed,' if name == receipt.mirror else 'cosigned it'}"
        f" by {utc_from_seconds(time_s)} on {organisation(name)}'s clock"
        for name, time_s in dict.fromkeys(proven.cosigned)  # by two keys of one time, once
        if name not in receipt.further
    ]
    if receipt.further:
        words.append(witnessed_in_words(proven.cosigned, receipt.further))
    if read is not None:
        words.append(f"the author's clock said {utc_from_us(read.time)}")
    return f"{'; '.join(words)}. {_rests_on(proven)}."


def _rests_on(proven: ProvenEntry) -> str:
    """Say which kinds of signature were verified."""
    signed, cosigned = _kinds(proven.signed_with), _kinds(proven.cosigned_with)
    if signed == cosigned:
        return f"Signed and cosigned with {signed}"
    return (
        f"Signed with {signed}, cosigned with {cosigned}" if cosigned else f"Signed with {signed}"
    )


def _kinds(types: Iterable[int]) -> str:
    return " and ".join(sorted({_KINDS[key_type] for key_type in types}))


def witnessed_in_words(
    cosigned: Sequence[tuple[str, int]], further: Collection[str], what: str = "the checkpoint"
) -> str:
    """Say how many of the `further` witnesses saw `what`, and by when."""
    seen = {name: time_s for name, time_s in cosigned if name in further}
    words = f"and {len(seen)} of {len(further)} further witnesses saw {what}"
    if not seen:
        return words
    by = utc_from_seconds(max(seen.values()))
    clocks = "its own clock" if len(seen) == 1 else "their own clocks"
    return f"{words} by {by} on {clocks} ({', '.join(sorted(seen))})"


def _path_words(path: PathReport) -> str:
    lines = [f"{escape(path.path)}: {_TITLES[path.verdict]}"]
    lines += [f"  {escape(fault)}" for fault in path.faults]
    if path.verdict in {Verdict.NOT_PROVEN, Verdict.UNREADABLE}:
        if path.receipts:
            lines.append(f"  {len(path.receipts)} receipts hold by themselves; see --json.")
        lines += _alone_words(path)
        return "\n".join(lines) + "\n"
    if path.verdict is Verdict.CONSISTENT:
        lines.append(f"  {path.caution}")
    for receipt in path.receipts:
        lines += ["", f"  {escape(_heading(receipt))}", f"    {escape(sentence(receipt))}"]
        if isinstance(receipt.entry, LineCoverage):
            lines.append(f"    It states that {coverage_in_words(receipt.entry)}.")
        lines += [f"    {opening.member}: {_opened(opening)}" for opening in receipt.openings]
    lines += _alone_words(path)
    if path.also:
        lines += ["", *(f"  {escape(also)}" for also in path.also)]
    if path.unsigned:
        lines += ["", "  Unaltered since SHA256SUMS was written, but signed by nobody:"]
        lines += [f"    {escape(name)}" for name in path.unsigned]
    lines += ["", f"  Not shown: {'; '.join(path.not_shown)}."]
    return "\n".join(lines) + "\n"


def _alone_words(path: PathReport) -> list[str]:
    lines = []
    for one in path.alone:
        heading = f"{one.path}: {entry_type(one.entry)}, not countersigned"
        lines += ["", f"  {escape(heading)}", f"    {escape(one.says)}"]
        lines.append(f"    its author's clock said {utc_from_us(one.entry.time)}")
        lines += [f"    {opening.member}: {_opened(opening)}" for opening in one.openings]
    return lines


def _heading(receipt: ProvenReceipt) -> str:
    place = f"entry {receipt.proven.index} of {receipt.proven.origin}"
    if isinstance(receipt.house, HouseAct):
        return f"{receipt.path}: {receipt.house.act}, by the {receipt.house.by}, {place}"
    if receipt.house is not None:
        return f"{receipt.path}: {house_entry_type(receipt.house)}, {place}"
    if receipt.entry is None:
        return f"{receipt.path}: {place}"
    call = getattr(receipt.entry, "call", None)
    of_call = f", call {call}" if isinstance(call, str) else ""
    return f"{receipt.path}: {entry_type(receipt.entry)}, {place}{of_call}"


def _opened(opening: Opening) -> str:
    read = _content(opening)
    if "unreadable" in read:
        return f"unreadable, {len(opening.content)} octets; they are what was sealed"
    if opening.member == "persons":
        names = (f"{quote(one['name'])}, {quote(one['office'])}" for one in read["persons"])
        return "; ".join(names)
    if opening.member in _PERSONS:
        words = (quote(read[part]) for part in _NAMED)
        return f"{', '.join(words)}, as the author's node states"
    if opening.member in _TEXTS:
        return quote(read["text"])
    if opening.member == DETAILS:
        return ", ".join(f"{escape(name)} {quote(str(value))}" for name, value in read.items())
    return f"{len(opening.content)} octets, as sealed"


def _shown(opening: Opening) -> dict[str, Any]:
    """Return the content as members; details have names of their own, which stand apart."""
    read = _content(opening)
    is_read = opening.member == DETAILS and "unreadable" not in read
    return {DETAILS: read} if is_read else read


def _content(opening: Opening) -> dict[str, Any]:
    try:
        if opening.member in _PERSONS:
            person = parse_person_untrusted(opening.content)
            return {part: getattr(person, part) for part in _NAMED}
        if opening.member == "persons":
            persons = parse_persons_untrusted(opening.content).persons
            return {"persons": [{part: getattr(one, part) for part in _NAMED} for one in persons]}
        if opening.member in _TEXTS:
            text = parse_text_untrusted(opening.content)
            return {"lang": text.lang, "text": text.text}
        if opening.member == DETAILS:
            return dict(parse_details_untrusted(opening.content))
    except MalformedError:
        return {"unreadable": True, "content": opening.content}
    return {"content": opening.content}


def _path_members(path: PathReport) -> dict[str, Any]:
    return {
        "path": _unicode(path.path),
        "verdict": path.verdict.name.lower().replace("_", " "),
        "faults": [_unicode(fault) for fault in path.faults],
        "receipts": [_receipt_members(receipt) for receipt in path.receipts],
        "author_alone": [_alone_members(one) for one in path.alone],
        "also_signed": list(path.also),
        "signed_by_nobody": [_unicode(name) for name in path.unsigned],
        "not_shown": list(path.not_shown),
    }


def _alone_members(one: Alone) -> dict[str, Any]:
    return {
        "file": _unicode(one.path),
        "says": one.says,
        "type": entry_type(one.entry),
        "author_time_us": one.entry.time,
        "opened": [{"member": each.member, **_content(each)} for each in one.openings],
    }


def _receipt_members(receipt: ProvenReceipt) -> dict[str, Any]:
    proven, entry = receipt.proven, receipt.entry
    members: dict[str, Any] = {
        "file": _unicode(receipt.path),
        "log": proven.origin,
        "index": proven.index,
        "size": proven.size,
        "signed_with": [_KINDS[key_type] for key_type in proven.signed_with],
        "cosigned": [
            {"key": name, "time": time_s, "with": _KINDS[key_type]}
            for (name, time_s), key_type in zip(proven.cosigned, proven.cosigned_with, strict=True)
        ],
        "further_witnesses": sorted(receipt.further),
        "octets": len(receipt.data),
        "says": sentence(receipt),
    }
    if entry is not None:
        members |= {"type": entry_type(entry), "author_time_us": entry.time}
        call: Sequence[object] | object = getattr(entry, "call", None)
        members |= {"call": call} if isinstance(call, str) else {}
    if receipt.house is not None:
        house = receipt.house
        members |= {"type": house_entry_type(house), "author_time_us": house.time}
        members |= {"act": house.act, "by": house.by} if isinstance(house, HouseAct) else {}
    members["opened"] = [
        {"member": opening.member, **_shown(opening)} for opening in receipt.openings
    ]
    return members


def _unicode(text: str) -> str:
    """Return `text` without the surrogates that stand for octets of a file's name."""
    return text.encode("utf-8", "backslashreplace").decode()
