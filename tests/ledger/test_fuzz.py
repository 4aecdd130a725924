"""Whatever bytes come in, a parser answers with what it read or with one of the peer's errors."""

from collections.abc import Callable
from random import Random

import pytest

from ledger.test_keycard import DATA as CARD
from ledger.vectors import COSIGNED, ENTRIES, LOG_KEY, MIRROR_KEY, SIGNED, VECTORS
from telcon.errors import PeerError
from telcon.ledger import (
    format_bundle,
    format_checkpoint,
    format_key_card,
    format_policy,
    format_tlog_proof,
    format_vkey,
    mirror_policy,
    open_checkpoint,
    open_cosignature,
    parse_bundle_untrusted,
    parse_checkpoint_untrusted,
    parse_key_card,
    parse_note_untrusted,
    parse_policy,
    parse_tlog_proof,
    parse_vkey,
    verify_tlog_proof,
)

TEXT = SIGNED[3].partition(b"\n\n")[0] + b"\n"
PROOF = VECTORS["tlog_proof_entry_1"].encode()
POLICY = mirror_policy(LOG_KEY, MIRROR_KEY)


def again(data: bytes, written: bytes) -> None:
    """Hold a reader to one spelling: what it accepts is what it would write."""
    assert written == data


READERS: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
    "vkey": (
        format_vkey(LOG_KEY).encode(),
        lambda data: again(data, format_vkey(parse_vkey(data.decode("latin-1"))).encode("latin-1")),
    ),
    "note": (COSIGNED, parse_note_untrusted),
    "checkpoint": (
        TEXT,
        lambda data: again(data, format_checkpoint(parse_checkpoint_untrusted(data))),
    ),
    "signed checkpoint": (COSIGNED, lambda data: open_checkpoint(data, LOG_KEY)),
    "cosignature": (
        COSIGNED[len(SIGNED[3]) :],
        lambda data: open_cosignature(TEXT, data, MIRROR_KEY),
    ),
    "key card": (CARD, lambda data: again(data, format_key_card(parse_key_card(data)))),
    "policy": (VECTORS["policy"].encode(), lambda data: format_policy(parse_policy(data))),
    "receipt": (PROOF, lambda data: again(data, format_tlog_proof(parse_tlog_proof(data)))),
    "proof": (PROOF, lambda data: verify_tlog_proof(parse_tlog_proof(data), b"answer", POLICY)),
    "bundle": (
        format_bundle(ENTRIES),
        lambda data: again(data, format_bundle(parse_bundle_untrusted(data, 3))),
    ),
}
PIECES = [
    b"",
    b"\n",
    b"\n\n",
    b" ",
    b"+",
    b"=",
    b"\x00",
    b"\xff",
    b"0",
    "—".encode(),
    b"\r",
    b"A" * 99,
]


def bent(good: bytes, random: Random) -> bytes:
    """Return `good` with up to three pieces cut out, doubled, or put in."""
    data = good
    for _ in range(random.randint(1, 3)):
        start = random.randint(0, len(data))
        end = min(len(data), start + random.choice([0, 1, 1, 2, 8, 40]))
        piece = random.choice([*PIECES, data[start:end] * 2, random.randbytes(3)])
        data = data[:start] + piece + data[end:]
    return data


@pytest.mark.parametrize(("good", "read"), READERS.values(), ids=READERS.keys())
def test_bent_bytes_raise_the_peers_errors_alone(
    good: bytes, read: Callable[[bytes], object]
) -> None:
    read(good)
    refused = 0
    for seed in range(2_000):
        try:
            read(bent(good, Random(seed)))
        except PeerError:
            refused += 1
    assert refused > 1_000
