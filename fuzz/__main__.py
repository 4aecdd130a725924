"""`make fuzz`: the targets named, or all, one after the other, each in a process of its own.

    make fuzz ARGS="entry note --seconds 600 --seed 7"
    make fuzz ARGS="entry --replay build/fuzz/findings/entry-crash-…"

Exit status 0 only if nothing was found.
"""

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import traceback
from pathlib import Path

from fuzz.seeds import CORPUS
from fuzz.targets import TARGETS

BUILD = Path("build") / "fuzz"
LONGEST_INPUT_OCTETS = 66_000
"""Beyond a frame. What may be longer (notes, receipts, files) is only more of the same."""
SLOWEST_INPUT_S = 10
MOST_MEMORY_MIB = 1_024

_RUNS = re.compile(r"^stat::number_of_executed_units: *(\d+)", re.MULTILINE)
_COVERAGE = re.compile(r"\bcov: (\d+)")
_WRITTEN = re.compile(r"Test unit written to (\S+)")
_TRACEBACK = re.compile(r"=== Uncaught Python exception: ===\n(.*?)\n==\d+==", re.DOTALL)
_LAST_LINES = 15


def main() -> int:
    """Run what was asked for; return 0 if nothing was found."""
    parser = argparse.ArgumentParser(
        prog="python -m fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=1 + int.from_bytes(os.urandom(3)))
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run NAME on FILE alone")
    asked = parser.parse_args()
    names = asked.names or list(TARGETS)
    if unknown := [name for name in names if name not in TARGETS]:
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    if asked.replay is not None:
        if len(asked.names) != 1:
            parser.error("--replay wants the one target that the file is for")
        return replay(names[0], asked.replay)
    if importlib.util.find_spec("atheris") is None:
        parser.error("atheris is not installed: `make fuzz` installs it")
    found = [name for name in names if not fuzz(name, asked.seconds, asked.seed)]
    print(f"found something: {', '.join(found)}" if found else "nothing found")
    return 1 if found else 0


def replay(name: str, file: Path) -> int:
    """Give the bytes of `file` to a target; say what came of it, and return 0 if it is well."""
    try:
        accepted = TARGETS[name](file.read_bytes())
    except Exception:  # noqa: BLE001 - whatever comes out is what we want to see
        traceback.print_exc()
        return 1
    print("accepted" if accepted else "refused")
    return 0


def fuzz(name: str, seconds: int, seed: int) -> bool:
    """Fuzz one target until its time is up or something is found; return whether nothing was."""
    grown, findings = BUILD / "corpus" / name, BUILD / "findings"
    for folder in (grown, findings):
        folder.mkdir(parents=True, exist_ok=True)
    limit = TARGETS[name].limit or LONGEST_INPUT_OCTETS
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "fuzz.run", name),
            f"-max_total_time={seconds}",
            f"-seed={seed}",
            f"-max_len={min(limit + 16, LONGEST_INPUT_OCTETS)}",
            f"-timeout={SLOWEST_INPUT_S}",
            f"-rss_limit_mb={MOST_MEMORY_MIB}",
            f"-artifact_prefix={findings / name}-",
            "-print_final_stats=1",
            *map(str, (grown, CORPUS / name)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    runs, coverage = _RUNS.search(ended.stdout), _COVERAGE.findall(ended.stdout)
    print(
        f"{name:18} {int(runs[1]) if runs else 0:>10,} runs  seed {seed}"
        f"  {coverage[-1] if coverage else 0:>5} edges"
        f"  {'nothing found' if ended.returncode == 0 else 'FOUND'}",
        flush=True,
    )
    if ended.returncode:
        _tell(name, ended.stdout)
    return ended.returncode == 0


def _tell(name: str, output: str) -> None:
    """Show what went wrong and how to see it again."""
    shown = _TRACEBACK.search(output)
    print(shown[1] if shown else "\n".join(output.splitlines()[-_LAST_LINES:]))
    if written := _WRITTEN.search(output):
        print(f"its bytes: {written[1]}\nonce more: python -m fuzz {name} --replay {written[1]}")


if __name__ == "__main__":
    sys.exit(main())
