"""The six words as a person types them: a slip of the finger must not cost the pairing."""

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
