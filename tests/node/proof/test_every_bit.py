"""No bit of a proof folder can be turned unnoticed, also when SHA256SUMS is made anew."""

from collections.abc import Iterator, Mapping
from hashlib import sha256

import pytest

from fakes.signed_line import SignedLine
from node.proof.rig import MemoryFiles, card_keys, check, check_forged, export
from telcon.node.proof import Verdict
from telcon.node.proof.folder import check_folder
from telcon.node.proof.layout import SUMS


class FlippedFiles(MemoryFiles):
    """A folder of which one file was altered; the hashes of the others are known already."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__(files)
        self._known = {path: (sha256(data).hexdigest(), len(data)) for path, data in files.items()}
        self._good = dict(files)
        self._path = ""

    def alter(self, path: str, data: bytes) -> None:
        self._files = {**self._good, path: data}
        self._path = path

    def digest(self, path: str) -> tuple[str, int]:
        return super().digest(path) if path == self._path else self._known[path]


@pytest.fixture(scope="module")
def line() -> SignedLine:
    return SignedLine().open().ring_off()


@pytest.fixture(scope="module")
def files(line: SignedLine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return export(line, tmp_path_factory.mktemp("export") / "call", whole_log=True)


def flips(data: bytes) -> Iterator[bytes]:
    altered = bytearray(data)
    for bit in range(len(data) * 8):
        altered[bit // 8] ^= 1 << bit % 8
        yield bytes(altered)
        altered[bit // 8] ^= 1 << bit % 8


def test_every_flipped_bit_of_every_file_is_refused(
    line: SignedLine, files: dict[str, bytes]
) -> None:
    keys, folder = card_keys(line), FlippedFiles(files)
    assert check_folder("folder", folder, keys).verdict is Verdict.PROVEN
    refused = 0
    for path, data in files.items():
        for altered in flips(data):
            folder.alter(path, altered)
            report = check_folder("folder", folder, keys)
            assert report.verdict is Verdict.NOT_PROVEN, path
            assert path in report.faults[0] or path == SUMS
            refused += 1
    assert refused == 8 * sum(map(len, files.values()))
    assert refused > 100_000


def test_every_altered_octet_of_a_receipt_and_many_of_a_log_are_refused_under_new_sums(
    line: SignedLine, files: dict[str, bytes]
) -> None:
    keys = card_keys(line)
    unsigned = set(check(files, keys).unsigned) | {SUMS}
    refused = 0
    for path in files.keys() - unsigned:
        data = files[path]
        for at in range(0, len(data), 7 if "/log/" in path else 1):
            octet = data[at] ^ 1 << at % 8
            altered = data[:at] + bytes([octet]) + data[at + 1 :]
            report = check_forged(files | {path: altered}, keys)
            assert report.verdict is Verdict.NOT_PROVEN, (path, at)
            refused += 1
    assert refused > 4_000


def test_what_nobody_signed_is_named_and_nothing_else(
    line: SignedLine, files: dict[str, bytes]
) -> None:
    unsigned = check(files, card_keys(line)).unsigned
    assert set(unsigned) == {
        "README.txt",
        "call.json",
        "ours/policy.txt",
        "theirs/policy.txt",
        "recordings/arcadia.example-1.opus",
    }


def test_a_missing_file_is_named(line: SignedLine, files: dict[str, bytes]) -> None:
    for path in files:
        kept = {name: data for name, data in files.items() if name != path}
        report = check(kept, card_keys(line))
        assert report.verdict is Verdict.NOT_PROVEN
        assert report.faults == (f"{path} is missing",)


@pytest.mark.parametrize("path", ["more", "ours/receipts/more.entry", "recordings/a\nb"])
def test_an_additional_file_is_named(path: str, line: SignedLine, files: dict[str, bytes]) -> None:
    report = check(files | {path: b""}, card_keys(line))
    assert report.verdict is Verdict.NOT_PROVEN
    assert report.faults == (f"{path} is additional: SHA256SUMS does not name it",)


def test_of_several_altered_files_each_is_named(line: SignedLine, files: dict[str, bytes]) -> None:
    altered = {path: data + b"x" for path, data in files.items() if path.startswith("ours/")}
    report = check(files | altered, card_keys(line))
    assert report.faults == tuple(f"{path} was altered" for path in sorted(altered))
