"""`python -m bench [NAME…]`: the benches named, or all, one after the other."""

import argparse
import importlib
import os
import subprocess
import sys
from pathlib import Path

import bench

TESTS = Path(__file__).parents[1] / "tests"  # some benches use the tests' fakes and their browser


def main() -> int:
    """Run what was asked for; return 0 if all of it ran to its end."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=bench.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(bench.NAMES))
    names = parser.parse_args().names or list(bench.NAMES)
    if unknown := [name for name in names if name not in bench.NAMES]:
        parser.error(f"no bench {', '.join(unknown)}; there are {', '.join(bench.NAMES)}")
    if len(names) == 1:
        return _run(names[0])
    # A process each: what one leaves behind must not weigh on the next.
    failed = [name for name in names if subprocess.call([sys.executable, "-m", "bench", name])]
    if failed:
        print(f"did not run to the end: {', '.join(failed)}")
    return 1 if failed else 0


def _run(name: str) -> int:
    print(f"\n== {name}   ({os.cpu_count()} cores, load {os.getloadavg()[0]:.1f})", flush=True)
    sys.path.append(str(TESTS))
    importlib.import_module(f"bench.{name}").run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
