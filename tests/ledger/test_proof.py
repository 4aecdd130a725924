"""Receipts: the worked one, the grammar's edges, and everything they must not prove."""

import base64

import pytest

from fakes.tree import MemoryTree
from ledger.vectors import (
    COSIGNED,
    ENTRIES,
    LOG,
    LOG_KEY,
    MIRROR,
    MIRROR_KEY,
    SIGNED,
    TIMESTAMP,
    VECTORS,
)
from telcon.errors import (
    MalformedError,
    MisuseError,
    PeerError,
    PolicyError,
    ProofError,
    SignatureError,
)
from telcon.ledger import (
    Checkpoint,
    ProvenEntry,
    TlogProof,
    VerifierKey,
    add_signature_lines,
    cosign,
    format_checkpoint,
    format_tlog_proof,
    inclusion_proof,
    mirror_policy,
    parse_policy,
    parse_tlog_proof,
    sign_checkpoint,
    verify_tlog_proof,
)

WORKED = VECTORS["tlog_proof_entry_1"].encode()
POLICY = parse_policy(VECTORS["policy"].encode())
TREE = MemoryTree(ENTRIES)


def receipt(index: int, note: bytes = COSIGNED) -> TlogProof:
    return TlogProof(index, tuple(inclusion_proof(index, 3, TREE.read)), note)


def cosigned(checkpoint: Checkpoint) -> bytes:
    line = cosign(format_checkpoint(checkpoint), MIRROR_KEY.name, MIRROR, TIMESTAMP)
    return add_signature_lines(sign_checkpoint(checkpoint, LOG), [line])


def test_the_worked_receipt_is_made_and_proven() -> None:
    assert format_tlog_proof(receipt(1)) == WORKED
    proven = verify_tlog_proof(parse_tlog_proof(WORKED), b"answer", POLICY)
    assert proven == ProvenEntry(
        LOG_KEY.name, 1, 3, TREE.frontier.root(), ((MIRROR_KEY.name, TIMESTAMP),), (4,), (1,)
    )


@pytest.mark.parametrize("index", [0, 1, 2])
def test_every_entry_has_its_receipt(index: int) -> None:
    data = format_tlog_proof(receipt(index))
    assert verify_tlog_proof(parse_tlog_proof(data), ENTRIES[index], POLICY).index == index


def test_a_log_of_one_entry_has_a_receipt_without_hashes() -> None:
    note = cosigned(Checkpoint(LOG_KEY.name, 1, TREE.read(0, 0)))
    data = format_tlog_proof(TlogProof(0, (), note))
    assert verify_tlog_proof(parse_tlog_proof(data), b"ring", POLICY).size == 1


def test_extra_data_round_trips_and_proves_nothing() -> None:
    proof = TlogProof(1, receipt(1).hashes, COSIGNED, b"anything")
    data = format_tlog_proof(proof)
    assert data.splitlines()[1] == b"extra " + base64.b64encode(b"anything")
    assert parse_tlog_proof(data) == proof
    assert verify_tlog_proof(proof, b"answer", POLICY).index == 1


HASH = WORKED.splitlines()[2] + b"\n"
BAD_RECEIPTS = {
    "another version": WORKED.replace(b"@v1", b"@v2"),
    "no heading": WORKED.partition(b"\n")[2],
    "no index": WORKED.replace(b"index 1\n", b""),
    "index +1": WORKED.replace(b"index 1", b"index +1"),
    "index 01": WORKED.replace(b"index 1", b"index 01"),
    "index and two spaces": WORKED.replace(b"index 1", b"index  1"),
    "index of 2^63": WORKED.replace(b"index 1", b"index %d" % 2**63),
    "empty index": WORKED.replace(b"index 1", b"index "),
    "extra after the index": WORKED.replace(b"index 1\n", b"index 1\nextra eA==\n"),
    "two extras": WORKED.replace(b"index 1\n", b"extra eA==\nextra eA==\nindex 1\n"),
    "empty extra": WORKED.replace(b"index 1\n", b"extra \nindex 1\n"),
    "extra with stray bits": WORKED.replace(b"index 1\n", b"extra eB==\nindex 1\n"),
    "short hash": WORKED.replace(HASH, b"eA==\n"),
    "hash with stray bits": WORKED.replace(b"0IE=", b"0IF="),
    "url-safe hash": WORKED.replace(b"+8J8k", b"-8J8k").replace(b"/8J8k", b"_8J8k"),
    "64 hashes": WORKED.replace(HASH, HASH * 63),
    "no empty line": WORKED.replace(b"\n\narcadia", b"\narcadia"),
    "two empty lines": WORKED.replace(b"\n\narcadia", b"\n\n\narcadia").replace(
        b"\n\n\xe2", b"\n\xe2"
    ),
    "carriage returns": WORKED.replace(b"\n", b"\r\n"),
    "no checkpoint": WORKED.partition(b"\n\n")[0] + b"\n\n",
    "cut": WORKED[:-1],
    "longer": WORKED + b"\n",
    "not ASCII": WORKED.replace(b"index", b"\xffndex"),
    "nothing": b"",
}


@pytest.mark.parametrize("data", BAD_RECEIPTS.values(), ids=BAD_RECEIPTS.keys())
def test_refuses_a_bent_receipt(data: bytes) -> None:
    with pytest.raises(PeerError):
        verify_tlog_proof(parse_tlog_proof(data), b"answer", POLICY)


@pytest.mark.parametrize(("octets", "fits"), [(65_536, True), (65_537, False)])
def test_extra_data_has_at_most_64_kibioctets(octets: int, fits: bool) -> None:
    proof = TlogProof(1, receipt(1).hashes, COSIGNED, bytes(octets))
    if fits:
        assert parse_tlog_proof(format_tlog_proof(proof)) == proof
    else:
        with pytest.raises(MisuseError):
            format_tlog_proof(proof)


def test_a_receipt_may_have_63_hashes() -> None:
    proof = TlogProof(0, (bytes(32),) * 63, COSIGNED)
    assert parse_tlog_proof(format_tlog_proof(proof)) == proof


def test_a_receipt_above_one_mebioctet_is_refused_unread() -> None:
    with pytest.raises(MalformedError, match="at most"):
        parse_tlog_proof(WORKED + bytes(2**20))


@pytest.mark.parametrize(
    "proof",
    [
        TlogProof(-1, (), COSIGNED),
        TlogProof(2**63, (), COSIGNED),
        TlogProof(0, (b"short",), COSIGNED),
        TlogProof(0, (), b"no note"),
    ],
)
def test_writing_what_is_no_receipt_is_misuse(proof: TlogProof) -> None:
    with pytest.raises(MisuseError):
        format_tlog_proof(proof)


@pytest.mark.parametrize("entry", [b"", b"ring", b"answer ", b"\x00answer"])
def test_a_receipt_proves_its_own_entry_only(entry: bytes) -> None:
    with pytest.raises(ProofError):
        verify_tlog_proof(receipt(1), entry, POLICY)


def test_an_inner_node_is_not_taken_for_an_entry() -> None:
    inner = TREE.read(0, 0) + TREE.read(0, 1)
    shorter = TlogProof(0, (TREE.read(0, 2),), COSIGNED)
    with pytest.raises(ProofError):
        verify_tlog_proof(shorter, inner, POLICY)


def test_hashes_missing_added_or_reversed_prove_nothing() -> None:
    good = receipt(1).hashes
    for hashes in (good[:-1], good[1:], (*good, good[0]), good[::-1], ()):
        with pytest.raises(ProofError):
            verify_tlog_proof(TlogProof(1, hashes, COSIGNED), b"answer", POLICY)


@pytest.mark.parametrize("index", [0, 2, 3, 4])
def test_another_index_proves_nothing(index: int) -> None:
    with pytest.raises(ProofError):
        verify_tlog_proof(TlogProof(index, receipt(1).hashes, COSIGNED), b"answer", POLICY)


def test_a_checkpoint_without_the_mirror_proves_nothing() -> None:
    with pytest.raises(PolicyError):
        verify_tlog_proof(receipt(1, SIGNED[3]), b"answer", POLICY)


def test_a_checkpoint_of_another_origin_with_the_right_root_proves_nothing() -> None:
    note = cosigned(Checkpoint("arcadia.example/line/5c2e", 3, TREE.frontier.root()))
    with pytest.raises(SignatureError):
        verify_tlog_proof(receipt(1, note), b"answer", POLICY)


def test_an_excerpt_of_one_log_proves_nothing_under_the_others_policy() -> None:
    borealis = VerifierKey("borealis.example/line/4b1d", 0x01, MIRROR.public)
    arcadia = VerifierKey("arcadia.example/mirror/4b1d", 0x04, LOG.public)
    with pytest.raises(SignatureError):
        verify_tlog_proof(receipt(1), b"answer", mirror_policy(borealis, arcadia))


def test_every_flipped_bit_of_a_receipt_is_refused() -> None:
    refused = 0
    for bit in range(len(WORKED) * 8):
        flipped = bytearray(WORKED)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(PeerError):
            verify_tlog_proof(parse_tlog_proof(bytes(flipped)), b"answer", POLICY)
        refused += 1
    assert refused == len(WORKED) * 8
