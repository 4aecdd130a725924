"""A receipt of one house entry: shown alone, checked offline, under a policy of two witnesses."""

import json
from pathlib import Path

import pytest

from fakes.house import Kept, MemoryWitness
from fakes.memory_log import MemoryLog
from telcon.core.house import STEP
from telcon.errors import OperatorError, PolicyError
from telcon.ledger import VerifierKey, format_policy
from telcon.ledger.witness import Witnessed
from telcon.node.proof import Verdict, VerifyReport, format_json, format_words, verify_paths
from telcon.node.proof.house import cosigners, export_house, house_policy


class ExportedHouse(MemoryLog):
    """What a store knows of a house log besides."""

    def cosigned_note_over(self, index: int) -> tuple[int, bytes] | None:
        sizes = sorted(size for size in self.notes if size > index)
        return (sizes[0], self.notes[sizes[0]].note) if sizes else None


class House:
    """Arcadia's house log of one hour, cosigned by Borealis and Corelia."""

    def __init__(self) -> None:
        self.kept = Kept()
        details = {"principal": "Adrian \u202eyeR", "client": "192.0.2.1"}
        self.kept.log.append("audit.web.signed-in", "principal", details, 7_000_000)
        self.kept.hour()
        witnesses = (MemoryWitness("borealis.example", 50), MemoryWitness("corelia.example", 51))
        for witness in witnesses:
            witness.held[self.kept.log.origin] = Witnessed((self.kept.log.vkey,))
            answer = witness.answer(self.kept.log.submission(0))
            self.kept.log.keep_cosignature(STEP, witness.vkey, answer.body)
            self.kept.write()
        self.kept.act()
        self.kept.write()
        self.keys = [witness.vkey for witness in witnesses]

    @property
    def stored(self) -> ExportedHouse:
        log = ExportedHouse(self.kept.rows.origin)
        log.rows, log.opened, log.notes = (
            self.kept.rows.rows,
            self.kept.rows.opened,
            self.kept.rows.notes,
        )
        return log

    def export(
        self,
        out: Path,
        index: int = 1,
        keys: list[VerifierKey] | None = None,
        *,
        is_opened: bool = True,
    ) -> Path:
        """Write a receipt; return its path."""
        vkey, witnesses = self.kept.log.vkey, self.keys if keys is None else keys
        path, _ = export_house(
            self.stored, vkey, witnesses, index, out, is_opened=is_opened, told=lambda: None
        )
        return out / path


def verified(receipt: Path, policy: Path) -> VerifyReport:
    return verify_paths([receipt], policy=policy)


def test_what_cannot_be_exported_is_told_nobody(tmp_path: Path) -> None:
    house, told = House(), list[str]()
    for index, reason in ((house.stored.size, "no entry"), (house.stored.size - 1, "cosigned")):
        with pytest.raises(OperatorError, match=reason):
            export_house(
                house.stored,
                house.kept.log.vkey,
                house.keys,
                index,
                tmp_path / "out",
                is_opened=True,
                told=lambda: told.append("told"),
            )
    assert told == []


def test_an_act_is_proven_under_the_keys_of_all_that_cosigned_it(tmp_path: Path) -> None:
    receipt = House().export(tmp_path / "out")
    report = verified(receipt, tmp_path / "out" / "policy.txt")
    assert report.verdict is Verdict.PROVEN
    words = format_words(report)
    assert "audit.web.signed-in, by the principal, entry 1 of arcadia.example/house/" in words
    assert "on borealis.example's clock" in words
    assert "on corelia.example's clock" in words
    assert "the author's clock said 1970-01-01 00:00:07" in words
    assert "principal “Adrian \\u{202e}yeR”, client “192.0.2.1”" in words
    assert "that nobody went round it" in words
    (read,) = json.loads(format_json(report))["paths"][0]["receipts"]
    assert (read["type"], read["act"], read["by"]) == (
        "house.act",
        "audit.web.signed-in",
        "principal",
    )
    details = {"principal": "Adrian \u202eyeR", "client": "192.0.2.1"}
    assert read["opened"] == [{"member": "details", "details": details}]


def test_what_it_was_about_can_stay_sealed(tmp_path: Path) -> None:
    receipt = House().export(tmp_path / "out", is_opened=False)
    assert not receipt.with_name(receipt.stem + ".opened.json").exists()
    words = format_words(verified(receipt, tmp_path / "out" / "policy.txt"))
    assert "by the principal" in words
    assert "192.0.2.1" not in words


def test_nothing_of_the_entries_beside_it_is_shown(tmp_path: Path) -> None:
    house = House()
    house.export(tmp_path / "out")
    shown = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    others = [data for at, data in enumerate(house.kept.rows.all_entries()) if at != 1]
    assert not [data for data in others if data in shown]


@pytest.mark.parametrize("index", [0, 2])
def test_blanks_and_the_first_entry_have_receipts_too(tmp_path: Path, index: int) -> None:
    receipt = House().export(tmp_path / "out", index)
    report = verified(receipt, tmp_path / "out" / "policy.txt")
    assert report.verdict is Verdict.PROVEN
    assert receipt.name.startswith(("000000-house.opened", "000002-blank"))


def test_what_nobody_has_cosigned_is_not_exported(tmp_path: Path) -> None:
    house = House()
    with pytest.raises(OperatorError, match="no other node has cosigned") as caught:
        house.export(tmp_path / "out", STEP)
    assert "full hour" in caught.value.advice()
    with pytest.raises(OperatorError, match="no other node has cosigned"):
        house.export(tmp_path / "out", 1, [])
    with pytest.raises(OperatorError, match="has no entry 65"):
        house.export(tmp_path / "out", STEP + 1)
    assert not (tmp_path / "out").exists()


def test_a_policy_asks_for_every_witness_and_none_of_the_own_organisation() -> None:
    house = House()
    vkey = house.kept.log.vkey
    assert b"group witnesses 2 borealis.example corelia.example\nquorum witnesses\n" in (
        format_policy(house_policy(vkey, house.keys))
    )
    with pytest.raises(PolicyError):
        house_policy(vkey, [])
    with pytest.raises(PolicyError, match="belongs to the organisation"):
        house_policy(vkey, [MemoryWitness("arcadia.example").vkey])


def test_under_other_keys_it_is_not_proven(tmp_path: Path) -> None:
    house = House()
    receipt = house.export(tmp_path / "out")
    false = [MemoryWitness("borealis.example", 7).vkey, house.keys[1]]
    other = tmp_path / "policy.txt"
    other.write_bytes(format_policy(house_policy(house.kept.log.vkey, false)))
    assert verified(receipt, other).verdict is Verdict.NOT_PROVEN
    other.write_bytes(format_policy(house_policy(Kept(seed=9).log.vkey, house.keys)))
    assert verified(receipt, other).verdict is Verdict.NOT_PROVEN


@pytest.mark.parametrize("suffix", [".entry", ".opened.json", ".tlog-proof"])
def test_no_octet_of_it_can_be_altered(tmp_path: Path, suffix: str) -> None:
    receipt = House().export(tmp_path / "out")
    path = receipt.with_name(receipt.stem + suffix)
    good = path.read_bytes()
    for at in range(0, len(good), 7):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        report = verified(receipt, tmp_path / "out" / "policy.txt")
        assert report.verdict is not Verdict.PROVEN, at


def test_who_has_cosigned_is_read_from_the_signatures_alone() -> None:
    house = House()
    note = house.stored.notes[STEP].note
    assert [key for key, _ in cosigners(note, house.keys)] == house.keys
    assert cosigners(note, [MemoryWitness("corelia.example", 52).vkey]) == []
