"""What a node states for new keys, held against what it stated before."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from node.link.pairs import LINE, Side, side
from telcon.core.seal import Person
from telcon.errors import MalformedError
from telcon.ledger.keycard import mirror_name
from telcon.ledger.note import COSIGNATURE_ED25519, COSIGNATURE_ML_DSA, VerifierKey
from telcon.ledger.signing import MlDsaSigningKey
from telcon.node.link.pairing import OwnSide
from telcon.node.link.renewing import check_renewed_untrusted, is_another, renewal_hash

NEXT = "89abcdef01234567" * 2
EVE = Person(lang="en", name="Eve", office="", organisation="")


class Rig:
    """Arcadia and Borealis on a line, and what both state for the next."""

    def __init__(self, folder: Path) -> None:
        self.arcadia, self.borealis = (
            side(folder, name, seed=seed)
            for name, seed in (("arcadia.example", 1), ("borealis.example", 3))
        )
        self.ours, self.theirs = (
            side(folder, name, seed=seed, line=NEXT)
            for name, seed in (("arcadia.example", 5), ("borealis.example", 7))
        )
        self.folder = folder

    def check(self, stated: OwnSide) -> None:
        both = (self.arcadia, self.borealis)
        known = {key.public for one in both for key in one.card.keys}
        check_renewed_untrusted(self.ours.own, stated, self.borealis.own, known)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def stating(one: Side, **changes: object) -> OwnSide:
    return replace(one, statement=msgspec.structs.replace(one.statement, **changes)).own


def test_new_keys_of_the_same_node_are_taken(rig: Rig) -> None:
    rig.check(rig.theirs.own)
    rig.check(stating(rig.theirs, addresses=("192.0.2.9:7443",)))  # it may have moved


def test_another_principal_is_not_renewed(rig: Rig) -> None:
    with pytest.raises(MalformedError, match="the principal stated"):
        rig.check(stating(rig.theirs, principal=EVE))


def test_other_terms_are_not_renewed(rig: Rig) -> None:
    terms = msgspec.structs.replace(rig.theirs.statement.terms, link_lost="end")
    with pytest.raises(MalformedError, match="the terms stated"):
        rig.check(stating(rig.theirs, terms=terms))


def test_another_certificate_is_not_renewed(rig: Rig) -> None:
    other = side(rig.folder / "other", "borealis.example", seed=7, line=NEXT)
    with pytest.raises(MalformedError, match="the certificate stated"):
        rig.check(other.own)


def test_another_node_is_not_renewed(rig: Rig) -> None:
    other = side(rig.folder, "corelia.example", seed=7, line=NEXT)
    with pytest.raises(MalformedError, match="the name stated"):
        rig.check(other.own)


@pytest.mark.parametrize("seed", [3, 2, 1], ids=["theirs", "theirs and ours", "ours"])
def test_keys_that_were_in_use_are_not_new(rig: Rig, seed: int) -> None:
    again = side(rig.folder, "borealis.example", seed=seed, line=NEXT)
    with pytest.raises(MalformedError, match="in use before"):
        rig.check(again.own)


def test_a_key_of_ours_for_the_new_line_is_refused_too(rig: Rig) -> None:
    public = rig.ours.card.mirror.public
    name = mirror_name("borealis.example", NEXT)
    key = VerifierKey(name, COSIGNATURE_ED25519, public)
    with pytest.raises(MalformedError, match="in both key cards"):
        rig.check(replace(rig.theirs, card=replace(rig.theirs.card, mirror=key)).own)


def test_a_card_of_another_line_is_refused(rig: Rig) -> None:
    with pytest.raises(MalformedError, match="different lines"):
        rig.check(side(rig.folder, "borealis.example", seed=7, line=LINE).own)


def test_a_line_with_ml_dsa_keys_is_not_led_back_to_one_without(rig: Rig) -> None:
    log, mirror = (MlDsaSigningKey(bytes([seed]) * 32).public for seed in (8, 9))
    card = rig.borealis.card
    had = replace(
        card,
        log_ml_dsa=VerifierKey(card.log.name, COSIGNATURE_ML_DSA, log),
        mirror_ml_dsa=VerifierKey(card.mirror.name, COSIGNATURE_ML_DSA, mirror),
    )
    before = replace(rig.borealis, card=had).own
    with pytest.raises(MalformedError, match="fewer keys"):
        check_renewed_untrusted(rig.ours.own, rig.theirs.own, before, ())


@pytest.mark.parametrize(
    "bend", [lambda own: replace(own, card=b"{}"), lambda own: replace(own, statement=b"{}")]
)
def test_what_cannot_be_read_is_malformed(rig: Rig, bend: Callable[[OwnSide], OwnSide]) -> None:
    with pytest.raises(MalformedError):
        rig.check(bend(rig.theirs.own))


def test_a_node_sees_that_it_is_another_itself(rig: Rig) -> None:
    assert is_another(rig.arcadia.own, rig.ours.own) is None
    assert is_another(rig.arcadia.own, stating(rig.ours, principal=EVE)) == "principal"


def test_the_hash_is_over_all_that_was_stated_and_where(rig: Rig) -> None:
    sides = (rig.ours.own, rig.theirs.own)
    hashes = {
        renewal_hash(LINE, NEXT, sides),
        renewal_hash(NEXT, LINE, sides),
        renewal_hash(LINE, NEXT, (sides[1], sides[0])),
        renewal_hash(LINE, NEXT, (sides[0], rig.borealis.own)),
        renewal_hash(LINE, NEXT, (sides[0], stating(rig.theirs, principal=EVE))),
        renewal_hash(LINE, NEXT, (OwnSide(sides[0].card + b"x", b""), sides[1])),
        renewal_hash(LINE, NEXT, (OwnSide(sides[0].card, b"x"), sides[1])),
    }
    assert len(hashes) == 7


def test_the_hash_is_this_one() -> None:
    """The definition in docs/protocol.md, worked by hand."""
    found = renewal_hash(LINE, NEXT, (OwnSide(b"a", b"bc"), OwnSide(b"", b"d")))
    assert found.hex() == "b817247d97d99fadf436c3c75506f8c9dbfd15ed232fada8198996ec81b5a772"
