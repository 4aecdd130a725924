"""Signed notes and verifier keys, c2sp.org/signed-note v1.0.0.

    <text: one or more lines, ending in LF>
    LF
    U+2014 SP <key name> SP base64( key ID (4) || signature ) LF      one or more

A note comes in as `UnverifiedNote` and only `verify_note` makes a `VerifiedNote` of it. Exact
bytes are kept and passed on, never trimmed or written anew. Key types: Ed25519 (0x01) and the
timestamped cosignatures, by Ed25519 (0x04) and by ML-DSA-44 (0x06); what a cosignature means is in
`telcon.ledger.cosignature`. One of type 0x06 under a log's own name is that log's signature.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Final

from telcon.errors import MalformedError, MisuseError, SignatureError
from telcon.ledger._spelling import (
    MAX_SIZE,
    PARSED_NOTES,
    check_key_name,
    format_base64,
    parse_base64,
    parse_hex,
)
from telcon.ledger.checkpoint import Checkpoint, parse_checkpoint_untrusted
from telcon.ledger.signing import (
    ML_DSA_PUBLIC_OCTETS,
    PUBLIC_OCTETS,
    SigningKey,
    is_weak_ml_dsa_key,
    is_weak_public_key,
    verify_ml_dsa_signature,
    verify_signature,
)

ED25519: Final = 0x01
COSIGNATURE_ED25519: Final = 0x04
COSIGNATURE_ML_DSA: Final = 0x06
PUBLIC_KEY_OCTETS: Final = {
    ED25519: PUBLIC_OCTETS,
    COSIGNATURE_ED25519: PUBLIC_OCTETS,
    COSIGNATURE_ML_DSA: ML_DSA_PUBLIC_OCTETS,
}
"""By type of key."""

MAX_NOTE_OCTETS: Final = 1024 * 1024
MAX_SIGNATURES: Final = 100  # as Go's reader; the specification wants at least 16
KEY_ID_OCTETS: Final = 4
TIMESTAMP_OCTETS: Final = 8

_EM_DASH = "\N{EM DASH}"
_CONTROL = bytes(set(range(0x20)) - {0x0A})


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name and type it is used under. One that exists has been checked.

    Raises:
        MalformedError: a name, type or key that no verifier may use, the weak keys included.
    """

    name: str
    type: int
    """`ED25519`, `COSIGNATURE_ED25519` or `COSIGNATURE_ML_DSA`."""
    public: bytes
    """32 octets, of ML-DSA-44 1,312."""
    key_id: bytes = field(init=False)
    """4 octets, computed: a label to find the key by, never a proof of it."""

    def __post_init__(self) -> None:
        check_key_name(self.name)
        if self.type not in PUBLIC_KEY_OCTETS:
            raise MalformedError(f"key {self.name}: type 0x{self.type:02x} is not supported")
        is_weak = is_weak_ml_dsa_key if self.type == COSIGNATURE_ML_DSA else is_weak_public_key
        if is_weak(self.public):
            raise MalformedError(f"key {self.name}: a weak public key, which anyone can sign for")
        object.__setattr__(self, "key_id", key_id(self.name, self.type, self.public))


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line, as read."""

    name: str
    key_id: bytes
    """4 octets."""
    blob: bytes
    """What follows the key ID: a signature, or a timestamp and a signature."""


@dataclass(frozen=True, slots=True)
class UnverifiedNote:
    """A note in the right form, whose signatures nobody has looked at."""

    text: bytes
    """The signed bytes, with their last LF."""
    signatures: tuple[NoteSignature, ...]


@dataclass(frozen=True, slots=True)
class VerifiedNote:
    """A note's text and whose signatures on it verified; at least one."""

    text: bytes
    verified: tuple[tuple[VerifierKey, NoteSignature], ...]
    """In the order of the note; lines of unknown keys are left out."""


@lru_cache(maxsize=1024)
def key_id(name: str, key_type: int, public: bytes) -> bytes:
    """Return the 4 octets that name a key in a signature line."""
    return sha256(name.encode() + b"\n" + bytes([key_type]) + public).digest()[:KEY_ID_OCTETS]


def organisation(name: str) -> str:
    """Return whose a key name or origin is: the part before the first '/'."""
    return name.partition("/")[0]


def parse_vkey(text: str) -> VerifierKey:
    """Read `name+hhhhhhhh+base64(type || key)`, computing the ID again.

    Raises:
        MalformedError: another form, an ID that is not the key's, an unknown type, a weak key.
    """
    parts = text.split("+", 2)  # the base64 part may contain more
    if len(parts) != 3:
        raise MalformedError("a verifier key has the form name+id+base64")
    name, stated_id, encoded = parts
    stated = parse_hex(stated_id, KEY_ID_OCTETS, f"key ID of {name!r}")
    data = parse_base64(encoded, f"key {name!r}")
    if not data:
        raise MalformedError(f"key {name!r}: empty")
    octets = PUBLIC_KEY_OCTETS.get(data[0], PUBLIC_OCTETS)
    if len(data) != 1 + octets:
        raise MalformedError(f"key {name!r}: expected {1 + octets} octets, got {len(data)}")
    key = VerifierKey(name, data[0], data[1:])
    if key.key_id != stated:
        raise MalformedError(f"key {name!r}: its ID is {key.key_id.hex()}, not {stated_id}")
    return key


def format_vkey(key: VerifierKey) -> str:
    """Write a verifier key in its one spelling."""
    return f"{key.name}+{key.key_id.hex()}+{format_base64(bytes([key.type]) + key.public)}"


@lru_cache(maxsize=PARSED_NOTES)
def parse_note_untrusted(data: bytes) -> UnverifiedNote:
    """Read a note without looking at its signatures.

    Raises:
        MalformedError: anything but the one form, or over the limits (1 MiB, 100 signatures).
    """
    _check_form(data)
    # The last empty line parts text and signatures: the text may hold empty lines itself.
    text, parted, lines = data.rpartition(b"\n\n")
    if not parted or not lines:
        raise MalformedError("a note has a text, an empty line, and signature lines")
    text += b"\n"
    _check_utf8(text)
    return UnverifiedNote(text, parse_signature_lines_untrusted(lines))


def _check_form(note: bytes) -> None:
    if len(note) > MAX_NOTE_OCTETS:
        raise MalformedError(f"a note has at most {MAX_NOTE_OCTETS} octets")
    if len(note.translate(None, _CONTROL)) != len(note):
        raise MalformedError("a note has no control character but the line feed")


def _check_utf8(text: bytes) -> None:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise MalformedError("a note's text is UTF-8") from error


@lru_cache(maxsize=PARSED_NOTES)
def parse_signature_lines_untrusted(data: bytes) -> tuple[NoteSignature, ...]:
    """Read one or more whole signature lines.

    Raises:
        MalformedError: anything but the one form, or more than 100 lines.
    """
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError as error:
        raise MalformedError("signature lines are UTF-8") from error
    if lines.pop() or not lines:
        raise MalformedError("a signature line ends in a line feed")
    if len(lines) > MAX_SIGNATURES:
        raise MalformedError(f"a note has at most {MAX_SIGNATURES} signatures")
    return tuple(_parse_signature_line(line) for line in lines)


def _parse_signature_line(line: str) -> NoteSignature:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != _EM_DASH:
        raise MalformedError("a signature line is an em dash, a key name and base64")
    check_key_name(parts[1])
    data = parse_base64(parts[2], f"signature of {parts[1]!r}")
    if len(data) <= KEY_ID_OCTETS:
        raise MalformedError(f"signature of {parts[1]!r} is too short")
    return NoteSignature(parts[1], data[:KEY_ID_OCTETS], data[KEY_ID_OCTETS:])


def format_signature_line(signature: NoteSignature) -> bytes:
    """Write one signature line with its LF."""
    blob = format_base64(signature.key_id + signature.blob)
    return f"{_EM_DASH} {signature.name} {blob}\n".encode()


def verify_note(note: UnverifiedNote, keys: Sequence[VerifierKey]) -> VerifiedNote:
    """Check every signature by one of `keys`; of several lines by one key the first counts.

    Raises:
        SignatureError: no line is by a key of `keys`, or one is and does not verify.
        MisuseError: two of `keys` have the same name and ID.
    """
    known = {(key.name, key.key_id): key for key in keys}
    if len(known) != len(keys):
        raise MisuseError("two verifier keys have the same name and key ID")
    verified: dict[tuple[str, bytes], tuple[VerifierKey, NoteSignature]] = {}
    for signature in note.signatures:
        label = (signature.name, signature.key_id)
        if label not in known or label in verified:
            continue
        if not _verifies(known[label], signature.blob, note.text):
            raise SignatureError(f"the signature of {signature.name} does not verify")
        verified[label] = (known[label], signature)
    if not verified:
        raise SignatureError(f"no signature by {', '.join(key.name for key in keys) or 'anyone'}")
    return VerifiedNote(note.text, tuple(verified.values()))


def _verifies(key: VerifierKey, blob: bytes, text: bytes) -> bool:
    if key.type == ED25519:
        return verify_signature(key.public, blob, text)
    timestamp = int.from_bytes(blob[:TIMESTAMP_OCTETS], "big")
    if timestamp > MAX_SIZE:
        return False
    signature = blob[TIMESTAMP_OCTETS:]  # of another length it verifies nothing
    if key.type == COSIGNATURE_ED25519:
        return verify_signature(key.public, signature, cosigned_message(text, timestamp))
    try:
        checkpoint = parse_checkpoint_untrusted(text)
    except MalformedError:
        return False  # type 0x06 signs trees, and no other text
    message = subtree_message(checkpoint, key.name, timestamp)
    return verify_ml_dsa_signature(key.public, signature, message)


def cosigned_message(text: bytes, timestamp: int) -> bytes:
    """Return the bytes that a type 0x04 cosignature of a checkpoint's `text` signs.

    `timestamp` is in POSIX seconds.
    """
    return b"cosignature/v1\ntime %d\n" % timestamp + text  # c2sp.org/tlog-cosignature


def subtree_message(checkpoint: Checkpoint, name: str, timestamp: int) -> bytes:
    """Return the bytes that a type 0x06 cosignature of a whole tree under `name` signs.

    `timestamp` is in POSIX seconds.

        "subtree/v1" LF 00
        u8 length || cosigner's name
        u64 timestamp
        u8 length || origin
        u64 start, 0 || u64 end, the size
        root (32)
    """
    cosigner, origin = name.encode(), checkpoint.origin.encode()  # both at most 255 octets
    return b"".join(  # c2sp.org/tlog-cosignature, ML-DSA-44 signed message
        (
            b"subtree/v1\n\x00",
            bytes((len(cosigner),)) + cosigner,
            timestamp.to_bytes(8, "big"),
            bytes((len(origin),)) + origin,
            bytes(8) + checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )


def sign_note(text: bytes, name: str, key: SigningKey) -> bytes:
    """Return the note of `text` with the Ed25519 signature of `key` under `name`.

    Raises:
        MisuseError: `text` is not in the form of a note's text, or `name` not that of a key name.
    """
    label = key_id(name, ED25519, key.public)
    line = format_signature_line(NoteSignature(name, label, key.sign(text)))
    note = text + b"\n" + line
    try:
        check_key_name(name)
        _check_form(note)
        _check_utf8(text)
    except MalformedError as error:
        raise MisuseError(f"not the text of a note: {error}") from error
    if not text.endswith(b"\n"):
        raise MisuseError("a note's text ends in a line feed")
    return note


def add_signature_lines(note: bytes, lines: Sequence[bytes]) -> bytes:
    """Return `note` with further signature lines (each ending in LF) after its own.

    Raises:
        MalformedError: the note, a line, or the sum of them is not in the one form.
    """
    count = len(parse_note_untrusted(note).signatures)
    for line in lines:
        count += len(parse_signature_lines_untrusted(line))
    if count > MAX_SIGNATURES:
        raise MalformedError(f"a note has at most {MAX_SIGNATURES} signatures")
    grown = note + b"".join(lines)  # no line holds an empty one, so the text stays as it is
    _check_form(grown)
    return grown
