"""A log of a million entries with its tiles, checked as `telcon verify` does, beside bare hashing.

The files are written by a process of its own, so that what this one holds is what the check needs.
Beside it, in the same run, hashlib alone makes the same hashes of the same bytes (each leaf, each
node), and hashes all the files whole: no check can be quicker than the first of these. The ratio is
of CPU time, system's included: all of it is work of one thread, and these take turns of many
seconds, between which a busy machine changes. One receipt out of that log is timed as well.
"""

import os
import re
import tempfile
import time
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path

from bench.figures import Row, at_most, every, median
from telcon.ledger import (
    COSIGNATURE_ED25519,
    ED25519,
    EMPTY_FRONTIER,
    Checkpoint,
    SigningKey,
    TlogProof,
    VerifierKey,
    add_signature_lines,
    cosign,
    format_bundle,
    format_checkpoint,
    format_tlog_proof,
    inclusion_proof,
    leaf_hash,
    mirror_policy,
    parse_bundle_untrusted,
    parse_tlog_proof,
    sign_checkpoint,
    tile_path,
    tiles_of,
    verify_tlog_proof,
)
from telcon.node.proof.files import DiskFiles
from telcon.node.proof.whole import expected_files, read_log

__all__ = ["run"]

ENTRIES = int(os.environ.get("TELCON_BENCH_ENTRIES", "1000000"))
RUNS = 3
LIMIT, LIMIT_MIB, LIMIT_RECEIPT_MS = 3.0, 100.0, 5.0
RECEIPTS = 200
MAX_FILE_OCTETS = 16 * 1024 * 1024

LOG, MIRROR = SigningKey(bytes(range(32))), SigningKey(bytes(range(32, 64)))
ORIGIN = "arcadia.example/line/" + "0" * 32
MIRROR_NAME = "borealis.example/mirror/" + "0" * 32
POLICY = mirror_policy(
    VerifierKey(ORIGIN, ED25519, LOG.public),
    VerifierKey(MIRROR_NAME, COSIGNATURE_ED25519, MIRROR.public),
)


def entry(number: int) -> bytes:
    """Return an entry as long as that of a message."""
    return (
        b'{"type":"message","v":1,"nonce":"%032x","time":%d,"seen":[%d,"%064x"],'
        b'"from":"%064x","to":"%064x","text":"%064x"}'
        % (number, 1_790_000_000_000_000 + number, number, number, number, number, number)
    )


def write(folder: Path) -> None:
    """Write bundles, tiles and checkpoint of the log."""
    frontier = EMPTY_FRONTIER
    levels: list[bytearray] = []  # of each tile level, all hashes
    for first in range(0, ENTRIES, 256):
        entries = [entry(number) for number in range(first, min(first + 256, ENTRIES))]
        put(folder, tile_path("entries", first // 256, len(entries)), format_bundle(entries))
        for one in entries:
            frontier, completed = frontier.append(leaf_hash(one))
            for level, value in enumerate(completed[::8]):
                if level == len(levels):
                    levels.append(bytearray())
                levels[level] += value
    for level, index, width in tiles_of(ENTRIES):
        tile = levels[level][8192 * index : 8192 * index + 32 * width]
        put(folder, tile_path(level, index, width), bytes(tile))
    checkpoint = Checkpoint(ORIGIN, ENTRIES, frontier.root())
    line = cosign(format_checkpoint(checkpoint), MIRROR_NAME, MIRROR, 1_790_000_000)
    put(folder, "checkpoint", add_signature_lines(sign_checkpoint(checkpoint, LOG), [line]))


def put(folder: Path, path: str, data: bytes) -> None:
    """Write one file."""
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)


def bare(folder: Path) -> tuple[float, float]:
    """Return the CPU seconds that hashlib takes for each hash there is, and for the files whole."""
    each = whole = 0.0
    for level, index, width in tiles_of(ENTRIES):
        tile = (folder / tile_path(level, index, width)).read_bytes()
        pairs = [tile[at : at + 64] for at in range(0, len(tile) - 32, 64)]
        data = tile
        entries: list[bytes] = []
        if level == 0:
            bundle = (folder / tile_path("entries", index, width)).read_bytes()
            data, entries = tile + bundle, parse_bundle_untrusted(bundle, width)
        began = time.process_time()
        for one in entries:
            sha256(b"\x00" + one).digest()
        # Of a tile's inner levels the pairs are as many again but one; the bytes do not matter.
        for one in pairs:
            sha256(b"\x01" + one).digest()
        for one in pairs[1:]:
            sha256(b"\x01" + one).digest()
        each += time.process_time() - began
        began = time.process_time()
        sha256(data).digest()
        whole += time.process_time() - began
    return each, whole


def held_mib(what: str) -> float:
    """Return `VmRSS` or `VmHWM` of this process."""
    found = re.search(rf"^{what}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def receipts(folder: Path, files: DiskFiles) -> list[float]:
    """Return the milliseconds that each of some receipts takes."""
    note = (folder / "checkpoint").read_bytes()
    paths = expected_files(ENTRIES)
    log = read_log(note, POLICY, sorted(paths), lambda path: files.read(path, MAX_FILE_OCTETS)).log
    found = []
    for index in range(0, ENTRIES, max(1, ENTRIES // RECEIPTS)):
        proof = TlogProof(index, tuple(inclusion_proof(index, ENTRIES, log.hash)), note)
        data, one = format_tlog_proof(proof), entry(index)
        began = time.perf_counter()
        verify_tlog_proof(parse_tlog_proof(data), one, POLICY)
        found.append((time.perf_counter() - began) * 1e3)
    return found


def run() -> list[Row]:
    """Measure in turns, print, and return the rows."""
    with tempfile.TemporaryDirectory(prefix="telcon-bench-") as place:
        folder = Path(place)
        writer = get_context("spawn").Process(target=write, args=(folder,))
        writer.start()
        writer.join()
        files = DiskFiles(folder)
        note = (folder / "checkpoint").read_bytes()
        paths = sorted(expected_files(ENTRIES))
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        start_mib = held_mib("VmRSS")
        checks, walls, eachs, wholes = [], [], [], []
        for _ in range(RUNS):
            began, began_cpu = time.perf_counter(), time.process_time()
            read_log(note, POLICY, paths, lambda path: files.read(path, MAX_FILE_OCTETS))
            checks.append(time.process_time() - began_cpu)
            walls.append(time.perf_counter() - began)
            each, whole = bare(folder)
            eachs.append(each)
            wholes.append(whole)
        grown_mib = held_mib("VmHWM") - start_mib
        times = receipts(folder, files)
    ratios = [check / each for check, each in zip(checks, eachs, strict=True)]
    for what, values in (
        ("checked, by the clock on the wall", walls),
        ("checked", checks),
        ("hashlib, the same hashes", eachs),
        ("hashlib, files whole", wholes),
    ):
        print(f"{ENTRIES:,} entries, {what}; seconds\n{every(values, digits=2)}")
    print(f"  checked / the same hashes\n{every(ratios, digits=2)}")
    print(f"  memory above start: {grown_mib:.1f} MiB")
    print(f"  one receipt: median {median(times):.3f} ms, worst {max(times):.3f} ms")
    reference = (
        f"hashlib: the same hashes {median(eachs):.2f} s, the files whole {median(wholes):.2f} s"
    )
    name = f"a log of {ENTRIES:,} entries checked, {median(walls):.1f} s"
    return [
        at_most(name, median(ratios), "x hashlib", LIMIT, reference, ratios),
        at_most("its memory above start", grown_mib, "MiB", LIMIT_MIB),
        at_most("one receipt of it", median(times), "ms", LIMIT_RECEIPT_MS),
    ]
