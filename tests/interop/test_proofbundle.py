"""Receipts made here, read by an independent implementation: PyPI `proofbundle`.

It lives in an environment of its own, which `make test` makes; `TELCON_INTEROP_PYTHON` names that
environment's interpreter. Without it these tests are skipped, except in CI, where they fail.
"""

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fakes.signed_line import SignedLine
from node.proof.rig import export
from node.proof.test_further import CORELIA, Further
from node.proof.test_further import export as witnessed
from telcon.ledger import format_vkey

ROOT = Path(__file__).parents[2]
TALK = SignedLine().open().talk()


@pytest.fixture(scope="module")
def interpreter() -> str:
    named = os.environ.get("TELCON_INTEROP_PYTHON", str(ROOT / ".venv-interop/bin/python"))
    if not Path(named).exists():
        advice = f"{named} is missing: `make test` makes it"
        pytest.fail(advice) if os.environ.get("CI") else pytest.skip(advice)
    return named


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return export(TALK, tmp_path_factory.mktemp("export") / "call")


def ask(interpreter: str, given: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [interpreter, "-I", str(Path(__file__).with_name("check_receipt.py"))],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    verdict: dict[str, Any] = json.loads(done.stdout)
    return verdict


def question(files: dict[str, bytes], stem: str) -> dict[str, Any]:
    author = TALK.arcadia if stem.startswith("ours/") else TALK.borealis
    return {
        "receipt": files[stem + ".tlog-proof"].decode(),
        "entry": base64.b64encode(files[stem + ".entry"]).decode(),
        "log": format_vkey(author.card.log),
        "cosigners": [format_vkey(TALK.other(author).card.mirror)],
        "origin": author.card.log.name,
    }


@pytest.mark.parametrize(
    "stem",
    [
        "ours/receipts/000002-call.ring",
        "ours/receipts/000006-call.hang-up",
        "theirs/receipts/000003-call.answer",
    ],
)
def test_a_receipt_of_ours_is_accepted(
    stem: str, interpreter: str, files: dict[str, bytes]
) -> None:
    verdict = ask(interpreter, question(files, stem))
    assert verdict == {"ok": True, "index": int(stem.split("/")[2][:6])}


def test_another_entry_is_refused(interpreter: str, files: dict[str, bytes]) -> None:
    asked = question(files, "ours/receipts/000002-call.ring")
    asked["entry"] = base64.b64encode(b"another entry").decode()
    assert ask(interpreter, asked)["ok"] is False


def test_another_cosigner_is_refused(interpreter: str, files: dict[str, bytes]) -> None:
    asked = question(files, "ours/receipts/000002-call.ring")
    asked["cosigners"] = [format_vkey(TALK.arcadia.card.mirror)]
    assert ask(interpreter, asked)["ok"] is False


def test_a_receipt_that_a_further_witness_signed_is_accepted_by_both(
    interpreter: str, files: dict[str, bytes], tmp_path: Path
) -> None:
    stem = "ours/receipts/000002-call.ring"
    further = Further(TALK.arcadia, {TALK.arcadia.log.size: [CORELIA]})
    asked = question(witnessed(TALK, tmp_path / "call", further), stem)
    asked["cosigners"].append(format_vkey(CORELIA[0]))
    assert ask(interpreter, asked)["ok"] is True
    asked["receipt"] = files[stem + ".tlog-proof"].decode()
    assert ask(interpreter, asked)["ok"] is False


def seconded() -> SignedLine:
    """The shortest call, of which the newest checkpoints bear ML-DSA-44 signatures too."""
    line = SignedLine(ml_dsa=True).open().ring_off()
    for node in (line.arcadia, line.borealis):
        line.second(node)
    return line


@pytest.mark.parametrize("spoilt", [False, True])
def test_an_ml_dsa_cosignature_of_ours_is_accepted(
    interpreter: str, tmp_path: Path, *, spoilt: bool
) -> None:
    """It reads type 0x06 of cosigners; of logs it reads Ed25519 alone."""
    line = seconded()
    mirror = line.borealis.card.mirror_ml_dsa
    assert mirror is not None
    stem = "ours/receipts/000002-call.ring"
    asked = question(export(line, tmp_path / "call"), stem)
    asked["cosigners"] = [format_vkey(mirror)]
    if spoilt:
        *before, last = asked["receipt"].splitlines()
        assert last.startswith(f"\u2014 {mirror.name} ")
        where = last.rindex(" ") + 100  # well within what is drawn at random
        last = last[:where] + "AB"[last[where] == "A"] + last[where + 1 :]
        asked["receipt"] = "\n".join([*before, last, ""])
    assert ask(interpreter, asked)["ok"] is not spoilt
