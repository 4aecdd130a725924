"""Timestamped cosignatures: the worked one, what is signed, and what is refused."""

import pytest

from ledger.vectors import COSIGNED, LOG, LOG_KEY, MIRROR, MIRROR_KEY, SIGNED, TIMESTAMP, VECTORS
from telcon.errors import MalformedError, MisuseError, SignatureError
from telcon.ledger import (
    NoteSignature,
    VerifierKey,
    cosign,
    cosignature_time,
    format_signature_line,
    open_cosignature,
)
from telcon.ledger.note import cosigned_message

TEXT = SIGNED[3].partition(b"\n\n")[0] + b"\n"
LINE = COSIGNED[len(SIGNED[3]) :]


def test_cosigning_gives_the_worked_line() -> None:
    assert cosign(TEXT, MIRROR_KEY.name, MIRROR, TIMESTAMP) == LINE
    assert open_cosignature(TEXT, LINE, MIRROR_KEY) == TIMESTAMP


def test_the_signed_message_is_the_worked_one() -> None:
    expected = VECTORS["checkpoints"]["cosignature_v1_message_size_3"].encode()
    assert cosigned_message(TEXT, TIMESTAMP) == expected


@pytest.mark.parametrize("timestamp", [0, 1, 2**63 - 1])
def test_times_in_range_round_trip(timestamp: int) -> None:
    line = cosign(TEXT, MIRROR_KEY.name, MIRROR, timestamp)
    assert open_cosignature(TEXT, line, MIRROR_KEY) == timestamp


@pytest.mark.parametrize("timestamp", [-1, 2**63])
def test_times_out_of_range_are_misuse(timestamp: int) -> None:
    with pytest.raises(MisuseError):
        cosign(TEXT, MIRROR_KEY.name, MIRROR, timestamp)


def line_with(timestamp: bytes, signature: bytes) -> bytes:
    blob = timestamp + signature
    return format_signature_line(NoteSignature(MIRROR_KEY.name, MIRROR_KEY.key_id, blob))


def test_a_time_above_the_range_verifies_nothing_even_when_signed() -> None:
    signature = MIRROR.sign(cosigned_message(TEXT, 2**63))
    with pytest.raises(SignatureError):
        open_cosignature(TEXT, line_with((2**63).to_bytes(8, "big"), signature), MIRROR_KEY)


def test_a_changed_time_is_refused() -> None:
    signature = MIRROR.sign(cosigned_message(TEXT, TIMESTAMP))
    with pytest.raises(SignatureError):
        open_cosignature(TEXT, line_with((TIMESTAMP + 1).to_bytes(8, "big"), signature), MIRROR_KEY)


def test_a_plain_signature_is_no_cosignature() -> None:
    with pytest.raises(SignatureError):
        open_cosignature(TEXT, line_with(b"", MIRROR.sign(TEXT)), MIRROR_KEY)


def test_a_cosignature_of_another_checkpoint_is_refused() -> None:
    other = SIGNED[1].partition(b"\n\n")[0] + b"\n"
    with pytest.raises(SignatureError):
        open_cosignature(other, LINE, MIRROR_KEY)


def test_the_authors_key_is_not_taken_for_the_mirror() -> None:
    with pytest.raises(SignatureError):
        open_cosignature(TEXT, cosign(TEXT, LOG_KEY.name, LOG, TIMESTAMP), MIRROR_KEY)
    forged = cosign(TEXT, MIRROR_KEY.name, LOG, TIMESTAMP)
    with pytest.raises(SignatureError):
        open_cosignature(TEXT, forged, MIRROR_KEY)


def test_a_log_line_is_opened_by_no_cosigner() -> None:
    line = SIGNED[3].rpartition(b"\n\n")[2]
    with pytest.raises(SignatureError, match="cosigns nothing"):
        open_cosignature(TEXT, line, LOG_KEY)


@pytest.mark.parametrize("line", [b"", LINE * 2, LINE[:-1], b"\n" + LINE, LINE + b"x"])
def test_anything_but_one_line_is_refused(line: bytes) -> None:
    with pytest.raises(MalformedError):
        open_cosignature(TEXT, line, MIRROR_KEY)


@pytest.mark.parametrize("text", [b"", b"a\n", TEXT[:-1], TEXT + b"extension\n"])
def test_only_checkpoints_are_cosigned(text: bytes) -> None:
    with pytest.raises(MisuseError):
        cosign(text, MIRROR_KEY.name, MIRROR, TIMESTAMP)
    with pytest.raises(MisuseError):
        cosign(TEXT, "a b", MIRROR, TIMESTAMP)


def test_only_a_cosigners_signature_bears_a_time() -> None:
    signature = NoteSignature(LOG_KEY.name, LOG_KEY.key_id, bytes(72))
    with pytest.raises(SignatureError):
        cosignature_time(LOG_KEY, signature)
    assert cosignature_time(VerifierKey("a", 0x04, LOG.public), signature) == 0
