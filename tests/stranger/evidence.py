"""The evidence folder read by hand: docs/protocol.md §5 (forks) and §9."""

from pathlib import Path

from stranger.folder import check_sums
from stranger.tlog import VerifierKey, open_checkpoint, require, sha256, unb64

FILES = {"README.txt", "first.note", "second.note", "key-card.json", "policy.txt"}


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right)


def roots_by_proof(old: int, new: int, proof: list[bytes], *, is_whole: bytes) -> tuple[bytes, ...]:
    """Return the roots at `old` and `new` that a consistency proof leads to, RFC 6962 §2.1.2.

    By descent from the root, as SUBPROOF is written there; `is_whole` stands for the old tree where
    the proof leaves it out.
    """
    if old == new:
        if not is_whole:
            require(len(proof) == 1, "the proof has another length")
            return proof[0], proof[0]
        require(not proof, "the proof is too long")
        return is_whole, is_whole
    require(bool(proof), "the proof is too short")
    split = 1 << (new - 1).bit_length() - 1
    if old <= split:
        before, left = roots_by_proof(old, split, proof[:-1], is_whole=is_whole)
        return before, node(left, proof[-1])
    before, right = roots_by_proof(old - split, new - split, proof[:-1], is_whole=b"")
    return node(proof[-1], before), node(proof[-1], right)


def check_evidence(folder: Path, key: VerifierKey) -> tuple[int, int]:
    """Check that the holder of `key` signed two histories; return the two sizes.

    Raises:
        ProtocolError: the folder does not show it.
    """
    names = check_sums(folder)
    notes = [(folder / name).read_bytes() for name in ("first.note", "second.note")]
    (old, first), (new, second) = (open_checkpoint(note, key) for note in notes)
    if old == new:
        require(names == FILES, f"other files: {names}")
        require(first != second, "both say the same")
        return old, new
    require(names == FILES | {"consistency.txt"}, f"other files: {names}")
    heading, true, *proof = (folder / "consistency.txt").read_text().splitlines()
    require(heading == "telcon consistency v1", "another file")
    hashes = [unb64(row) for row in proof]
    root = unb64(true)
    require(
        roots_by_proof(old, new, hashes, is_whole=root) == (root, second),
        "the proof leads elsewhere",
    )
    require(root != first, "both may be true")
    return old, new


def evidence_name(folder: Path) -> str:
    """Return the hash by which `line.acknowledged` names what lies in the folder."""
    notes = [(folder / name).read_bytes() for name in ("first.note", "second.note")]
    sizes = [int(note.split(b"\n")[1]) for note in notes]
    if sizes[0] == sizes[1]:
        notes.sort()
    framed = b"".join(len(note).to_bytes(4) + note for note in notes)
    return sha256(b"telcon evidence v1\x00" + framed).hex()
