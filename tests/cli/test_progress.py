"""Long commands say how far they are: on a terminal, or in a log of plain lines."""

import asyncio
import io
import json
from pathlib import Path

import pytest

from fakes.two_nodes import TwoNodes, line_of, two_nodes
from telcon.cli import main
from telcon.cli import progress as progress_module
from telcon.cli.progress import LINES_EACH_S, MOVES_EACH_S, PATIENCE_S, ProgressLine
from telcon.core import draft as drafts
from telcon.core.seal import Person, Text
from telcon.node.proof.steps import Step, counted

REY = Person("en", "Adrian Rey", "President of Arcadia", "Arcadia")
MESSAGES = 2_000


class Terminal(io.StringIO):
    """A stream that says that somebody watches it."""

    def isatty(self) -> bool:
        return True


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_what_is_over_soon_says_nothing() -> None:
    stream, clock = Terminal(), Clock()
    with ProgressLine(stream, clock) as line:
        clock.now_s = PATIENCE_S * 0.99
        line(Step.LOGS, 5, 10)
    assert stream.getvalue() == ""


def test_on_a_terminal_one_line_moves_and_is_gone_at_the_end() -> None:
    stream, clock = Terminal(), Clock()
    with ProgressLine(stream, clock) as line:
        clock.now_s = PATIENCE_S
        line(Step.ENTRIES, 1_200, 10_000)
        line(Step.ENTRIES, 1_201, 10_000)  # a moment later: not shown
        clock.now_s += MOVES_EACH_S
        line(Step.FILES, 3, 4)
    pieces = stream.getvalue().split("\r")
    assert pieces[1].rstrip() == "checking the entries: 1,200 of 10,000 (12 %)"
    assert pieces[2].rstrip() == "checking files: 3 of 4 (75 %)"
    assert len(pieces[2]) >= len(pieces[1])  # nothing of the longer line stays
    assert pieces[3].isspace()
    assert "\n" not in stream.getvalue()


def test_elsewhere_there_are_few_plain_lines() -> None:
    stream, clock = io.StringIO(), Clock()
    with ProgressLine(stream, clock) as line:
        for second in range(11):
            clock.now_s = PATIENCE_S + second
            line(Step.LOGS, second, 11)
    assert stream.getvalue().count("\n") == 1 + 10 // int(LINES_EACH_S)
    assert "\r" not in stream.getvalue()


def test_counting_tells_the_end() -> None:
    told: list[tuple[int, int]] = []
    items = list(counted(range(600), Step.FILES, 600, lambda _, done, of: told.append((done, of))))
    assert items == list(range(600))
    assert told == [(0, 600), (256, 600), (512, 600), (600, 600)]


async def talked(folder: Path) -> tuple[Path, str]:
    """Return the folder of a node that has exchanged many messages and one call."""
    async with two_nodes(folder) as both:
        call = await _ring_and_write(both)
    return both.arcadia.folder, call


async def _ring_and_write(both: TwoNodes) -> str:
    rey, voss = both.two_phones()
    call = await rey.ring()
    await voss.wait_phase("ringing")
    await voss.do("decline", call=call, reason="In a meeting")
    line = line_of(both.arcadia)
    words = (drafts.message(REY, REY, Text("en", "Page two.")) for _ in range(MESSAGES))
    await asyncio.gather(*(line.act_bulk(draft) for draft in words))
    await rey.wait(lambda shown: shown["lines"][0]["waiting"] == 0)
    return call


def test_export_and_verify_of_a_large_log_say_how_far_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, call = asyncio.run(talked(tmp_path))
    monkeypatch.setattr(progress_module, "PATIENCE_S", 0.0)
    monkeypatch.setattr(progress_module, "LINES_EACH_S", 0.0)
    out = str(tmp_path / "proof")
    export = ["--data", str(folder), "export", "--call", call, "--whole-log", "--out", out]
    assert main(export) == 0
    told = capsys.readouterr()
    assert "reading both logs: 1,792 of 2,0" in told.err
    assert "writing the whole logs: " in told.err
    assert "reading" not in told.out
    assert main(["verify", out]) == 3
    told = capsys.readouterr()
    assert "checking the entries: 2,00" in told.err
    assert "(100 %)" in told.err
    assert main(["verify", "--json", out]) == 3
    told = capsys.readouterr()
    assert told.err == ""
    json.loads(told.out)
