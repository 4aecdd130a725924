"""Commands on a machine without the memory they need: made by a real limit, on real processes.

`telcon verify` may say "not proven" (1) of nothing but what it has read; `telcon export` leaves
nothing half-written. The limit climbs in steps from where Python itself can just start to where the
command is through, so that memory ends at many places.
"""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from fakes.signed_line import SignedLine
from node.proof.rig import export, write_cards

MIB = 1 << 20
START_MIB, END_MIB, STEP_MIB = 16, 1024, 2


def run_within(mebibytes: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that may map so much memory; libraries count, so all of it is early."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (mebibytes * MIB, mebibytes * MIB))

    return subprocess.run(
        [sys.executable, "-m", "telcon.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=limit,
    )


def can_start(mebibytes: int) -> bool:
    return run_within(mebibytes, "--version").returncode == 0


@pytest.fixture(scope="module")
def first_mib() -> int:
    """Return the least limit within which the program says its own version."""
    return next(size for size in range(START_MIB, END_MIB, STEP_MIB) if can_start(size))


def test_verify_without_memory_never_says_not_proven(tmp_path: Path, first_mib: int) -> None:
    line = SignedLine().open().talk()
    export(line, tmp_path / "out", whole_log=True)
    cards = [word for path in write_cards(line, tmp_path) for word in ("--card", str(path))]
    ends = []
    for size in range(first_mib, END_MIB, STEP_MIB):
        done = run_within(size, "verify", str(tmp_path / "out"), *cards)
        ends.append(done.returncode)
        assert done.returncode in (0, 2), done.stderr
        if done.returncode == 0:
            break
        assert done.stderr.strip()
    assert ends[-1] == 0
    assert len(ends) > 1, "the limit never bit"
