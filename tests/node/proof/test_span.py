"""Some seconds of one track: every packet proven to a signed root, what is left out counted."""

import hmac
import json
import struct
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from hashlib import sha256
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fakes.signed_line import ADA, CALL, Node, SignedLine, handle
from fakes.tree import literal_root
from node.proof.rig import card_keys, check, check_forged, read_folder
from node.proof.test_fuzz import bent
from telcon.core import draft as drafts
from telcon.core.seal import Media, Text
from telcon.errors import MalformedError, OperatorError, ProofError, SealedError, StorageError
from telcon.node.media.oggopus import parse_ogg_opus_untrusted
from telcon.node.proof import SpanReport, Verdict, VerifyReport, export_span, format_words
from telcon.node.proof.layout import ExcerptAccount, format_account, format_openings
from telcon.node.proof.leaves import (
    MAX_LEAVES_OCTETS,
    format_leaves,
    parse_leaf_untrusted,
    parse_leaves_untrusted,
)
from telcon.node.proof.span import Record, survey_record
from telcon.node.record.chunks import OPUS, RETURNED, ChunkTree, format_leaf
from telcon.node.record.journal import Head, Journal, Packet
from telcon.node.record.rendering import Rendering
from telcon.node.record.sealing import PrivateKey

EACH = 10
"""Packets of a track in a chunk: 0.2 s."""

KEEPER = PrivateKey.generate()
MAIN = "tracks/arcadia.example-1.leaves"
OTHER = "tracks/borealis.example-1.leaves"


def packet(node: str, track: int, index: int) -> Packet:
    return Packet(index, 5_000 + 960 * index, b"\xf8" + f"{node} {track} {index}".encode())


class Recorded:
    """A call with a record: six chunks of each side, in turn; a second person for a while.

    `gaps`: by side ("a", "b"), track and chunk, how many packets were not recorded before it.
    """

    def __init__(
        self, folder: Path, gaps: Mapping[tuple[str, int, int], int] | None = None
    ) -> None:
        self.line = SignedLine().open()
        a, b = self.line.arcadia, self.line.borealis
        self.line.answer(self.line.ring())
        media = Media("aa" * 32, "bb" * 32, "")
        for node, by in ((a, "0a" * 8), (b, "0b" * 8)):
            join = drafts.join(CALL, by, role="expert", track=2, person=ADA, media=media)
            self.line.write(node, join)
        head = Head(CALL, a.log.origin, b.log.origin, 1)
        self.journal = Journal.create(folder / "call.record", head, [KEEPER.reader])
        self.chunks: dict[str, list[int]] = {a.name: [], b.name: []}
        self.keys: list[bytes] = []
        self.sent: dict[tuple[str, int], int] = {}
        for number in range(7):
            for (side, track, before), count in (gaps or {}).items():
                if before == number:
                    self.gap(a if side == "a" else b, track, count)
            if number < 6:
                self.chunk(a, [1, 2] if number in (2, 3) else [1])
                self.chunk(b, [1], returned=3 if number == 5 else 0)
        self.journal.close()
        self.line.write(a, drafts.hang_up(CALL, handle(a)))

    def gap(self, node: Node, track: int, count: int) -> None:
        first = self.sent.get((node.log.origin, track), 0)
        self.line.write(node, drafts.record_gap(CALL, [(track, first, count)]))
        self.sent[node.log.origin, track] = first + count

    def chunk(self, node: Node, tracks: list[int], returned: int = 0) -> None:
        key = sha256(f"{node.name} {len(self.keys)}".encode()).digest()
        tree = ChunkTree(key)
        for track in tracks:
            first = self.sent.get((node.log.origin, track), 0)
            for index in range(first, first + EACH):
                one = packet(node.name, track, index)
                one = replace(one, payload=self.payload(one))
                kind = RETURNED if index >= first + EACH - returned else OPUS
                tree.append(track, one.index, one.timestamp, one.payload, kind)
                self.journal.append([((node.log.origin, track), one)], now=0.0)
            self.sent[node.log.origin, track] = first + EACH
        chunk = tree.close()
        assert chunk is not None
        stated = [(one.number, one.first, one.count, one.root) for one in chunk.tracks]
        place = self.line.write(node, drafts.record_chunk(CALL, stated, key))
        self.chunks[node.name].append(place[1])
        self.keys.append(key)
        held = [(number, root.hex(), (), (), ()) for number, _, _, root in stated]
        self.line.write(self.line.other(node), drafts.record_held(CALL, place, held))

    def payload(self, one: Packet) -> bytes:
        return one.payload

    def origin(self, name: str) -> str:
        node = self.line.arcadia if name.startswith("a") else self.line.borealis
        return node.log.origin

    def export(self, out: Path, **changed: Any) -> SpanReport:
        line = self.line
        arguments: dict[str, Any] = {
            "own_card": line.arcadia.card,
            "peer_card": line.borealis.card,
            "call": CALL,
            "track": (self.origin("a"), 1),
            "from_ms": 500,
            "to_ms": 900,
            "open_journal": lambda: Journal.open(self.journal.path, KEEPER),
            "out": out,
        }
        return export_span(line.arcadia.log, line.borealis.log, **(arguments | changed))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return Recorded(tmp_path_factory.mktemp("recorded"))


@pytest.fixture(scope="module")
def files(recorded: Recorded, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("span") / "out"
    recorded.export(out)
    return read_folder(out)


@pytest.fixture(scope="module")
def all_tracks(recorded: Recorded, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("all") / "out"
    recorded.export(out, also=None)
    return read_folder(out)


def faults(files: dict[str, bytes], line: SignedLine) -> str:
    report = check_forged(files, card_keys(line))
    assert report.verdict is Verdict.NOT_PROVEN
    return " / ".join(report.faults)


# -- what is shown


def test_twenty_packets_of_sixty_are_proven_with_what_is_left_out(
    files: dict[str, bytes], recorded: Recorded
) -> None:
    report = check(files, card_keys(recorded.line))
    assert report.verdict is Verdict.PROVEN, report.faults
    words = format_words(VerifyReport((report,)))
    assert f"Shown are 20 packets of track 1 of arcadia.example in the call {CALL}" in words
    assert "are 25 packets of it before and 15 after; none in between is left out" in words
    assert "was made again from these packets alone, and is the same: 0.40 seconds" in words
    assert "Of the 3 chunks of it in the span, borealis.example states of 3" in words
    assert "have not both stated that they hold the same record" in words
    assert "what track 2 of arcadia.example sent in that time: 20 packets" in words
    assert "what track 1 of borealis.example sent in that time: 40 packets" in words
    assert "Of track 2 of borealis.example no packet was logged in that time; 0 before it" in words
    assert "at which second these packets were sent" in words
    assert {"README.txt", "span.json"} == set(report.unsigned) - {
        "ours/policy.txt",
        "theirs/policy.txt",
    }


def test_a_stranger_finds_the_root_with_hashlib_alone(
    all_tracks: dict[str, bytes], recorded: Recorded
) -> None:
    data = all_tracks[OTHER].removeprefix(b"telcon leaves v1\n")
    at, roots = 0, []
    while at < len(data):
        chunk, count, hashes = struct.unpack_from(">QHB", data, at)
        at += 11
        hashed = []
        for _ in range(count):
            length = int.from_bytes(data[at : at + 2])
            hashed.append(sha256(b"\0" + data[at + 2 : at + 2 + length]).digest())
            at += 2 + length
        assert hashes == 0, "of a whole chunk nothing else is needed"
        roots.append((chunk, literal_root(hashed).hex()))
    for chunk, root in roots:
        entry = json.loads(all_tracks[f"theirs/receipts/{chunk:06}-call.record-chunk.entry"])
        assert entry["tracks"][0][3] == root
    assert len(roots) == 4


def test_no_key_and_no_salt_of_what_is_left_out_is_given_away(
    all_tracks: dict[str, bytes], files: dict[str, bytes], recorded: Recorded
) -> None:
    together = b"".join(all_tracks.values()) + b"".join(files.values())
    for key in recorded.keys:
        assert key not in together
        assert key.hex().encode() not in together
    key = recorded.keys[2 * 2]  # of the chunk with the packets 20 to 29
    salts = [hmac.digest(key, index.to_bytes(8), "sha256")[:16] for index in range(20, 30)]
    assert [salt in files[MAIN] for salt in salts] == [False] * 5 + [True] * 5
    assert not [path for path in (*all_tracks, *files) if path.endswith(".opened.json")]


def test_the_file_to_listen_to_holds_just_these_packets(files: dict[str, bytes]) -> None:
    opus = parse_ogg_opus_untrusted(files["tracks/arcadia.example-1.opus"])
    said = [packet("arcadia.example", 1, index).payload for index in range(25, 45)]
    assert [one.payload for one in opus.packets] == said


def test_all_tracks_can_be_shown_each_by_whole_chunks(
    all_tracks: dict[str, bytes], recorded: Recorded
) -> None:
    report = check(all_tracks, card_keys(recorded.line))
    assert report.verdict is Verdict.PROVEN, report.faults
    words = format_words(VerifyReport((report,)))
    assert "Shown are 20 packets of track 2 of arcadia.example, all of its chunks" in words
    assert "Shown are 40 packets of track 1 of borealis.example, all of its chunks" in words
    assert "in that time:" not in words


def test_one_other_track_can_be_shown_and_the_rest_stay_named(
    recorded: Recorded, tmp_path: Path
) -> None:
    report = recorded.export(tmp_path / "out", also=[(recorded.origin("b"), 1)])
    assert report.not_shown == (((recorded.origin("a"), 2), 20), ((recorded.origin("b"), 2), 0))
    found = check(read_folder(tmp_path / "out"), card_keys(recorded.line))
    assert found.verdict is Verdict.PROVEN
    assert any("track 2 of arcadia.example sent" in one for one in found.not_shown)


def test_without_cards_it_is_only_consistent(files: dict[str, bytes]) -> None:
    assert check(files).verdict is Verdict.CONSISTENT


def test_the_other_side_shows_the_same_track_the_same(
    files: dict[str, bytes], recorded: Recorded, tmp_path: Path
) -> None:
    line, head = recorded.line, recorded.journal.head
    flipped = Journal.create(
        tmp_path / "record", Head(CALL, head.other, head.own, 1), [KEEPER.reader]
    )
    for (origin, track), count in recorded.sent.items():
        for index in range(count):
            one = packet(origin.partition("/")[0], track, index)
            flipped.append([((origin, track), one)], now=0.0)
    flipped.close()
    export_span(
        line.borealis.log,
        line.arcadia.log,
        own_card=line.borealis.card,
        peer_card=line.arcadia.card,
        call=CALL,
        track=(recorded.origin("a"), 1),
        from_ms=500,
        to_ms=900,
        open_journal=lambda: Journal.open(flipped.path, KEEPER),
        out=tmp_path / "out",
    )
    theirs = read_folder(tmp_path / "out")
    assert theirs[MAIN] == files[MAIN]
    assert check(theirs, card_keys(line)).verdict is Verdict.PROVEN


def test_what_a_killed_node_got_back_is_shown_and_said(recorded: Recorded, tmp_path: Path) -> None:
    recorded.export(tmp_path / "out", track=(recorded.origin("b"), 1), from_ms=1_100, to_ms=9_000)
    report = check(read_folder(tmp_path / "out"), card_keys(recorded.line))
    assert report.verdict is Verdict.PROVEN, report.faults
    assert any("3 are marked by borealis.example as lost" in one for one in report.also)


def test_where_both_agreed_the_words_say_so(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    line = recorded.line
    tracks = tuple(
        (origin, track, count, "00" * 32, 9) for (origin, track), count in recorded.sent.items()
    )
    for node in (line.arcadia, line.borealis):
        line.write(node, drafts.record_agreed(CALL, tuple(sorted(tracks))))
    recorded.export(tmp_path / "out")
    report = check(read_folder(tmp_path / "out"), card_keys(line))
    assert "Both sides state that they hold the same record of this call." in report.also


@pytest.mark.parametrize(
    ("asked", "first", "count"),
    [
        ((0, 1), 0, 1),
        ((0, 20), 0, 1),
        ((19, 21), 0, 2),
        ((200, 400), 10, 10),
        ((1_199, 9_000), 59, 1),
    ],
)
def test_packets_are_found_by_their_place_in_the_file(
    recorded: Recorded, tmp_path: Path, asked: tuple[int, int], first: int, count: int
) -> None:
    report = recorded.export(tmp_path / "out", from_ms=asked[0], to_ms=asked[1])
    assert (report.first, report.count) == (first, count)
    found = check(read_folder(tmp_path / "out"), card_keys(recorded.line))
    assert found.verdict is Verdict.PROVEN, found.faults


def test_a_folder_of_a_record_without_gaps_is_as_it_always_was(
    files: dict[str, bytes], all_tracks: dict[str, bytes]
) -> None:
    """Made by the version that knew of no gaps: who has kept such a folder can still check it."""
    digest = sha256()
    for folder in (files, all_tracks):
        for path in sorted(folder):
            if path.startswith(("tracks/", "span.json")):
                digest.update(folder[path])
    assert digest.hexdigest() == "df7d5e8183648bf74a4431197ef89151a32b7dacc45f38fd7270edccb9252223"


# -- what was not recorded


def shown(recorded: Recorded, out: Path, **changed: Any) -> tuple[SpanReport, dict[str, bytes]]:
    report = recorded.export(out, **changed)
    return report, read_folder(out)


def said(files: dict[str, bytes], recorded: Recorded) -> str:
    report = check(files, card_keys(recorded.line))
    assert report.verdict is Verdict.PROVEN, report.faults
    return format_words(VerifyReport((report,)))


def indexes(files: dict[str, bytes], path: str = MAIN) -> list[int]:
    return [leaf.index for piece in parse_leaves_untrusted(files[path]) for leaf in piece.leaves]


@pytest.fixture(scope="module")
def paused(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Of the packets 30 to 39 nothing was recorded."""
    return Recorded(tmp_path_factory.mktemp("paused"), {("a", 1, 3): 10})


@pytest.fixture(scope="module")
def across(paused: Recorded, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("across") / "out"
    paused.export(out)
    return read_folder(out)


def test_a_gap_between_packets_shown_is_named_and_not_counted(
    across: dict[str, bytes], paused: Recorded, tmp_path: Path
) -> None:
    report, again = shown(paused, tmp_path / "out")
    assert again == across
    assert (report.first, report.count, report.unrecorded) == (25, 20, 10)
    assert (report.before, report.after) == (25, 25)
    account = json.loads(across["span.json"])
    names = ("first", "count", "before", "after", "unrecorded")
    assert [account[name] for name in names] == [25, 10, 25, 25, 10]
    assert indexes(across) == [*range(25, 30), *range(40, 45)]
    words = said(across, paused)
    assert "Shown are 10 packets of track 1 of arcadia.example" in words
    assert "are 25 packets of it before and 25 after; none in between is left out but the" in words
    assert "but the 10 that arcadia.example logged as not recorded." in words
    assert "did not record them: 0 before, 10 in between, 0 after." in words
    assert "0.40 seconds by the time marks that arcadia.example gave them. Of what lies in" in words
    assert "what the 10 packets of track 1 of arcadia.example held" in words
    assert b"Between these packets 10 more were sent" in across["README.txt"]


def test_what_is_heard_across_a_gap_is_no_more_than_what_was_recorded(
    across: dict[str, bytes],
) -> None:
    opus = parse_ogg_opus_untrusted(across["tracks/arcadia.example-1.opus"])
    heard = [one.payload for one in opus.packets if len(one.payload) > 1]  # a lost frame has 1
    kept = [*range(25, 30), *range(40, 45)]
    assert heard == [packet("arcadia.example", 1, index).payload for index in kept]


def test_a_gap_before_the_span_moves_no_count(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, {("a", 1, 1): 7})
    report, files = shown(recorded, tmp_path / "out")
    assert (report.first, report.count, report.unrecorded) == (25, 20, 0)
    assert (report.before, report.after) == (18, 22)
    words = said(files, recorded)
    assert "are 18 packets of it before and 22 after; none in between is left out." in words
    assert "did not record them: 7 before, 0 in between, 0 after." in words
    assert "unrecorded" not in json.loads(files["span.json"])
    _, last = shown(recorded, tmp_path / "last", from_ms=1_320, to_ms=9_000)
    assert indexes(last) == [66]
    assert "are 59 packets of it before and 0 after" in said(last, recorded)


def test_a_gap_after_the_span_is_said(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, {("a", 1, 5): 100, ("a", 1, 6): 8})
    _, files = shown(recorded, tmp_path / "out")
    words = said(files, recorded)
    assert "are 25 packets of it before and 15 after; none in between is left out." in words
    assert "did not record them: 0 before, 0 in between, 108 after." in words


def test_a_record_that_begins_late_is_shown_from_its_first_packet_to_its_last(
    tmp_path: Path,
) -> None:
    recorded = Recorded(tmp_path, {("a", 1, 0): 1_000})
    report, files = shown(recorded, tmp_path / "out", from_ms=0, to_ms=100)
    assert (report.first, report.count, report.before, report.after) == (1_000, 5, 0, 55)
    assert "did not record them: 1000 before, 0 in between, 0 after." in said(files, recorded)
    _, files = shown(recorded, tmp_path / "all", from_ms=0, to_ms=9_000, also=None)
    assert indexes(files) == list(range(1_000, 1_060))
    assert "are 0 packets of it before and 0 after" in said(files, recorded)


def test_a_gap_in_another_track_is_named_where_it_is_shown_and_where_it_is_not(
    tmp_path: Path,
) -> None:
    recorded = Recorded(tmp_path, {("b", 1, 1): 4, ("b", 1, 3): 30, ("a", 2, 5): 6})
    _, files = shown(recorded, tmp_path / "shown", also=None)
    assert indexes(files, OTHER) == [*range(14, 34), *range(64, 84)]
    words = said(files, recorded)
    assert "Shown are 40 packets of track 1 of borealis.example, all of its chunks" in words
    assert "are 10 packets of it before and 10 after; none in between is left out but the" in words
    assert "but the 30 that borealis.example logged as not recorded." in words
    assert "did not record them: 4 before, 30 in between, 0 after." in words
    assert "did not record them: 0 before, 0 in between, 6 after." in words
    _, files = shown(recorded, tmp_path / "not")
    words = said(files, recorded)
    assert (
        "40 packets in the chunks that the logs place neither before nor after, 10 before" in words
    )
    assert "did not record them: 4 before, 30 in between, 0 after." in words
    assert "what the 30 packets of track 1 of borealis.example held" in words


def test_what_a_silent_track_did_not_record_may_be_of_that_time(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, {("a", 2, 5): 6})
    _, files = shown(recorded, tmp_path / "out", from_ms=0, to_ms=20)
    words = said(files, recorded)
    assert "Of track 2 of arcadia.example no packet was logged in that time; 0 before it" in words
    assert "did not record them: 0 before, 0 perhaps in that time, 6 after." in words
    _, files = shown(recorded, tmp_path / "late", from_ms=1_000, to_ms=1_200)
    words = said(files, recorded)
    assert "no packet was logged in that time; 20 before it, 0 after it" in words
    assert "did not record them: 0 before, 6 perhaps in that time, 0 after." in words
    assert "that arcadia.example says it did not record, perhaps in that time" in words


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"unrecorded": 0}, "another count"),
        ({"unrecorded": 9}, "another count"),
        ({"unrecorded": 20}, "another count"),
        ({"before": 35}, "another count"),
        ({"after": 15}, "another count"),
        ({"count": 20, "after": 15, "unrecorded": 0}, "another count"),  # as without a gap
        ({"count": 20, "after": 15}, "is missing"),
        ({"count": 9, "after": 26}, "moved"),
        ({"count": 5, "after": 30, "unrecorded": 0}, "is no chunk in the span"),  # up to the gap
        ({"first": 40, "before": 30, "count": 5, "unrecorded": 0}, "is no chunk in the span"),
        ({"first": 30, "before": 30}, "no packets"),  # in the gap
        ({"first": 39, "before": 30}, "no packets"),
        ({"first": 70, "before": 60, "after": 0}, "no packets"),
        ({"count": 45, "after": 0}, "no packets"),
    ],
)
def test_an_account_that_is_wrong_about_a_gap_is_refused(
    across: dict[str, bytes], paused: Recorded, changed: dict[str, Any], why: str
) -> None:
    assert why in faults(with_account(across, **changed), paused.line)


def test_an_account_that_is_silent_about_a_gap_is_refused(
    across: dict[str, bytes], paused: Recorded
) -> None:
    account = json.loads(across["span.json"])
    del account["unrecorded"]
    forged = across | {"span.json": json.dumps(account).encode()}
    assert "another count" in faults(forged, paused.line)


def test_a_span_wholly_in_a_gap_is_refused_by_its_name(paused: Recorded, tmp_path: Path) -> None:
    for asked in ((600, 800), (650, 660)):
        change = {"from_ms": asked[0], "to_ms": asked[1]}
        refused(paused, tmp_path / "out", "it sent 10 there and did not record them", **change)
    report, _ = shown(paused, tmp_path / "out", from_ms=620, to_ms=840)
    assert (report.first, report.count, report.unrecorded, report.before) == (40, 2, 0, 30)


def test_what_came_here_and_was_not_recorded_there_is_not_shown(
    paused: Recorded, across: dict[str, bytes], tmp_path: Path
) -> None:
    """Packets sent just before the word that nothing is recorded any more: they came, and count."""
    track = (paused.origin("a"), 1)
    more = Journal.create(tmp_path / "record", paused.journal.head, [KEEPER.reader])
    for index in range(70):
        more.append([(track, packet("arcadia.example", 1, index))], now=0.0)
    more.close()
    change: dict[str, Any] = {"open_journal": lambda: Journal.open(more.path, KEEPER)}
    _, files = shown(paused, tmp_path / "out", **change)
    assert files == across
    change |= {"from_ms": 640, "to_ms": 700}
    refused(paused, tmp_path / "none", "did not record them", **change)


def test_where_the_other_side_has_stopped_before_its_packets_lie_before(tmp_path: Path) -> None:
    line = SignedLine().open()
    line.answer(line.ring())
    for node, first in (
        (line.arcadia, 0),
        (line.borealis, 0),
        (line.arcadia, 2),
        (line.arcadia, 4),
    ):
        line.write(node, drafts.record_chunk(CALL, [(1, first, 2, bytes(32))], bytes(32)))
    record = survey_record(line.arcadia.log, line.borealis.log, CALL)
    assert record is not None
    theirs = (line.borealis.log.origin, 1)
    span = record.span((line.arcadia.log.origin, 1), 4, 1)
    assert span.chunks[theirs[0]] == ()
    assert (span.stretches[theirs].before, span.stretches[theirs].after) == (2, 0)


GAPS = list(product((0, 1, 2), (0, 1, 2), (0, 2), (0, 1)))
"""How much was not recorded before each of three chunks of two packets, and after them."""


def layout_of(gaps: tuple[int, ...], line: SignedLine) -> tuple[Record, list[bool]]:
    """Log such a layout; return it as surveyed, and of each index whether it is in a chunk."""
    line.answer(line.ring())
    kinds: list[bool] = []
    for number, gap in enumerate(gaps):
        if gap:
            line.write(line.arcadia, drafts.record_gap(CALL, [(1, len(kinds), gap)]))
            kinds += [False] * gap
        if number < 3:
            stated = [(1, len(kinds), 2, bytes(32))]
            line.write(line.arcadia, drafts.record_chunk(CALL, stated, bytes(32)))
            line.write(
                line.borealis, drafts.record_chunk(CALL, [(1, number, 1, bytes(32))], bytes(32))
            )
            kinds += [True] * 2
    record = survey_record(line.arcadia.log, line.borealis.log, CALL)
    assert record is not None
    return record, kinds


def test_every_span_of_every_small_record_counts_each_index_once() -> None:
    for gaps in GAPS:
        line = SignedLine().open()
        record, kinds = layout_of(gaps, line)
        track = (line.arcadia.log.origin, 1)
        kept = [index for index, is_kept in enumerate(kinds) if is_kept]
        assert record.end(track) == kept[-1] + 1
        assert record.count(track) == 6
        for first, count in product(range(-1, len(kinds) + 2), range(8)):
            due = [index for index in kept if index >= first][:count]
            if first not in kept or len(due) != count or not count:
                with pytest.raises(ProofError, match="no packets"):
                    record.span(track, first, count)
                continue
            span = record.span(track, first, count)
            found = span.stretches[track]
            end = due[-1] + 1
            parts = (kinds[:first], kinds[first:end], kinds[end:])
            assert (found.first, found.end) == (first, end)
            assert [found.before, found.count, found.after] == [part.count(True) for part in parts]
            missing = [found.gap_before, found.gap, found.gap_after]
            assert missing == [part.count(False) for part in parts]
            assert [piece.chunk for piece in found.pieces] == list(span.chunks[track[0]])
            other = span.stretches[line.borealis.log.origin, 1]
            assert other.before + other.count + other.after == other.told == 3


# -- what is forged


def leaves_bent(change: Callable[[list[Any]], None], path: str = MAIN) -> Any:
    def bend(files: dict[str, bytes]) -> dict[str, bytes]:
        pieces = list(parse_leaves_untrusted(files[path]))
        change(pieces)
        return files | {path: format_leaves(pieces), **opus_of(pieces, path)}

    return bend


def opus_of(pieces: list[Any], path: str) -> dict[str, bytes]:
    """Return the file to listen to as a careful forger would make it of what he claims."""
    node, _, track = path.removeprefix("tracks/").removesuffix(".leaves").rpartition("-")
    line = SignedLine()
    own = line.arcadia if node == line.arcadia.name else line.borealis
    rendering = Rendering(CALL, (own.log.origin, int(track)))
    leaves = [leaf for piece in pieces for leaf in piece.leaves]
    pages = rendering.add(Packet(one.index, one.timestamp, one.payload) for one in leaves)
    return {path.replace(".leaves", ".opus"): pages + rendering.finish()}


def with_leaf(pieces: list[Any], at: int, octets: bytes) -> None:
    leaves = list(pieces[1].leaves)
    leaves[at] = parse_leaf_untrusted(octets)
    pieces[1] = replace(pieces[1], leaves=tuple(leaves))


def other_payload(pieces: list[Any]) -> None:
    with_leaf(pieces, 3, pieces[1].leaves[3].octets[:-1] + b"!")


def other_salt(pieces: list[Any]) -> None:
    octets = pieces[1].leaves[3].octets
    with_leaf(pieces, 3, bytes([octets[0] ^ 1]) + octets[1:])


def other_time(pieces: list[Any]) -> None:
    octets = pieces[1].leaves[3].octets
    with_leaf(pieces, 3, octets[:31] + bytes([octets[31] ^ 1]) + octets[32:])


def swapped(pieces: list[Any]) -> None:
    one, *rest = pieces[1].leaves
    pieces[1] = replace(pieces[1], leaves=(rest[0], one, *rest[1:]))


def dropped(pieces: list[Any]) -> None:
    leaves = pieces[1].leaves
    pieces[1] = replace(pieces[1], leaves=leaves[:4] + leaves[5:])


def added(pieces: list[Any]) -> None:
    one = format_leaf(bytes(32), 40, 5_000 + 960 * 40, b"\xf8more")
    pieces[1] = replace(pieces[1], leaves=(*pieces[1].leaves, parse_leaf_untrusted(one)))


def one_more_before(pieces: list[Any]) -> None:
    one = format_leaf(bytes(32), 24, 5_000 + 960 * 24, b"\xf8more")
    pieces[0] = replace(pieces[0], leaves=(parse_leaf_untrusted(one), *pieces[0].leaves))


def short_of_a_chunk(pieces: list[Any]) -> None:
    del pieces[1]


def chunks_swapped(pieces: list[Any]) -> None:
    pieces[0], pieces[1] = pieces[1], pieces[0]


def other_chunk(pieces: list[Any]) -> None:
    pieces[1] = replace(pieces[1], chunk=pieces[0].chunk)


def other_hash(pieces: list[Any]) -> None:
    pieces[0] = replace(pieces[0], proof=(bytes(32), *pieces[0].proof[1:]))


def hash_more(pieces: list[Any]) -> None:
    pieces[1] = replace(pieces[1], proof=(bytes(32),))


def gap_closed(pieces: list[Any]) -> None:
    for at in range(5):
        octets = pieces[1].leaves[at].octets
        with_leaf(pieces, at, octets[:16] + (30 + at).to_bytes(8) + octets[24:])


def gap_filled(pieces: list[Any]) -> None:
    one = format_leaf(bytes(32), 30, 5_000 + 960 * 30, b"\xf8more")
    pieces[0] = replace(pieces[0], leaves=(*pieces[0].leaves, parse_leaf_untrusted(one)))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (other_payload, "leads to another root"),
        (other_salt, "leads to another root"),
        (other_time, "leads to another root"),
        (swapped, "missing, too many, or moved"),
        (dropped, "missing, too many, or moved"),
        (added, "missing, too many, or moved"),
        (one_more_before, "missing, too many, or moved"),
        (short_of_a_chunk, "other chunks than those that the span touches"),
        (chunks_swapped, "other chunks than those that the span touches"),
        (other_chunk, "other chunks than those that the span touches"),
        (other_hash, "leads to another root"),
        (hash_more, "too long"),
    ],
)
def test_what_is_bent_is_refused(
    files: dict[str, bytes], recorded: Recorded, change: Callable[[list[Any]], None], why: str
) -> None:
    assert why in faults(leaves_bent(change)(files), recorded.line)


@pytest.mark.parametrize("change", [gap_closed, gap_filled])
def test_a_gap_that_is_closed_or_filled_is_refused(
    across: dict[str, bytes], paused: Recorded, change: Callable[[list[Any]], None]
) -> None:
    assert "missing, too many, or moved" in faults(leaves_bent(change)(across), paused.line)


def test_every_octet_of_a_leaf_and_of_its_file_counts(
    files: dict[str, bytes], recorded: Recorded
) -> None:
    for path in (MAIN, MAIN.replace(".leaves", ".opus")):
        for at in range(0, len(files[path]), 23):
            bent = bytearray(files[path])
            bent[at] ^= 1
            report = check_forged(files | {path: bytes(bent)}, card_keys(recorded.line))
            assert report.verdict is Verdict.NOT_PROVEN


def test_the_packets_of_another_track_are_refused(
    all_tracks: dict[str, bytes], recorded: Recorded
) -> None:
    second = all_tracks["tracks/arcadia.example-2.leaves"]
    assert faults(all_tracks | {OTHER: second}, recorded.line)
    moved = leaves_bent(lambda pieces: None, OTHER)(all_tracks | {OTHER: all_tracks[MAIN]})
    assert "other chunks" in faults(moved, recorded.line)


def test_what_is_shown_of_another_track_is_all_of_its_chunks(
    all_tracks: dict[str, bytes], recorded: Recorded
) -> None:
    for gone in (0, 2, -1):
        bent = leaves_bent(lambda pieces, gone=gone: pieces.pop(gone), OTHER)  # type: ignore[misc]
        assert "other chunks" in faults(bent(all_tracks), recorded.line)
    assert "moved" in faults(leaves_bent(dropped, OTHER)(all_tracks), recorded.line)


def with_account(files: dict[str, bytes], **changed: Any) -> dict[str, bytes]:
    return files | {"span.json": json.dumps(json.loads(files["span.json"]) | changed).encode()}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"before": 0}, "another count"),
        ({"after": 0}, "another count"),
        ({"first": 26, "before": 26}, "another count"),
        ({"first": 26, "before": 26, "after": 14}, "moved"),
        ({"count": 19, "after": 16}, "moved"),
        ({"count": 60}, "no packets"),
        ({"count": 2**53 - 1}, "no packets"),
        ({"track": 2}, "no packets"),
        ({"track": 9}, "no packets"),
        ({"call": "0" * 32}, "know no call"),
        ({"speaker": "borealis.example"}, "is a chunk in the span"),
        ({"speaker": "corelia.example"}, "speaker of another node"),
        ({"count": 0}, "cannot be read"),
    ],
)
def test_an_account_that_the_logs_contradict_is_refused(
    files: dict[str, bytes], recorded: Recorded, changed: dict[str, Any], why: str
) -> None:
    assert why in faults(with_account(files, **changed), recorded.line)


def test_a_chunk_may_not_be_left_out_of_the_receipts_nor_one_added(
    files: dict[str, bytes], recorded: Recorded
) -> None:
    middle = f"/{recorded.chunks['arcadia.example'][3]:06}-"
    bare = {path: data for path, data in files.items() if middle not in path}
    assert "is a chunk in the span, and is missing" in faults(bare, recorded.line)


@pytest.mark.parametrize("gone", ["theirs/log/", "ours/log/", "ours/receipts/", MAIN, ".opus"])
def test_nothing_that_proves_may_be_missing(
    files: dict[str, bytes], recorded: Recorded, gone: str
) -> None:
    assert faults({p: d for p, d in files.items() if gone not in p}, recorded.line)


def test_a_file_of_no_track_is_refused(files: dict[str, bytes], recorded: Recorded) -> None:
    stray = files | {"tracks/arcadia.example-7.opus": b"x"}
    assert "is of no track of the call" in faults(stray, recorded.line)
    silent = files | {"tracks/borealis.example-2.leaves": files[MAIN]}
    assert "no packet of it in the span" in faults(silent, recorded.line)


def test_another_file_to_listen_to_is_refused(
    files: dict[str, bytes], recorded: Recorded, all_tracks: dict[str, bytes]
) -> None:
    opus = all_tracks["tracks/borealis.example-1.opus"]
    other = files | {"tracks/arcadia.example-1.opus": opus}
    assert "not the file that these packets make" in faults(other, recorded.line)


def test_an_opened_seal_is_refused(files: dict[str, bytes], recorded: Recorded) -> None:
    index = recorded.chunks["arcadia.example"][3]
    opening = recorded.line.arcadia.log.opened[index]
    path = f"ours/receipts/{index:06}-call.record-chunk.opened.json"
    assert "opens a seal" in faults(files | {path: format_openings(opening)}, recorded.line)


def test_a_claim_that_nobody_holds_is_not_proven(recorded: Recorded, tmp_path: Path) -> None:
    line = Recorded(tmp_path).line
    stated = [(1, 60, 5_000, bytes(32))]
    place = line.write(line.arcadia, drafts.record_chunk(CALL, stated, bytes(32)))
    partly = Journal.open(tmp_path / "call.record", KEEPER)
    liar = copy(recorded)
    liar.line, liar.journal = line, partly
    liar.export(tmp_path / "out")
    files = read_folder(tmp_path / "out")
    report = check(files, card_keys(line))
    assert report.verdict is Verdict.PROVEN, report.faults
    claimed = with_account(files, first=60, before=60, count=5_000, after=0)
    pieces = list(parse_leaves_untrusted(files[MAIN]))
    claimed[MAIN] = format_leaves([replace(pieces[0], chunk=place[1])])
    assert faults(claimed, line)


def test_what_the_logs_lack_of_each_other_is_said(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    line = recorded.line
    line.write(line.borealis, drafts.blank(), cosigned=False)
    line.write(line.arcadia, drafts.blank())
    recorded.export(tmp_path / "out")
    report = check(read_folder(tmp_path / "out"), card_keys(line))
    assert report.verdict is Verdict.PROVEN, report.faults
    assert any("1 entries of arcadia.example/line" in one for one in report.not_shown)


def test_no_clock_decides_what_lies_in_the_span(
    recorded: Recorded, files: dict[str, bytes], tmp_path: Path
) -> None:
    class Late(SignedLine):
        def open(self) -> SignedLine:
            self.ahead_us["borealis.example"] = 3_600_000_000
            return super().open()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("node.proof.test_span.SignedLine", Late)
        late = Recorded(tmp_path)
    late.export(tmp_path / "out")
    shown = read_folder(tmp_path / "out")
    assert shown[MAIN] == files[MAIN]
    assert shown.keys() == files.keys()


def test_bent_files_end_in_a_verdict_and_its_words(
    all_tracks: dict[str, bytes], recorded: Recorded
) -> None:
    keys = card_keys(recorded.line)
    paths = sorted(path for path in all_tracks if path.startswith(("tracks/", "span", "README")))
    for seed in range(60):
        random = Random(seed)
        path = random.choice(paths)
        forged = all_tracks | {path: bent(all_tracks[path], random)}
        report = check_forged(forged, random.choice([keys, None]))
        assert format_words(VerifyReport((report,)))
        assert (
            report.verdict is Verdict.NOT_PROVEN
            or path in report.unsigned
            or (forged[path] == all_tracks[path])
        )


# -- what cannot be made


def refused(recorded: Recorded, out: Path, why: str, **changed: Any) -> None:
    with pytest.raises(OperatorError, match=why) as caught:
        recorded.export(out, **changed)
    assert caught.value.advice()
    assert not out.exists()


def test_what_is_not_there_is_refused(recorded: Recorded, tmp_path: Path) -> None:
    out = tmp_path / "out"
    refused(recorded, out, "no call", call="0" * 32)
    refused(recorded, out, "no track arcadia.example:9", track=(recorded.origin("a"), 9))
    refused(recorded, out, "no track", also=[(recorded.origin("b"), 7)])
    refused(recorded, out, "no packet of arcadia.example:1", from_ms=1_200, to_ms=9_000)
    refused(recorded, out, "no packet of borealis.example:2", track=(recorded.origin("b"), 2))


def test_a_record_that_is_sealed_to_others_stays_closed(recorded: Recorded, tmp_path: Path) -> None:
    stranger = PrivateKey.generate()
    with pytest.raises(SealedError):
        recorded.export(
            tmp_path / "out", open_journal=lambda: Journal.open(recorded.journal.path, stranger)
        )
    assert not (tmp_path / "out").exists()


def test_a_chunk_of_which_a_packet_is_not_held_cannot_be_shown(
    recorded: Recorded, tmp_path: Path
) -> None:
    track = (recorded.origin("a"), 1)
    partly = Journal.create(tmp_path / "record", recorded.journal.head, [KEEPER.reader])
    for index in range(60):
        if index != 22:
            partly.append([(track, packet("arcadia.example", 1, index))], now=0.0)
    partly.close()
    change = {"open_journal": lambda: Journal.open(partly.path, KEEPER)}
    refused(recorded, tmp_path / "out", "9 of the 10 packets", **change)
    recorded.export(tmp_path / "later", from_ms=700, to_ms=900, **change)


def test_what_differs_from_the_chunk_cannot_be_shown(recorded: Recorded, tmp_path: Path) -> None:
    track = (recorded.origin("a"), 1)
    other = Journal.create(tmp_path / "record", recorded.journal.head, [KEEPER.reader])
    for index in range(60):
        one = packet("arcadia.example", 1, index)
        other.append([(track, replace(one, payload=b"\xf8?") if index == 22 else one)], now=0.0)
    other.close()
    change = {"open_journal": lambda: Journal.open(other.path, KEEPER)}
    refused(recorded, tmp_path / "out", "not what the speaker's node logged", **change)


def test_a_record_that_is_destroyed_is_not_asked_for(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    line = recorded.line
    line.write(line.arcadia, drafts.record_destroyed(CALL, Text("en", "law")))
    refused(recorded, tmp_path / "out", "destroyed")


def test_a_chunk_whose_key_is_gone_cannot_be_shown(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.line.arcadia.log.opened[recorded.chunks["arcadia.example"][3]] = []
    refused(recorded, tmp_path / "out", "the key of entry")


class Odd(Recorded):
    """A call of one chunk in which one packet is what `odd` says."""

    def __init__(self, folder: Path, odd: bytes) -> None:
        self.odd = odd
        super().__init__(folder)

    def payload(self, one: Packet) -> bytes:
        return self.odd if one.index == 5 else one.payload


def test_what_no_decoder_could_frame_is_proven_and_not_heard(tmp_path: Path) -> None:
    recorded = Odd(tmp_path, b"\xff\x00")
    report = recorded.export(tmp_path / "out", from_ms=90, to_ms=130)
    assert (report.first, report.count) == (4, 3)
    files = read_folder(tmp_path / "out")
    assert check(files, card_keys(recorded.line)).verdict is Verdict.PROVEN
    (piece,) = parse_leaves_untrusted(files[MAIN])
    assert [leaf.payload for leaf in piece.leaves][1] == b"\xff\x00"
    heard = parse_ogg_opus_untrusted(files["tracks/arcadia.example-1.opus"]).packets
    assert b"\xff\x00" not in [one.payload for one in heard]


def test_a_packet_that_no_reader_would_take_cannot_be_shown(tmp_path: Path) -> None:
    recorded = Odd(tmp_path, b"\xf8" + bytes(1_500))
    refused(recorded, tmp_path / "out", "cannot be shown", from_ms=0)
    recorded.export(tmp_path / "later")


def test_more_than_a_folder_takes_is_refused(
    recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telcon.node.proof.span_export.MAX_LEAVES_OCTETS", 1_000)
    refused(recorded, tmp_path / "out", "more than one folder takes")


def test_a_record_that_the_disk_does_not_give_is_said_to_be(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    journal = Journal.open(recorded.journal.path, KEEPER)
    journal.path.unlink()
    with pytest.raises(StorageError, match="cannot be read"):
        recorded.export(tmp_path / "out", open_journal=lambda: journal)


def test_a_folder_that_is_about_something_else_is_refused(
    files: dict[str, bytes], recorded: Recorded
) -> None:
    account = ExcerptAccount(
        recorded.line.arcadia.card.line, "a.example", "b.example", "", 0, 0, 0, 0
    )
    other = files | {"span.json": format_account(account)}
    assert "about something else" in faults(other, recorded.line)


# -- the file of leaves


def test_a_file_of_leaves_is_bounded() -> None:
    good = format_leaf(bytes(32), 1, 2, b"x" * 1_500)
    assert parse_leaf_untrusted(good).payload == b"x" * 1_500
    for bad in (good + b"x", good[:32], good[:32] + b"\x02" + good[33:]):
        with pytest.raises(MalformedError):
            parse_leaf_untrusted(bad)
    head = b"telcon leaves v1\n"
    for count, hashes in ((0, 0), (5_001, 0), (1, 127)):
        with pytest.raises(MalformedError, match=f"{count} leaves and {hashes} hashes"):
            parse_leaves_untrusted(head + struct.pack(">QHB", 1, count, hashes))
    for bad in (b"", head[:-1], head + bytes(MAX_LEAVES_OCTETS), head + b"\0"):
        with pytest.raises(MalformedError):
            parse_leaves_untrusted(bad)
    assert parse_leaves_untrusted(head) == ()
