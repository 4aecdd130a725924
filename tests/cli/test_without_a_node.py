"""Every command where there is nothing to talk to: one sentence, one of advice, no traceback."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from telcon.cli import main
from telcon.cli.line import _previous
from telcon.cli.record import _in_two_lines
from telcon.errors import OperatorError

ASKING = [
    ["line", "invite", "--out", "invitation"],
    ["line", "confirm", "borealis.example", "--words", "zoo " * 6],
    ["line", "list"],
    ["line", "test", "borealis.example"],
    ["line", "freeze", "borealis.example", "--reason", "no reason"],
    ["line", "acknowledge", "borealis.example", "--reason", "no reason"],
    ["line", "renew", "borealis.example", "--out", "invitation"],
    ["line", "renew", "borealis.example"],
    ["link", "Adrian Rey"],
    ["card", "borealis.example", "--out", "card"],
    ["coverage", "set", "borealis.example"],
]
INIT = ["node", "init", "--name", "arcadia.example", "--organisation", "Arcadia"]
INIT += ["--principal", "Adrian Rey", "--office", "President of Arcadia"]


def said(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """Run a command that fails; return what it says."""
    assert main(["--data", str(folder), *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert lines[0].startswith("telcon: ")
    return lines


@pytest.mark.parametrize(
    ("size", "held", "broken", "says"),
    [
        (3, 3, None, "goes on from LOG, 3 entries, as held here"),
        (5, 3, None, "goes on from LOG, 5 entries, of which 3 are held here"),
        (3, 3, "another history", "BREAK: .* goes on from LOG, and not as that is held here"),
        (3, 3, "one of two histories", "BREAK: .* not as that is held here"),
        (0, 0, "unnamed", "BREAK: their log names none before it"),
        (3, 0, "unknown", "BREAK: .* of which nothing is here"),
    ],
)
def test_what_a_log_goes_on_from_is_said_in_words(
    size: int, held: int, broken: str | None, says: str
) -> None:
    found = {"origin": "LOG", "size": size, "held": held, "broken": broken}
    assert re.search(says, _previous(found))


@pytest.mark.parametrize("arguments", ASKING, ids=lambda arguments: " ".join(arguments[:2]))
def test_a_command_to_a_node_that_does_not_run_says_how_to_start_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    what, advice = said(tmp_path / "nowhere", capsys, *arguments)
    assert f"no node runs on {tmp_path / 'nowhere'}" in what
    assert "telcon --data FOLDER" in advice
    assert list(tmp_path.iterdir()) == []


def test_accepting_a_file_that_is_not_there_is_told_before_the_node_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what, _ = said(tmp_path, capsys, "line", "accept", str(tmp_path / "invitation"))
    assert "No such file" in what


def test_running_a_folder_without_settings_says_to_make_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what, advice = said(tmp_path / "nowhere", capsys, "node", "run")
    assert "node.toml" in what
    assert "node init" in advice
    assert list(tmp_path.iterdir()) == []


AS_NOBODY = """
import os, sys
import telcon.cli
telcon.cli._parser()  # while its modules may still be read
if os.getuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
sys.exit(telcon.cli.main(sys.argv[1:]))
"""


def test_running_the_node_of_another_user_says_to_be_that_user(tmp_path: Path) -> None:
    node = tmp_path / "node"
    assert main(["--data", str(node), *INIT]) == 0
    if os.getuid() != 0:
        (node / "node.toml").chmod(0)
    command = [sys.executable, "-c", AS_NOBODY, "--data", str(node), "node", "run"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    what, advice = done.stderr.splitlines()
    assert what == f"telcon: this user may not read {node / 'node.toml'}"
    assert advice.strip() == "Be the user that the node runs as."
    assert done.returncode == 2


def test_running_what_is_a_file_says_to_name_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    what, advice = said(tmp_path / "file", capsys, "node", "run")
    assert what == f"telcon: {tmp_path / 'file'} is a file, not the folder of a node"
    assert "telcon --data FOLDER node run" in advice


@pytest.mark.parametrize("there", ["keeper.key", "keeper.key.pub"])
def test_of_a_keepers_key_no_half_stays(
    there: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / there).write_text("mine")
    out = str(tmp_path / "keeper.key")
    what, advice = said(tmp_path, capsys, "keeper", "new", "--out", out)
    assert what == f"telcon: {tmp_path / there} cannot be written: File exists; nothing was written"
    assert advice
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [(there, "mine")]


def test_what_a_node_says_without_advice_is_said_with_it() -> None:
    error = _in_two_lines(OperatorError("The recorder of this call is off already."))
    assert str(error) == "the recorder of this call is off already"
    assert "principal's page shows how both recorders stand" in error.advice()


def test_a_node_is_set_up_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path / "node"), *INIT]) == 0
    capsys.readouterr()
    what, _ = said(tmp_path / "node", capsys, *INIT)
    assert "is there already" in what


def test_a_name_that_no_node_can_have_leaves_no_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = [word.replace("arcadia.example", "Arcadia!") for word in INIT]
    what, advice = said(tmp_path / "node", capsys, *wrong)
    assert "a name like arcadia.example" in what
    assert advice
    assert not (tmp_path / "node" / "node.toml").exists()


def test_exporting_from_where_no_node_was_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what, advice = said(tmp_path / "no", capsys, "export", "--last", "--out", str(tmp_path / "out"))
    assert "no" in what
    assert advice
    assert list(tmp_path.iterdir()) == []


def test_verifying_what_is_not_there_could_not_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(tmp_path / "nowhere")]) == 2
    printed = capsys.readouterr()
    assert str(tmp_path / "nowhere") in printed.out + printed.err
    assert printed.out.endswith("\n\nVerdict: COULD NOT BE READ\n")


def test_a_card_that_is_none_could_not_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "card").write_text("a visiting card")
    assert main(["verify", str(tmp_path), "--card", str(tmp_path / "card")]) == 2
    printed = capsys.readouterr()
    assert "card" in printed.out + printed.err
