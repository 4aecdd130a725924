"""`python -m bench [NAME…]`: the benches named, or all, one after the other."""

import argparse
import importlib
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

import bench
from bench.figures import Row, every

TESTS = Path(__file__).parents[1] / "tests"  # some benches use the tests' fakes and their browser
FOUND = "TELCON_BENCH_FOUND"  # where a bench leaves its rows for the process that started it
HEAD = "| figure | found | limit | met | beside it, in the same run |\n|---|--:|---|---|---|\n"


def main() -> int:
    """Run what was asked for; return 0 if all of it ran to its end."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=bench.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(bench.NAMES))
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the table there")
    asked = parser.parse_args()
    names = asked.names or list(bench.NAMES)
    if unknown := [name for name in names if name not in bench.NAMES]:
        parser.error(f"no bench {', '.join(unknown)}; there are {', '.join(bench.NAMES)}")
    if FOUND in os.environ:
        return _run(names[0], Path(os.environ[FOUND]))
    print(_machine())
    rows: list[Row] = []
    failed: list[str] = []
    for name in names:
        if not _run_apart(name, rows):
            failed.append(name)
        if asked.table is not None:  # after each: who ends it early keeps what was measured
            asked.table.write_text(_page(rows))
    if rows:
        print(f"\n{_table(rows)}")
    if failed:
        print(f"did not run to the end: {', '.join(failed)}")
    return 1 if failed else 0


def _machine() -> str:
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()},"
        f" Linux {platform.release()}, load {os.getloadavg()[0]:.1f}"
    )


def _run_apart(name: str, rows: list[Row]) -> bool:
    """Run a bench in a process of its own: what one leaves behind must not weigh on the next."""
    with tempfile.NamedTemporaryFile(prefix="telcon-bench-") as found:
        environment = os.environ | {FOUND: found.name}
        status = subprocess.call([sys.executable, "-m", "bench", name], env=environment)
        if written := found.read():
            rows += msgspec.json.decode(written, type=list[Row])
    return status == 0


def _run(name: str, found: Path) -> int:
    print(f"\n== {name}   (load {os.getloadavg()[0]:.1f})", flush=True)
    sys.path.append(str(TESTS))
    rows = importlib.import_module(f"bench.{name}").run()
    found.write_bytes(msgspec.json.encode(rows or []))
    return 0


def _table(rows: list[Row]) -> str:
    return HEAD + "".join(
        f"| {row.name} | {row.value:,.2f} {row.unit} | {row.limit} | {_met(row)} |"
        f" {row.reference} |\n"
        for row in rows
    )


def _met(row: Row) -> str:
    return "" if row.met is None else ("yes" if row.met else "**no**")


def _page(rows: list[Row]) -> str:
    """Return the table as a page, every run below it."""
    runs = "\n".join(
        f"{row.name}, {row.unit}\n\n{every(row.runs, digits=2)}\n" for row in rows if row.runs
    )
    return (
        "# Performance\n\n"
        'Made by `make bench ARGS="--table docs/performance.md"`; what is measured,'
        f" and how, stands in `bench/`.\n\nMachine: {_machine()}\n\n{_table(rows)}\n"
        f"## Every run\n\n{runs}"
    )


if __name__ == "__main__":
    sys.exit(main())
