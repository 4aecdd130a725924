"""Tree, notes, checkpoints, cosignatures, receipts: written from RFC 6962 and the C2SP pages."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

LOG, COSIGNER, ML_DSA = 0x01, 0x04, 0x06  # signature types of signed-note
KEY_OCTETS = {LOG: 32, COSIGNER: 32, ML_DSA: 1312}
DASH = "— ".encode()


class ProtocolError(Exception):
    """The other side did not keep to the documents."""


def require(holds: bool, otherwise: str) -> None:
    """Raise `ProtocolError` unless it `holds`."""
    if not holds:
        raise ProtocolError(otherwise)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def unb64(text: str) -> bytes:
    """Decode the one spelling of RFC 4648 §4."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ProtocolError(f"no base64: {text}") from error
    require(b64(data) == text, f"another spelling of base64: {text}")
    return data


# -- RFC 6962 §2


def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry)


def tree_root(entries: list[bytes]) -> bytes:
    if len(entries) < 2:
        return leaf_hash(entries[0]) if entries else sha256(b"")
    split = 1 << (len(entries) - 1).bit_length() - 1
    return sha256(b"\x01" + tree_root(entries[:split]) + tree_root(entries[split:]))


def root_by_proof(index: int, size: int, leaf: bytes, proof: list[bytes]) -> bytes:
    """Return the root that an inclusion proof leads to, by descent from the root."""
    if size == 1:
        require(not proof, "the proof is too long")
        return leaf
    require(bool(proof), "the proof is too short")
    split = 1 << (size - 1).bit_length() - 1
    if index < split:
        left = root_by_proof(index, split, leaf, proof[:-1])
        return sha256(b"\x01" + left + proof[-1])
    right = root_by_proof(index - split, size - split, leaf, proof[:-1])
    return sha256(b"\x01" + proof[-1] + right)


# -- c2sp.org/signed-note


@dataclass(frozen=True)
class VerifierKey:
    name: str
    type: int
    public: bytes

    @property
    def id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public)[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64(bytes([self.type]) + self.public)}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        name, key_id, encoded = text.split("+", 2)
        data = unb64(encoded)
        key = cls(name, data[0], data[1:])
        require(key.id.hex() == key_id, f"not a key: {text}")
        require(len(key.public) == KEY_OCTETS[key.type], f"not a key: {text}")
        return key

    def verify(self, message: bytes, signature: bytes) -> None:
        kind = MLDSA44PublicKey if self.type == ML_DSA else Ed25519PublicKey
        try:
            kind.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature as error:
            raise ProtocolError(f"{self.name} did not sign this") from error

    def lines_in(self, note: bytes) -> list[bytes]:
        """Return the signatures in `note` under this key's name and id."""
        blobs = (signature_blob(line, self.name) for line in split_note(note)[1])
        return [blob[4:] for blob in blobs if blob is not None and blob[:4] == self.id]


def split_note(note: bytes) -> tuple[bytes, list[bytes]]:
    """Part a note into its text and its signature lines."""
    text, gap, signatures = note.rpartition(b"\n\n")
    require(bool(gap) and signatures.endswith(b"\n"), "not a note")
    return text + b"\n", signatures.splitlines(keepends=True)


def signature_blob(line: bytes, name: str) -> bytes | None:
    """Return key id and signature of a signature line under `name`, None for another's."""
    found = re.fullmatch(r"— (\S+) (\S+)\n", line.decode())
    require(found is not None, f"not a signature line: {line!r}")
    assert found is not None
    return unb64(found[2]) if found[1] == name else None


class Signer:
    """A key pair with its name and what it signs."""

    def __init__(self, name: str, kind: int) -> None:
        make = MLDSA44PrivateKey if kind == ML_DSA else Ed25519PrivateKey
        self._private = make.generate()
        self.key = VerifierKey(name, kind, self._private.public_key().public_bytes_raw())

    def checkpoint(self, entries: list[bytes]) -> bytes:
        """Return the signed note for a log of `entries`."""
        text = f"{self.key.name}\n{len(entries)}\n{b64(tree_root(entries))}\n".encode()
        return text + b"\n" + self._line(self._private.sign(text))

    def cosign(self, note: bytes, time_s: int) -> bytes:
        """Return one signature line, c2sp.org/tlog-cosignature."""
        message = what_is_cosigned(self.key, split_note(note)[0], time_s)
        signature = self._private.sign(message)
        return self._line(time_s.to_bytes(8) + signature)

    def _line(self, signature: bytes) -> bytes:
        return DASH + f"{self.key.name} {b64(self.key.id + signature)}\n".encode()


def what_is_cosigned(key: VerifierKey, text: bytes, time_s: int) -> bytes:
    """Return the message of a cosignature of either type, c2sp.org/tlog-cosignature."""
    if key.type == COSIGNER:
        return f"cosignature/v1\ntime {time_s}\n".encode() + text
    origin, size, root = text.decode().split("\n")[:3]
    message = b"subtree/v1\n\0" + prefixed(key.name) + time_s.to_bytes(8) + prefixed(origin)
    return message + (0).to_bytes(8) + int(size).to_bytes(8) + unb64(root)


def prefixed(name: str) -> bytes:
    return len(name.encode()).to_bytes(1) + name.encode()


def open_checkpoint(note: bytes, log: VerifierKey) -> tuple[int, bytes]:
    """Verify the log's signature on a checkpoint; return size and root."""
    text, _ = split_note(note)
    signatures = log.lines_in(note)
    require(len(signatures) == 1, "not signed by the log")
    if log.type == ML_DSA:
        require(signatures[0][:8] == bytes(8), "the log says when")
        log.verify(what_is_cosigned(log, text, 0), signatures[0][8:])
    else:
        log.verify(text, signatures[0])
    found = re.fullmatch(r"(\S+)\n(0|[1-9][0-9]*)\n(\S+)\n", text.decode())
    require(found is not None and found[1] == log.name, f"not a checkpoint: {text!r}")
    assert found is not None
    return int(found[2]), unb64(found[3])


def open_cosignature(note: bytes, line: bytes, mirror: VerifierKey) -> int:
    """Verify a cosignature line for `note`; return its time in seconds."""
    blob = signature_blob(line, mirror.name)
    require(blob is not None and blob[:4] == mirror.id, "cosigned by another")
    assert blob is not None
    time_s = int.from_bytes(blob[4:12])
    mirror.verify(what_is_cosigned(mirror, split_note(note)[0], time_s), blob[12:])
    return time_s


# -- c2sp.org/tlog-proof, c2sp.org/tlog-policy


@dataclass(frozen=True)
class Policy:
    """One log and the one mirror that is its quorum."""

    log: VerifierKey
    mirror: VerifierKey


def parse_policy(text: str) -> Policy:
    """Read the policy of a proof folder: one log and one witness, which is the quorum."""
    rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    require(sorted(row[0] for row in rows) == ["log", "quorum", "witness"], "another policy")
    by_word = {row[0]: row[1:] for row in rows}
    name, key = by_word["witness"][:2]
    require(by_word["quorum"] == [name], "the quorum is not the witness")
    return Policy(VerifierKey.parse(by_word["log"][0]), VerifierKey.parse(key))


def verify_receipt(receipt: bytes, entry: bytes, policy: Policy) -> tuple[int, int]:
    """Verify that `entry` is in the log, as author and mirror signed; return index and size."""
    head, _, note = receipt.partition(b"\n\n")
    rows = head.decode().split("\n")
    require(rows[0] == "c2sp.org/tlog-proof@v1", "not a proof")
    index = int(rows[1].removeprefix("index "))
    size, root = open_checkpoint(note, policy.log)
    require(index < size, "beyond the tree")
    proof = [unb64(row) for row in rows[2:]]
    require(root_by_proof(index, size, leaf_hash(entry), proof) == root, "another root")
    open_cosignature(note, cosignature_in(note, policy.mirror), policy.mirror)
    return index, size


def cosignature_in(note: bytes, mirror: VerifierKey) -> bytes:
    """Return the one signature line of `note` by the mirror's key."""
    lines = [
        line
        for line in split_note(note)[1]
        if (signature_blob(line, mirror.name) or b"")[:4] == mirror.id
    ]
    require(len(lines) == 1, f"not cosigned once by {mirror.name}")
    return lines[0]
