"""Whatever lies in a folder, checking it ends in a verdict, never in a proof of something else."""

import contextlib
import json
from random import Random
from typing import Any

import pytest

from fakes.signed_line import SignedLine
from node.proof.rig import card_keys, check_forged, export
from telcon.errors import MalformedError
from telcon.node.proof import Verdict, VerifyReport, format_json, format_words
from telcon.node.proof.layout import (
    format_openings,
    format_sums,
    parse_openings_untrusted,
    parse_summary_untrusted,
    parse_sums_untrusted,
)

LINE = SignedLine().open().ring_off()
KEYS = card_keys(LINE)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return export(LINE, tmp_path_factory.mktemp("export") / "call", whole_log=True)


def bent(good: bytes, random: Random) -> bytes:
    start = random.randint(0, len(good))
    end = min(len(good), start + random.choice([0, 1, 1, 4, 40]))
    piece = random.choice([b"", b'"', b"[", b"}", b"\\", b"\xff", b"0", b"\n", random.randbytes(2)])
    return good[:start] + piece + good[end:]


def replaced(value: Any, random: Random) -> Any:
    """Return JSON data with one member anywhere replaced by something odd."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        key = random.choice(list(value))
        return {**value, key: replaced(value[key], random)}
    if isinstance(value, list) and value and random.random() < 0.9:
        at = random.randrange(len(value))
        return [*value[:at], replaced(value[at], random), *value[at + 1 :]]
    return random.choice([None, "", "x", "\ud800", -1, 2**70, 1.5, [], {}, True, "../x", "\n"])


def test_bent_files_end_in_a_verdict_and_its_words(files: dict[str, bytes]) -> None:
    for seed in range(1_000):
        random = Random(seed)
        path = random.choice([path for path in files if path != "SHA256SUMS"])
        report = check_forged(
            {**files, path: bent(files[path], random)}, random.choice([KEYS, None])
        )
        assert format_words(VerifyReport((report,)))
        assert json.loads(format_json(VerifyReport((report,))))


def test_an_odd_summary_never_makes_more_proven(files: dict[str, bytes]) -> None:
    honest = {receipt.path for receipt in check_forged(files, KEYS).receipts}
    for seed in range(1_000):
        summary = replaced(json.loads(files["call.json"]), Random(seed))
        data = json.dumps(summary).encode()
        report = check_forged({**files, "call.json": data}, KEYS)
        assert report.verdict in {Verdict.PROVEN, Verdict.NOT_PROVEN}
        assert {receipt.path for receipt in report.receipts} <= honest


def test_small_files_are_read_in_one_spelling_or_not_at_all(files: dict[str, bytes]) -> None:
    opened = files["ours/receipts/000002-call.ring.opened.json"]
    for seed in range(2_000):
        random = Random(seed)
        data, sums = bent(opened, random), bent(files["SHA256SUMS"], random)
        with contextlib.suppress(MalformedError):
            assert format_openings(parse_openings_untrusted(data)) == data
        with contextlib.suppress(MalformedError):
            assert format_sums(parse_sums_untrusted(sums)) == sums


def test_a_deep_summary_is_refused() -> None:
    with pytest.raises(MalformedError):
        parse_summary_untrusted(b"[" * 1_000_000)
