"""What stands where in a proof folder, and the small files in it (docs/protocol.md §9).

    README.txt  SHA256SUMS  call.json
    ours/    policy.txt  [policy-ml-dsa-44.txt]
             receipts/NAME.tlog-proof NAME.entry NAME.opened.json   [alone/...] [log/...]
    theirs/  policy.txt  receipts/...                               [alone/...] [log/...]
    recordings/NAME.opus

In place of call.json stands one of these, with what it needs of the rest:

    coverage.json   receipts of the exporting side's `line.coverage`
    absence.json    SIDE/log/ of both, SIDE/before.checkpoint, SIDE/after.checkpoint
    excerpt.json    SIDE/log/ of both, the receipt of one message
    span.json       SIDE/log/ of both, receipts of chunks, tracks/NAME.leaves and tracks/NAME.opus

`ours` is the log that the exporting side wrote, `theirs` the other side's as it was mirrored.
Readers here are fed with files that anybody may have written: `MalformedError` alone.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from telcon.core.entry import LAYERS, MAX_INTEGER
from telcon.core.seal import KEY_BYTES, MAX_CONTENT_BYTES, Opening
from telcon.errors import MalformedError
from telcon.ledger import check_node_name, log_origin

README: Final = "README.txt"
SUMS: Final = "SHA256SUMS"
SUMMARY: Final = "call.json"
COVERAGE: Final = "coverage.json"
ABSENCE: Final = "absence.json"
EXCERPT: Final = "excerpt.json"
SPAN: Final = "span.json"
POLICY: Final = "policy.txt"
ML_DSA_POLICY: Final = "policy-ml-dsa-44.txt"
RECEIPTS: Final = "receipts"
ALONE: Final = "alone"
LOG: Final = "log"
CHECKPOINT: Final = "checkpoint"
BEFORE: Final = "before.checkpoint"
AFTER: Final = "after.checkpoint"
RECORDINGS: Final = "recordings"
TRACKS: Final = "tracks"
SIDES: Final = ("ours", "theirs")

PROOF_SUFFIX: Final = ".tlog-proof"
ENTRY_SUFFIX: Final = ".entry"
OPENED_SUFFIX: Final = ".opened.json"
LEAVES_SUFFIX: Final = ".leaves"

LAYER_NAMES: Final = tuple(layer.name for layer in LAYERS)

MAX_FILES: Final = 1_000_000
MAX_FILE_OCTETS: Final = 16 * 1024**3  # three weeks of one speaker
MAX_SUMS_OCTETS: Final = 256 * 1024 * 1024
MAX_SMALL_OCTETS: Final = 1024 * 1024  # call.json and policies; each has limits of its own inside
MAX_ENTRY_OCTETS: Final = 65_535  # what fits a bundle; a foreign log's entry may be so long

_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_PATH = re.compile(rf"{_NAME}(?:/{_NAME})*", re.ASCII)
_STEM = re.compile(r"([0-9]{6,18})-.*", re.ASCII | re.DOTALL)
_SUM = re.compile(rf"([0-9a-f]{{64}})  ({_NAME}(?:/{_NAME})*)", re.ASCII)

Hex32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
Count = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
Sum = Annotated[int, Meta(ge=0)]  # of what many entries claim: each of these is bounded
Hex64 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class SummaryEntry(Struct, frozen=True):
    """One entry that the folder shows."""

    file: str  # path without suffix
    origin: str
    index: int
    type: str
    time: str  # the author's clock
    effect: str  # "none" if it lost to an act it knew nothing of, else ""


def recording_name(track: tuple[str, int]) -> str:
    """Return the name of a track's file: its speaker's node and its number."""
    origin, number = track
    return f"{origin.partition('/')[0]}-{number}.opus"


def leaves_name(track: tuple[str, int]) -> str:
    """Return the name of the file of a track's packets with their proofs."""
    return recording_name(track).removesuffix(".opus") + LEAVES_SUFFIX


class SummaryRecording(Struct, frozen=True):
    """One recording in the folder."""

    file: str
    size: int
    sha256: Hex64
    signed_in: str  # the shown entry that bears this hash, or ""


class Summary(Struct, frozen=True):
    """call.json: the call in plain words. Nobody signs it; the receipts are the proof."""

    summary: Literal["telcon call summary v1"]
    call: Hex32
    line: Hex32
    ours: str  # node names
    theirs: str
    layer: str
    whole_log: bool
    outcome: str  # as far as the layer shows it
    mode: str
    initiated_by: list[str]
    rung: str  # times: UTC by the author's clock, "" when there is none or the layer hides it
    answered: str
    ended: str
    entries: list[SummaryEntry]
    not_countersigned: list[str]  # entries of the call that nobody else held when this was made
    recordings: list[SummaryRecording]
    words: str = ""  # what became of it; folders of the first version have none

    def origin(self, side: str) -> str:
        """Return the origin of the log that a side of the folder shows."""
        return log_origin(self.ours if side == SIDES[0] else self.theirs, self.line)


class Account(Struct, frozen=True, tag_field="summary"):
    """What a folder that is not of one call says it is about. Nobody signs it."""

    line: Hex32
    ours: str  # node names
    theirs: str

    def origin(self, side: str) -> str:
        """Return the origin of the log that a side of the folder shows."""
        return log_origin(self.ours if side == SIDES[0] else self.theirs, self.line)


class CoverageAccount(Account, frozen=True, tag="telcon coverage summary v1"):
    """coverage.json: what one side stated that its log covers; the receipts are the proof."""


class AbsenceAccount(
    Account, frozen=True, tag="telcon absence summary v1", rename={"from_us": "from", "to_us": "to"}
):
    """absence.json: for which time no call is shown; the whole logs are the proof."""

    from_us: Count  # µs since 1970
    to_us: Count  # not itself part of it


class ExcerptAccount(Account, frozen=True, tag="telcon excerpt summary v1"):
    """excerpt.json: which one message is shown, and how many of the same talk are not."""

    call: Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?\Z")]  # "": of no call
    before: Count  # counts
    after: Count
    other_before: Count
    other_after: Count


class SpanAccount(Account, frozen=True, tag="telcon span summary v1", omit_defaults=True):
    """span.json: which packets of one track are shown, and how many of it are not.

    Counted are packets in chunks. Without gaps among those shown it is as older versions wrote it.
    """

    call: Hex32
    speaker: str  # node of the track, ours or theirs
    track: Annotated[int, Meta(ge=1, le=255)]
    from_ms: Count  # what was asked for, in the file of the whole track
    to_ms: Count
    first: Sum  # index of the first packet shown
    count: Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
    before: Sum
    after: Sum
    unrecorded: Sum = 0  # indexes in gaps, from the first to the last packet shown

    @property
    def of(self) -> tuple[str, int]:
        """Return the track: origin and number."""
        return log_origin(self.speaker, self.line), self.track


class _Opened(Struct, frozen=True, forbid_unknown_fields=True):
    member: Annotated[str, Meta(pattern=r"^[a-z]{1,16}\Z")]
    key: Hex64
    content: bytes  # base64 in JSON


class _OpenedFile(Struct, frozen=True, forbid_unknown_fields=True):
    openings: list[_Opened]


_SUMMARY = msgspec.json.Decoder(Summary)
AnyAccount: TypeAlias = CoverageAccount | AbsenceAccount | ExcerptAccount | SpanAccount

_ACCOUNT: Final[msgspec.json.Decoder[AnyAccount]] = msgspec.json.Decoder(AnyAccount)
_OPENED = msgspec.json.Decoder(_OpenedFile)


def is_plain_name(name: str) -> bool:
    """Say whether `name` is one path segment that means the same on every system."""
    return "/" not in name and _PATH.fullmatch(name) is not None


def receipt_stem(index: int, entry_type: str) -> str:
    """Return the name of a receipt's files without suffix, like `000012-call.ring`."""
    return f"{index:06}-{entry_type}"


def stem_index_untrusted(stem: str) -> int:
    """Return the index that the name of a receipt's files begins with.

    Raises:
        MalformedError: it begins otherwise.
    """
    match = _STEM.fullmatch(stem)
    if match is None:
        raise MalformedError(f"{stem!r} does not begin with the index of an entry")
    return int(match[1])


def format_sums(sums: Mapping[str, str]) -> bytes:
    """Write SHA256SUMS, as `sha256sum --check` reads it: path to lower-case hex."""
    return "".join(f"{sums[path]}  {path}\n" for path in sorted(sums)).encode("ascii")


def parse_sums_untrusted(data: bytes) -> dict[str, str]:
    """Read SHA256SUMS: path to hex.

    Raises:
        MalformedError: another form, unsorted, a path twice, or one that leads elsewhere.
    """
    try:
        lines = data.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise MalformedError(f"{SUMS} is not ASCII") from error
    sums = {}
    for number, line in enumerate(lines[:-1], 1):
        match = _SUM.fullmatch(line)
        if match is None:
            raise MalformedError(f"{SUMS}, line {number}: expected a hash, two spaces and a path")
        sums[match[2]] = match[1]
    if format_sums(sums) != data:
        raise MalformedError(f"{SUMS} is not sorted, or names a path twice")
    return sums


def format_openings(openings: Iterable[Opening]) -> bytes:
    """Write NAME.opened.json."""
    shown = [_Opened(one.member, one.key.hex(), one.content) for one in openings]
    return msgspec.json.encode(_OpenedFile(shown))


def parse_openings_untrusted(data: bytes) -> Sequence[Opening]:
    """Read NAME.opened.json.

    Raises:
        MalformedError: not the one spelling, a member twice, or content over its limit.
    """
    try:
        read = _OPENED.decode(data)
        again = msgspec.json.encode(read)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"openings cannot be read: {error}") from error
    if again != data:
        raise MalformedError("openings read, but their one spelling is another")
    openings = [Opening(one.member, bytes.fromhex(one.key), one.content) for one in read.openings]
    if len({one.member for one in openings}) != len(openings):
        raise MalformedError("a member is opened twice")
    if any(len(o.key) != KEY_BYTES or len(o.content) > MAX_CONTENT_BYTES for o in openings):
        raise MalformedError("an opening is over its limit")
    return openings


def format_summary(summary: Summary) -> bytes:
    """Write call.json, to be read by people as it is."""
    return msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n"


def parse_summary_untrusted(data: bytes) -> Summary:
    """Read call.json.

    Raises:
        MalformedError: a member is missing or wrong, or the names are no two nodes.
    """
    try:
        summary = _SUMMARY.decode(data)
        check_node_name(summary.ours)
        check_node_name(summary.theirs)
    except (ValueError, RecursionError, MalformedError) as error:
        raise MalformedError(f"{SUMMARY} cannot be read: {error}") from error
    if summary.ours == summary.theirs or summary.layer not in LAYER_NAMES:
        raise MalformedError(f"{SUMMARY} does not name two nodes and a layer")
    return summary


def format_account(account: Account) -> bytes:
    """Write the file of a folder that is not of one call, to be read by people as it is."""
    return msgspec.json.format(msgspec.json.encode(account), indent=2) + b"\n"


def parse_account_untrusted(data: bytes) -> AnyAccount:
    """Read coverage.json, absence.json, excerpt.json or span.json.

    Raises:
        MalformedError: a member is missing or wrong, or the names are no two nodes.
    """
    try:
        account = _ACCOUNT.decode(data)
        check_node_name(account.ours)
        check_node_name(account.theirs)
    except (ValueError, RecursionError, MalformedError) as error:
        raise MalformedError(f"the summary cannot be read: {error}") from error
    if account.ours == account.theirs:
        raise MalformedError("the summary does not name two nodes")
    if isinstance(account, AbsenceAccount) and account.from_us >= account.to_us:
        raise MalformedError(f"{ABSENCE} names no time: it ends before it begins")
    if isinstance(account, SpanAccount) and account.speaker not in (account.ours, account.theirs):
        raise MalformedError(f"{SPAN} is of a speaker of another node")
    return account
