"""The proof folder read by hand: docs/architecture.md (proof files) and docs/protocol.md §9."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stranger.entries import Entry, Opening, read_entry, seal
from stranger.tlog import (
    Policy,
    VerifierKey,
    cosignature_in,
    leaf_hash,
    open_checkpoint,
    open_cosignature,
    parse_policy,
    require,
    tree_root,
    unb64,
    verify_receipt,
)


@dataclass(frozen=True)
class Proven:
    """One entry of a folder, with what was opened of it."""

    index: int
    entry: Entry
    data: bytes
    openings: list[Opening]


def check_sums(folder: Path) -> set[str]:
    """Check every file of the folder against SHA256SUMS; return their names."""
    listed = {}
    for row in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = row.split("  ")
        listed[name] = digest
    found = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    found.pop("SHA256SUMS")
    require(set(listed) == set(found), f"files: {set(listed) ^ set(found)}")
    for name, path in found.items():
        require(hashlib.sha256(path.read_bytes()).hexdigest() == listed[name], f"sum of {name}")
    return set(found)


def read_side(
    folder: Path, log: VerifierKey, mirror: VerifierKey, *, file: str = "policy.txt"
) -> list[Proven]:
    """Verify every receipt of `ours` or `theirs` under the keys that the reader knows."""
    policy = parse_policy((folder / file).read_text())
    require(policy == Policy(log, mirror), "a policy of other keys")
    return list(_receipts(folder / "receipts", policy))


def read_log(folder: Path, log: VerifierKey, mirror: VerifierKey) -> list[bytes]:
    """Verify a whole log of up to 255 entries, which lie in one partial bundle (tlog-tiles)."""
    note = (folder / "checkpoint").read_bytes()
    size, root = open_checkpoint(note, log)
    open_cosignature(note, cosignature_in(note, mirror), mirror)
    bundle = (folder / f"tile/entries/000.p/{size}").read_bytes()
    entries = []
    while bundle:
        end = 2 + int.from_bytes(bundle[:2])
        entries.append(bundle[2:end])
        bundle = bundle[end:]
    require(tree_root(entries) == root and len(entries) == size, "another log than was signed")
    hashes = (folder / f"tile/0/000.p/{size}").read_bytes()
    require(hashes == b"".join(map(leaf_hash, entries)), "tile of other entries")
    return entries


def _receipts(folder: Path, policy: Policy) -> Iterator[Proven]:
    for path in sorted(folder.glob("*.tlog-proof")):
        data = path.with_suffix(".entry").read_bytes()
        index, _ = verify_receipt(path.read_bytes(), data, policy)
        entry = read_entry(data)
        openings = _openings(path.with_suffix(".opened.json"))
        for opening in openings:
            sealed = seal(policy.log.name, entry["type"], opening)
            require(sealed == entry[opening.member], f"{opening.member} does not fit")
        yield Proven(index, entry, data, openings)


def _openings(path: Path) -> list[Opening]:
    if not path.exists():
        return []
    rows = json.loads(path.read_text())["openings"]
    return [
        Opening(row["member"], bytes.fromhex(row["key"]), unb64(row["content"])) for row in rows
    ]
