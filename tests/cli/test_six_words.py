"""The six words as a person types them: a slip of the finger must not cost the pairing."""

from io import StringIO
from pathlib import Path

import pytest

from telcon.cli import main

WORDS = "rabbit time because supreme decorate bench"


def confirm(folder: Path, words: str) -> int:
    return main(["--data", str(folder), "line", "confirm", "borealis.example", "--words", words])


@pytest.mark.parametrize("typed", [WORDS, WORDS.upper(), WORDS.replace(" ", ", ") + "."])
def test_capitals_commas_and_full_stops_go_to_the_node(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    assert confirm(tmp_path, typed) == 2
    assert "no node runs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "said"),
    [(WORDS.replace("supreme", "suprem"), "'suprem'"), ("rabbit time", "2 words"), ("", "0 words")],
)
def test_a_slip_is_said_before_the_node_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], typed: str, said: str
) -> None:
    assert confirm(tmp_path, typed) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "type all six again" in err


class Terminal(StringIO):
    """Somebody who types one line after the other."""

    def isatty(self) -> bool:
        return True


def test_at_a_terminal_a_slip_is_asked_for_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(f"rabbit time\n{WORDS}x\n{WORDS}\n"))
    assert main(["--data", str(tmp_path), "line", "confirm", "borealis.example"]) == 2
    printed = capsys.readouterr()
    assert printed.out.count("type all six again") == 2
    assert "no node runs" in printed.err  # the third time they went to the node


def test_who_types_nothing_at_a_terminal_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())
    assert main(["--data", str(tmp_path), "line", "confirm", "borealis.example"]) == 2
    assert "Nothing is lost" in capsys.readouterr().err
