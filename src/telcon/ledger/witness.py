"""The witness protocol, c2sp.org/tlog-witness (v1.0.0, statuses as on its main), without a socket.

    old SP <size> LF
    base64(32) LF              0 to 63 lines: consistency proof from old to the checkpoint
    LF
    checkpoint, with the log's signature

A witness answers in this order, the first that holds:

    1. 400  malformed, or over a limit
    2. 404  a log that this witness does not take
    3. 403  no signature by the log's key, or one under its name that does not verify
    4. 400  old is above the checkpoint's size
    5. 409  old is not the size last cosigned; the body says which is
    6. 422  the empty tree with another root; one size with two roots; a proof that leads elsewhere
    7. 200  the cosignature line

`decide` does 1 to 6 and says what to keep. Its caller makes that durable, only if size and root
are still those that were decided upon, and then alone asks for the signature by `cosigned_answer`.
For the other side, `format_submission` writes what is asked and `read_answer_untrusted` reads what
comes back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from telcon.errors import MalformedError, MisuseError, ProofError, SignatureError
from telcon.ledger._spelling import (
    MAX_SIZE,
    format_base64,
    parse_base64_hash,
    parse_decimal,
)
from telcon.ledger.checkpoint import Checkpoint, parse_claim_untrusted
from telcon.ledger.cosignature import cosign, cosignature_time
from telcon.ledger.merkle import EMPTY_ROOT, HASH_OCTETS, MAX_PROOF_HASHES, verify_consistency
from telcon.ledger.note import (
    UnverifiedNote,
    VerifiedNote,
    VerifierKey,
    format_signature_line,
    parse_note_untrusted,
    parse_signature_lines_untrusted,
    verify_note,
)
from telcon.ledger.signing import SigningKey

MAX_SUBMISSION_OCTETS: Final = 64 * 1024
MAX_ANSWER_OCTETS: Final = 64 * 1024
MAX_REASON_CHARACTERS: Final = 200  # of what a witness says when it refuses

SIZE_TYPE: Final = "text/x.tlog.size"
PLAIN_TYPE: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Submission:
    """What somebody asks a witness to cosign, in the right form; nothing of it is verified."""

    old: int
    """The size that the proof starts from."""
    proof: tuple[bytes, ...]
    note: UnverifiedNote
    checkpoint: Checkpoint
    """As the note's text claims it; the empty tree may still bear another root."""


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A log that a witness takes, and how far it has cosigned it."""

    keys: tuple[VerifierKey, ...]
    """The log's keys; their name is its origin."""
    size: int = 0
    """As last cosigned; 0 if never."""
    root: bytes = EMPTY_ROOT
    """Of that size, 32 octets."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a witness answers."""

    status: int
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """May be cosigned once it is durable as the newest of its log."""

    checkpoint: Checkpoint
    note: bytes
    """The checkpoint with the log's verified signatures alone: what to keep."""
    was: tuple[int, bytes]
    """Size and root that this was decided upon: keep it only if they still stand."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Will not be cosigned."""

    answer: Answer
    origin: str = ""
    """Of the log, where it is one that this witness takes."""
    proves: bool = False
    """The log signed what does not fit what was cosigned: keep the request, it may prove it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of a witness, as far as its answer is read by it."""

    text: bytes
    """The checkpoint's text."""
    old: int
    size: int
    was_hinted: bool = False
    """`old` is what the witness itself named: it may not name another."""


@dataclass(frozen=True, slots=True)
class Cosignatures:
    """The witness has cosigned."""

    lines: tuple[tuple[VerifierKey, bytes, int], ...]
    """Of each key that was looked for: the verified line with its LF, and its POSIX time in
    seconds."""


@dataclass(frozen=True, slots=True)
class SizeHint:
    """The witness holds another size: ask once more, with a proof from there."""

    size: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """The witness will not cosign; to ask the same again is of no use."""

    status: int
    reason: str
    """One printable line, by the witness itself or by us."""


# -- the witness


def parse_submission_untrusted(body: bytes) -> Submission:
    """Read the body of `add-checkpoint` without looking at its signatures.

    Raises:
        MalformedError: anything but the one form, or over the limits (64 KiB, 63 hashes).
    """
    if len(body) > MAX_SUBMISSION_OCTETS:
        raise MalformedError(f"a request has at most {MAX_SUBMISSION_OCTETS} octets")
    # The first empty line parts proof and checkpoint; a note is parted at its last one.
    head, parted, data = body.partition(b"\n\n")
    if not parted:
        raise MalformedError("a request has an empty line before its checkpoint")
    try:
        first, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise MalformedError("a request's first part is ASCII") from error
    if not first.startswith("old "):
        raise MalformedError("a request starts with an old line")
    old = parse_decimal(first[len("old ") :], "old size")
    if len(lines) > MAX_PROOF_HASHES:
        raise MalformedError(f"a consistency proof has at most {MAX_PROOF_HASHES} hashes")
    proof = tuple(parse_base64_hash(line, "hash of the consistency proof") for line in lines)
    note = parse_note_untrusted(data)
    return Submission(old, proof, note, parse_claim_untrusted(note.text))


def decide(body: bytes, look_up: Callable[[str], Witnessed | None]) -> Accepted | Refused:
    """Decide upon the body of one `add-checkpoint`, as the module says.

    `look_up` returns what is known of an origin, None if this witness does not take that log.
    After `Accepted`: in one transaction keep checkpoint and note if `was` still stands (else decide
    again), sync, then `cosigned_answer`. After `Refused` with `proves`: keep the request.
    """
    try:
        submission = parse_submission_untrusted(body)  # 1
    except MalformedError as error:
        return Refused(_plain(400, str(error)))
    claimed = submission.checkpoint
    known = look_up(claimed.origin)
    if known is None:  # 2
        return Refused(_plain(404, "this witness does not take that log"))
    try:
        signed = verify_note(submission.note, known.keys)  # 3
    except SignatureError as error:
        return Refused(_plain(403, str(error)), claimed.origin)
    return _decide_signed(submission, signed, known)


def _decide_signed(
    submission: Submission, signed: VerifiedNote, known: Witnessed
) -> Accepted | Refused:
    claimed, old = submission.checkpoint, submission.old
    # Two roots for one size prove that the log has forked, whatever else the request says.
    forked = claimed.size == known.size and claimed.root != known.root
    forked = forked or (claimed.size == 0 and claimed.root != EMPTY_ROOT)
    if old > claimed.size:  # 4
        reason = f"old size {old} is above the checkpoint's {claimed.size}"
        return Refused(_plain(400, reason), claimed.origin, forked)
    if old != known.size:  # 5
        answer = Answer(409, b"%d\n" % known.size, SIZE_TYPE)
        return Refused(answer, claimed.origin, forked)
    try:
        _check_growth(submission, known)  # 6
    except ProofError as error:
        return Refused(_plain(422, str(error)), claimed.origin, proves=True)
    lines = b"".join(format_signature_line(signature) for _, signature in signed.verified)
    return Accepted(claimed, signed.text + b"\n" + lines, (known.size, known.root))


def _check_growth(submission: Submission, known: Witnessed) -> None:
    claimed, proof = submission.checkpoint, submission.proof
    if claimed.size == 0 and claimed.root != EMPTY_ROOT:
        raise ProofError("the empty tree has another root")
    if known.size > 0:
        verify_consistency(known.size, claimed.size, known.root, claimed.root, proof)
    elif proof:
        raise ProofError("nothing is proven from size 0, and no hashes belong there")


def cosigned_answer(accepted: Accepted, name: str, key: SigningKey, timestamp: int) -> Answer:
    """Return the answer with the cosignature of `key` under `name`, a key of type 0x04.

    `timestamp` is in POSIX seconds. What was accepted is durable before this is called.

    Raises:
        MisuseError: not a key name, or a time out of range.
    """
    text = parse_note_untrusted(accepted.note).text
    return Answer(200, cosign(text, name, key, timestamp), PLAIN_TYPE)


def _plain(status: int, reason: str) -> Answer:
    return Answer(status, f"{reason}\n".encode("utf-8", "replace"), PLAIN_TYPE)


# -- who asks


def format_submission(old: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """Write the body of `add-checkpoint`.

    Raises:
        MisuseError: a value out of range, or no checkpoint.
    """
    hashes = "".join(f"{format_base64(value)}\n" for value in proof)
    body = f"old {old}\n{hashes}\n".encode() + note
    if not 0 <= old <= MAX_SIZE or any(len(value) != HASH_OCTETS for value in proof):
        raise MisuseError("not a request: old size or hashes are out of range")
    try:
        parse_submission_untrusted(body)
    except MalformedError as error:
        raise MisuseError(f"not a request: {error}") from error
    return body


def read_answer_untrusted(
    status: int, body: bytes, asked: Asked, keys: Sequence[VerifierKey]
) -> Cosignatures | SizeHint | Refusal:
    """Read what a witness answered; lines of keys other than `keys` are dropped.

    Raises:
        MalformedError: it says that it cosigned, and its lines are not in the one form.
        SignatureError: it says that it cosigned, and no line is by one of `keys`, or one that
            claims to be does not verify.
    """
    if status == 409:
        return _read_size(body, asked)
    if status != 200:
        return Refusal(status, _reason(body) or "no reason given")
    if len(body) > MAX_ANSWER_OCTETS:
        raise MalformedError(f"an answer has at most {MAX_ANSWER_OCTETS} octets")
    note = UnverifiedNote(asked.text, parse_signature_lines_untrusted(body))
    verified = verify_note(note, keys).verified
    lines = tuple(
        (key, format_signature_line(signature), cosignature_time(key, signature))
        for key, signature in verified
    )
    if any(time == 0 for _, _, time in lines):
        raise SignatureError("a witness's cosignature bears a time")
    return Cosignatures(lines)


def _read_size(body: bytes, asked: Asked) -> SizeHint | Refusal:
    """Take a hint at most once, and only one that a proof can follow."""
    try:
        text = body.decode("ascii")
        if not text.endswith("\n"):
            raise MalformedError("a size ends in a line feed")
        size = parse_decimal(text[:-1], "size")
    except (UnicodeDecodeError, MalformedError):  # older witnesses say so of two roots
        return Refusal(409, _reason(body) or "a conflict, and no size given")
    if size > asked.size:
        return Refusal(409, f"it has cosigned {size} entries of this log, of which we know less")
    if asked.was_hinted or size == asked.old:
        return Refusal(409, f"it contradicts itself: {size} entries")
    return SizeHint(size)


def _reason(body: bytes) -> str:
    """Return the first line of `body` as it may be shown: bounded, printable."""
    line = body[: 4 * MAX_REASON_CHARACTERS].decode("utf-8", "replace").partition("\n")[0]
    return "".join(c if c.isprintable() else "?" for c in line)[:MAX_REASON_CHARACTERS].strip()
