"""Policies: the format, telcon's stricter rules, and which checkpoints pass."""

import pytest

from ledger.vectors import COSIGNED, LOG, LOG_KEY, MIRROR, MIRROR_KEY, SIGNED, TIMESTAMP, VECTORS
from telcon.errors import MalformedError, PolicyError, SignatureError
from telcon.ledger import (
    COSIGNATURE_ED25519,
    ED25519,
    Group,
    Policy,
    SigningKey,
    VerifierKey,
    Witness,
    add_signature_lines,
    cosign,
    format_policy,
    format_vkey,
    mirror_policy,
    parse_policy,
    verify_checkpoint,
)

WORKED = VECTORS["policy"].encode()
TEXT = SIGNED[3].partition(b"\n\n")[0] + b"\n"
KEYS = [SigningKey(bytes([n]) * 32) for n in range(40)]
WITNESSES = tuple(
    Witness(f"w{n}", VerifierKey(f"w{n}.example", COSIGNATURE_ED25519, key.public))
    for n, key in enumerate(KEYS)
)
LINES = "".join(f"witness {w.name} {format_vkey(w.key)}\n" for w in WITNESSES[:4])
LOG_LINE = f"log {format_vkey(LOG_KEY)}\n"


def policy_of(rest: str) -> Policy:
    return parse_policy((LOG_LINE + LINES + rest).encode())


def cosigned_by(*numbers: int) -> bytes:
    lines = [cosign(TEXT, WITNESSES[n].key.name, KEYS[n], TIMESTAMP) for n in numbers]
    return add_signature_lines(SIGNED[3], lines)


def passes(policy: Policy, *numbers: int) -> bool:
    try:
        verify_checkpoint(cosigned_by(*numbers), policy)
    except PolicyError:
        return False
    return True


def test_the_worked_policy_reads_and_round_trips() -> None:
    policy = parse_policy(WORKED)
    assert (policy.log, policy.quorum) == (LOG_KEY, "borealis")
    assert format_policy(policy) == WORKED


def test_the_worked_policy_accepts_the_worked_checkpoint() -> None:
    accepted = verify_checkpoint(COSIGNED, parse_policy(WORKED))
    assert accepted.checkpoint.size == 3
    assert accepted.cosigned == ((MIRROR_KEY, TIMESTAMP),)


def test_comments_tabs_empty_lines_and_addresses_are_read() -> None:
    log, witness, _ = WORKED.decode().splitlines()
    text = f"# why\n\n \t#\n\t{log} https://a \n{witness}\thttps://b\n\tquorum  borealis\t\n"
    policy = parse_policy(text.encode())
    assert (policy.log_url, policy.witnesses[0].url) == ("https://a", "https://b")
    assert parse_policy(format_policy(policy)) == policy


def test_names_are_opaque_octets() -> None:
    policy = parse_policy(
        WORKED.replace(b"borealis ", b"\xff ").replace(b"rum borealis", b"rum \xff")
    )
    assert parse_policy(format_policy(policy)) == policy
    assert verify_checkpoint(COSIGNED, policy)


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "quorum w0\nquorum w0\n",
        "quorum\n",
        "quorum w0 w1\n",
        "quorum w9\n",
        "quorum g\ngroup g any w0 w1\n",
        "group g any\nquorum g\n",
        "group g any w9\nquorum g\n",
        "group g any none\nquorum g\n",
        "group g some w0\nquorum g\n",
        "group g 01 w0 w1\nquorum g\n",
        "group g -1 w0 w1\nquorum g\n",
        "witness w9\nquorum w0\n",
        "witness w9 nonsense\nquorum w0\n",
        "log\nquorum w0\n",
        "Quorum w0\n",
        "quorum w0",
        "quorum w0\r\n",
        "quorum w0\n\x00\n",
        "quorum w0\n# \x7f\n",
        "quorum w0\n#" + " " * 65_536 + "\n",
    ],
)
def test_refuses_what_is_not_the_format(rest: str) -> None:
    with pytest.raises(MalformedError):
        policy_of(rest)


@pytest.mark.parametrize(
    "rest",
    [
        LOG_LINE + "quorum w0\n",
        f"log {format_vkey(VerifierKey('b.example', ED25519, KEYS[9].public))}\nquorum w0\n",
        LINES.splitlines()[0] + "\nquorum w0\n",
        f"witness w0 {format_vkey(WITNESSES[9].key)}\nquorum w0\n",
        f"witness none {format_vkey(WITNESSES[9].key)}\nquorum none\n",
        f"witness again {format_vkey(VerifierKey('x', 4, KEYS[0].public))}\nquorum w0\n",
        f"witness author {format_vkey(VerifierKey('x', 4, LOG.public))}\nquorum w0\n",
        f"witness log {format_vkey(VerifierKey('x', 1, MIRROR.public))}\nquorum w0\n",
        "group w0 any w1\nquorum w0\n",
        "group none any w1\nquorum none\n",
        "group g any w0\ngroup g any w1\nquorum g\n",
        "group g 0 w0 w1\nquorum g\n",
        "group g 3 w0 w1\nquorum g\n",
        "group g 2 w0 w0\nquorum g\n",
        "group g any w0\ngroup h any w0\nquorum h\n",
    ],
)
def test_refuses_policies_that_mean_something_else(rest: str) -> None:
    with pytest.raises(PolicyError):
        policy_of(rest)


def test_a_policy_names_exactly_one_log() -> None:
    with pytest.raises(PolicyError, match="exactly one log, not 0"):
        parse_policy((LINES + "quorum w0\n").encode())
    with pytest.raises(PolicyError, match="exactly one log, not 2"):
        policy_of(f"log {format_vkey(VerifierKey('b', 1, KEYS[9].public))}\nquorum w0\n")


@pytest.mark.parametrize(
    "name",
    ["arcadia.example/mirror", "arcadia.example", "ARCADIA.example/x", "arcadia.example/line/4b1d"],
)
def test_a_cosigner_of_the_logs_own_organisation_is_refused(name: str) -> None:
    own = VerifierKey(name, COSIGNATURE_ED25519, MIRROR.public)
    with pytest.raises(PolicyError, match="whose log it cosigns"):
        mirror_policy(LOG_KEY, own)
    with pytest.raises(PolicyError, match="whose log it cosigns"):
        policy_of(f"witness own {format_vkey(own)}\nquorum w0\n")


def test_a_quorum_that_nobody_defined_is_refused() -> None:
    with pytest.raises(PolicyError, match="not defined"):
        Policy(LOG_KEY, (Witness("a", MIRROR_KEY),), (), "b")


def test_a_cosigners_key_is_no_log() -> None:
    with pytest.raises(PolicyError):
        mirror_policy(MIRROR_KEY, WITNESSES[0].key)


def test_two_keys_with_the_same_name_and_id_are_refused() -> None:
    # 32 bits: a stranger can make such a pair; here the label is forced
    other = VerifierKey("w0.example", COSIGNATURE_ED25519, KEYS[1].public)
    object.__setattr__(other, "key_id", WITNESSES[0].key.key_id)
    with pytest.raises(PolicyError, match="same name and key ID"):
        Policy(LOG_KEY, (WITNESSES[0], Witness("b", other)), (), "b")


@pytest.mark.parametrize("name", ["", "none", "a b", "a\tb", "a\n", "a\x00"])
def test_names_that_would_read_back_as_something_else_are_refused(name: str) -> None:
    with pytest.raises(PolicyError):
        Policy(LOG_KEY, (Witness(name, MIRROR_KEY),), (), None)
    with pytest.raises(PolicyError):
        Policy(LOG_KEY, (Witness("a", MIRROR_KEY),), (Group(name, 1, ("a",)),), None)


def test_a_group_of_two_needs_two_of_its_members() -> None:
    policy = policy_of("group g 2 w0 w1 w2\nquorum g\n")
    assert not passes(policy)
    assert not passes(policy, 0)
    assert not passes(policy, 0, 3)
    assert passes(policy, 0, 2)


def test_any_and_all_count_as_their_names_say() -> None:
    assert passes(policy_of("group g any w0 w1\nquorum g\n"), 1)
    assert not passes(policy_of("group g all w0 w1\nquorum g\n"), 1)
    assert passes(policy_of("group g all w0 w1\nquorum g\n"), 0, 1)


def test_groups_nest() -> None:
    policy = policy_of("group g any w0 w1\ngroup h all g w2\nquorum h\n")
    assert not passes(policy, 0, 1)
    assert passes(policy, 1, 2)


def test_without_a_quorum_the_log_alone_is_enough() -> None:
    assert verify_checkpoint(SIGNED[3], policy_of("quorum none\n")).cosigned == ()


@pytest.mark.parametrize(("count", "fits"), [(32, True), (33, False)])
def test_takes_32_witnesses_and_groups_and_no_more(count: int, fits: bool) -> None:
    groups = tuple(Group(f"g{n}", 1, (f"w{n}",)) for n in range(count))
    for policy in ((WITNESSES[:count], groups[:32], "g0"), (WITNESSES[:32], groups[:count], None)):
        if fits:
            assert parse_policy(format_policy(Policy(LOG_KEY, *policy)))
        else:
            with pytest.raises(PolicyError):
                Policy(LOG_KEY, *policy)


def test_the_authors_key_is_not_counted_as_a_cosigner() -> None:
    forged = add_signature_lines(SIGNED[3], [cosign(TEXT, MIRROR_KEY.name, LOG, TIMESTAMP)])
    with pytest.raises(PolicyError, match="cosigned by nobody"):
        verify_checkpoint(forged, mirror_policy(LOG_KEY, MIRROR_KEY))


def test_a_cosigned_checkpoint_without_the_logs_signature_is_refused() -> None:
    bare = TEXT + b"\n" + COSIGNED[len(SIGNED[3]) :]
    with pytest.raises(SignatureError, match="did not sign"):
        verify_checkpoint(bare, mirror_policy(LOG_KEY, MIRROR_KEY))


def test_a_checkpoint_of_another_log_is_refused() -> None:
    other = VerifierKey("arcadia.example/line/other", ED25519, LOG.public)
    with pytest.raises(SignatureError, match="not of"):
        verify_checkpoint(COSIGNED, mirror_policy(other, MIRROR_KEY))


def test_a_cosignature_that_fails_spoils_the_checkpoint_even_when_the_quorum_is_met() -> None:
    policy = policy_of("quorum w0\n")
    spoiled = bytearray(cosigned_by(0, 1))
    spoiled[-20] ^= 1
    with pytest.raises(SignatureError, match="does not verify"):
        verify_checkpoint(bytes(spoiled), policy)
