"""The witness protocol: each row of its table, their order, and what a client believes."""

import base64
from dataclasses import replace
from random import Random

import pytest

from fakes.tree import MemoryTree, literal_root
from ledger.vectors import ENTRIES, LOG, LOG_KEY, MIRROR, MIRROR_KEY, SIGNED, TIMESTAMP, VECTORS
from telcon.errors import MalformedError, MisuseError, SignatureError
from telcon.ledger import (
    EMPTY_ROOT,
    Checkpoint,
    SigningKey,
    VerifierKey,
    consistency_proof,
    cosign,
    leaf_hash,
    open_checkpoint,
    open_cosignature,
    sign_note,
)
from telcon.ledger.note import ED25519
from telcon.ledger.witness import (
    MAX_ANSWER_OCTETS,
    MAX_SUBMISSION_OCTETS,
    SIZE_TYPE,
    Accepted,
    Asked,
    Cosignatures,
    Refusal,
    Refused,
    SizeHint,
    Witnessed,
    cosigned_answer,
    decide,
    format_submission,
    read_answer_untrusted,
)

ORIGIN = LOG_KEY.name
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
ONE = Witnessed((LOG_KEY,), 1, LEAVES[0])
THREE = Witnessed((LOG_KEY,), 3, literal_root(LEAVES))
NEVER = Witnessed((LOG_KEY,))
FIRST: bytes = VECTORS["add_checkpoint_0_to_1"].encode()
GROWN: bytes = VECTORS["add_checkpoint_1_to_3"].encode()
TEXT = SIGNED[3].partition(b"\n\n")[0] + b"\n"
OTHER_ROOT = bytes(31) + b"\1"


def ask(body: bytes, known: Witnessed | None) -> Accepted | Refused:
    return decide(body, lambda origin: known if origin == ORIGIN else None)


def refused(body: bytes, known: Witnessed | None) -> Refused:
    decision = ask(body, known)
    assert isinstance(decision, Refused)
    return decision


def status(body: bytes, known: Witnessed | None = ONE) -> int:
    return refused(body, known).answer.status


def signed(size: int, root: bytes, origin: str = ORIGIN, key: SigningKey = LOG) -> bytes:
    """Return a checkpoint that the ledger itself would not sign, too."""
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()
    return sign_note(text, origin, key)


def body(old: int | str, proof: list[bytes], note: bytes) -> bytes:
    """Return a request, spelt apart from the code under test."""
    hashes = [base64.b64encode(value) for value in proof]
    return b"\n".join([f"old {old}".encode(), *hashes, b"", note])


PROOF = consistency_proof(1, 3, MemoryTree(ENTRIES).read)

# -- 200


def test_the_worked_requests_are_accepted() -> None:
    first, grown = ask(FIRST, NEVER), ask(GROWN, ONE)
    assert isinstance(first, Accepted)
    assert isinstance(grown, Accepted)
    assert first.was == (0, EMPTY_ROOT)
    assert grown.was == (1, LEAVES[0])
    assert grown.checkpoint == Checkpoint(ORIGIN, 3, THREE.root)
    assert grown.note == SIGNED[3]


def test_the_worked_requests_are_written_so() -> None:
    assert format_submission(0, (), SIGNED[1]) == FIRST
    assert format_submission(1, PROOF, SIGNED[3]) == GROWN


def test_the_answer_is_the_worked_cosignature() -> None:
    accepted = ask(GROWN, ONE)
    assert isinstance(accepted, Accepted)
    answer = cosigned_answer(accepted, MIRROR_KEY.name, MIRROR, TIMESTAMP)
    assert answer.status == 200
    assert SIGNED[3] + answer.body == VECTORS["checkpoints"]["cosigned_size_3"].encode()


def test_the_same_again_is_accepted_for_a_fresh_time() -> None:
    again = ask(body(3, [], SIGNED[3]), THREE)
    assert isinstance(again, Accepted)
    answer = cosigned_answer(again, MIRROR_KEY.name, MIRROR, TIMESTAMP + 60)
    assert open_cosignature(TEXT, answer.body, MIRROR_KEY) == TIMESTAMP + 60


def test_the_empty_tree_is_accepted_from_nothing() -> None:
    assert isinstance(ask(body(0, [], SIGNED[0]), NEVER), Accepted)


def test_lines_that_nobody_verified_are_not_kept() -> None:
    accepted = ask(body(1, PROOF, SIGNED[3] + cosign(TEXT, "a.example/w", MIRROR, 1)), ONE)
    assert isinstance(accepted, Accepted)
    assert accepted.note == SIGNED[3]
    assert open_checkpoint(accepted.note, LOG_KEY).size == 3


@pytest.mark.parametrize("seed", range(3))
def test_every_growth_of_a_log_is_accepted_with_its_proof_and_refused_with_another(
    seed: int,
) -> None:
    random = Random(seed)
    tree = MemoryTree(bytes([n]) for n in range(70))
    leaves = [leaf_hash(bytes([n])) for n in range(70)]
    for _ in range(60):
        old, new = sorted(random.sample(range(1, 71), 2))
        known = Witnessed((LOG_KEY,), old, literal_root(leaves[:old]))
        note = signed(new, literal_root(leaves[:new]))
        proof = consistency_proof(old, new, tree.read)
        assert isinstance(ask(body(old, proof, note), known), Accepted)
        bent = [*proof]
        bent[random.randrange(len(bent))] = OTHER_ROOT
        assert status(body(old, bent, note), known) == 422
        assert status(body(old, proof[:-1], note), known) == 422
        assert status(body(old, [*proof, OTHER_ROOT], note), known) == 422


# -- the rows that refuse


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"\n\n",
        GROWN[1:],
        GROWN[:-1],
        GROWN.replace(b"old 1", b"old 01"),
        GROWN.replace(b"old 1", b"old +1"),
        GROWN.replace(b"old 1", b"old  1"),
        GROWN.replace(b"old 1", b"old -1"),
        GROWN.replace(b"old 1", b"old 9223372036854775808"),
        GROWN.replace(b"old 1\n", b""),
        GROWN.replace(b"\n", b"\r\n"),
        GROWN.replace(b"old 1\n", b"old 1\nAAAA\n"),
        GROWN.replace(b"old 1\n", b"old 1\n\xff\n"),
        GROWN.replace(b"\n3\n", b"\n03\n"),
        GROWN.replace(TEXT, TEXT + b"an extension\n"),
        GROWN.replace("\N{EM DASH}".encode(), b"-"),
    ],
)
def test_what_is_malformed_is_400(bad: bytes) -> None:
    answer = refused(bad, ONE).answer
    assert answer.status == 400
    assert answer.body.endswith(b"\n")


def test_63_hashes_are_read_and_64_are_not() -> None:
    assert status(body(1, [OTHER_ROOT] * 63, SIGNED[3])) == 422
    assert status(body(1, [OTHER_ROOT] * 64, SIGNED[3])) == 400


def test_64_kib_are_read_and_an_octet_more_is_not() -> None:
    room = MAX_SUBMISSION_OCTETS - len(GROWN) - len("\N{EM DASH} a \n".encode())
    blob = base64.b64encode(bytes(room // 4 * 3 - 3)).decode()
    for more, expected in ((0, Accepted), (1, Refused)):
        name = "a" * (1 + room - len(blob) + more)
        padded = GROWN + f"\N{EM DASH} {name} {blob}\n".encode()
        assert len(padded) == MAX_SUBMISSION_OCTETS + more
        assert isinstance(ask(padded, ONE), expected)


def test_an_unknown_log_is_404_before_its_signature_is_looked_at() -> None:
    stranger = SigningKey(bytes(range(1, 33)))
    assert status(body(0, [], signed(1, LEAVES[0], "corelia.example/x", stranger))) == 404
    assert status(FIRST, None) == 404


def test_no_signature_of_the_log_or_a_wrong_one_is_403() -> None:
    stranger = SigningKey(bytes(range(1, 33)))
    assert status(body(1, PROOF, signed(3, THREE.root, key=stranger))) == 403
    swapped = SIGNED[1].partition(b"\n\n")[2]
    assert status(body(1, PROOF, TEXT + b"\n" + swapped)) == 403
    only_others = TEXT + b"\n" + cosign(TEXT, MIRROR_KEY.name, MIRROR, TIMESTAMP)
    assert status(body(1, PROOF, only_others)) == 403


def test_an_old_size_above_the_checkpoint_is_400_before_the_conflict() -> None:
    assert status(body(2, [], SIGNED[1]), THREE) == 400
    assert status(body(4, [], SIGNED[3]), THREE) == 400


@pytest.mark.parametrize(("old", "known"), [(0, ONE), (2, ONE), (1, NEVER), (1, THREE)])
def test_another_old_size_is_409_with_the_size(old: int, known: Witnessed) -> None:
    decision = refused(body(old, [], SIGNED[3]), known)
    assert decision.answer.status == 409
    assert decision.answer.body == b"%d\n" % known.size
    assert decision.answer.content_type == SIZE_TYPE == "text/x.tlog.size"
    assert not decision.proves


def test_a_wrong_proof_comes_after_the_conflict() -> None:
    assert status(body(0, [OTHER_ROOT], SIGNED[3]), ONE) == 409


@pytest.mark.parametrize(
    ("bad", "known"),
    [
        (body(0, [], signed(0, OTHER_ROOT)), NEVER),
        (body(0, [OTHER_ROOT], SIGNED[3]), NEVER),
        (body(1, [], SIGNED[3]), ONE),
        (body(1, PROOF[::-1], SIGNED[3]), ONE),
        (body(1, PROOF, signed(3, OTHER_ROOT)), ONE),
        (body(3, [], signed(3, OTHER_ROOT)), THREE),
        (body(3, [OTHER_ROOT], SIGNED[3]), THREE),
    ],
)
def test_what_does_not_grow_from_what_was_cosigned_is_422(bad: bytes, known: Witnessed) -> None:
    decision = refused(bad, known)
    assert decision.answer.status == 422
    assert decision.proves
    assert decision.origin == ORIGIN


@pytest.mark.parametrize(("old", "expected"), [(0, 409), (2, 409), (4, 400), (3, 422)])
def test_two_roots_for_one_size_are_kept_whatever_else_is_wrong(old: int, expected: int) -> None:
    decision = refused(body(old, [], signed(3, OTHER_ROOT)), THREE)
    assert decision.answer.status == expected
    assert decision.proves


def test_what_is_not_signed_proves_nothing() -> None:
    stranger = SigningKey(bytes(range(1, 33)))
    assert not refused(body(3, [], signed(3, OTHER_ROOT, key=stranger)), THREE).proves


def test_a_log_may_have_two_keys() -> None:
    other = SigningKey(bytes(range(1, 33)))
    known = replace(ONE, keys=(VerifierKey(ORIGIN, ED25519, other.public), LOG_KEY))
    assert isinstance(ask(GROWN, known), Accepted)


# -- who asks

KEYS = [MIRROR_KEY]
LINE = cosign(TEXT, MIRROR_KEY.name, MIRROR, TIMESTAMP)
ASKED = Asked(TEXT, 1, 3)


def test_a_cosignature_is_taken_and_others_dropped() -> None:
    stranger = cosign(TEXT, "corelia.example/witness", SigningKey(bytes(32)), 5)
    answer = read_answer_untrusted(200, stranger + LINE + stranger, ASKED, KEYS)
    assert answer == Cosignatures(((MIRROR_KEY, LINE, TIMESTAMP),))


@pytest.mark.parametrize(
    "bad",
    [
        cosign(TEXT, "corelia.example/witness", SigningKey(bytes(32)), 5),
        cosign(SIGNED[1].partition(b"\n\n")[0] + b"\n", MIRROR_KEY.name, MIRROR, TIMESTAMP),
        cosign(TEXT, MIRROR_KEY.name, MIRROR, 0),
    ],
)
def test_an_answer_without_a_good_line_is_a_wrong_signature(bad: bytes) -> None:
    with pytest.raises(SignatureError):
        read_answer_untrusted(200, bad, ASKED, KEYS)


@pytest.mark.parametrize("bad", [b"", b"thanks\n", LINE[:-1], LINE * 700, b"\xff\n"])
def test_an_answer_that_is_no_line_is_malformed(bad: bytes) -> None:
    with pytest.raises(MalformedError):
        read_answer_untrusted(200, bad, ASKED, KEYS)
    assert len(LINE * 700) > MAX_ANSWER_OCTETS


def test_a_conflict_with_a_size_is_a_hint() -> None:
    assert read_answer_untrusted(409, b"2\n", ASKED, KEYS) == SizeHint(2)
    assert read_answer_untrusted(409, b"0\n", ASKED, KEYS) == SizeHint(0)
    assert read_answer_untrusted(409, b"3\n", ASKED, KEYS) == SizeHint(3)


@pytest.mark.parametrize(
    "said", [b"", b"2", b"02\n", b"+2\n", b"2\n\n", b"two\n", b"\xb2\n", b"4\n", b"1\n"]
)
def test_a_conflict_without_a_size_that_helps_is_a_refusal(said: bytes) -> None:
    answer = read_answer_untrusted(409, said, ASKED, KEYS)
    assert isinstance(answer, Refusal)
    assert answer.reason


def test_a_second_hint_is_a_refusal() -> None:
    again = replace(ASKED, was_hinted=True)
    assert isinstance(read_answer_untrusted(409, b"2\n", again, KEYS), Refusal)


def test_what_a_witness_says_is_bounded_and_printable() -> None:
    said = ("\x1b[2J" + "x" * 3000 + "\nmore").encode()
    answer = read_answer_untrusted(422, said, ASKED, KEYS)
    assert isinstance(answer, Refusal)
    assert answer.reason == "?[2J" + "x" * 196
    assert read_answer_untrusted(500, b"", ASKED, KEYS) == Refusal(500, "no reason given")


@pytest.mark.parametrize(
    ("old", "proof", "note"),
    [(-1, [], SIGNED[1]), (0, [b"short"], SIGNED[1]), (0, [], TEXT), (0, [bytes(32)] * 64, TEXT)],
)
def test_a_request_that_nobody_could_read_is_misuse(
    old: int, proof: list[bytes], note: bytes
) -> None:
    with pytest.raises(MisuseError):
        format_submission(old, proof, note)


def test_both_sides_together_go_from_nothing_to_the_whole_log() -> None:
    """As a client does it: ask from 0, take the hint, ask again."""
    known = ONE
    conflict = refused(format_submission(0, (), SIGNED[3]), known).answer
    hint = read_answer_untrusted(conflict.status, conflict.body, Asked(TEXT, 0, 3), KEYS)
    assert isinstance(hint, SizeHint)
    proof = consistency_proof(hint.size, 3, MemoryTree(ENTRIES).read)
    accepted = ask(format_submission(hint.size, proof, SIGNED[3]), known)
    assert isinstance(accepted, Accepted)
    answer = cosigned_answer(accepted, MIRROR_KEY.name, MIRROR, TIMESTAMP)
    asked = Asked(TEXT, hint.size, 3, was_hinted=True)
    cosigned = read_answer_untrusted(answer.status, answer.body, asked, KEYS)
    assert cosigned == Cosignatures(((MIRROR_KEY, LINE, TIMESTAMP),))


def test_a_cosignature_under_no_key_name_is_misuse() -> None:
    accepted = ask(FIRST, NEVER)
    assert isinstance(accepted, Accepted)
    with pytest.raises(MisuseError):
        cosigned_answer(accepted, "no name", MIRROR, 1)
