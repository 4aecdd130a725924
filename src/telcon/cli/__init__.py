"""The command line: `telcon --data FOLDER COMMAND`. Thin: parses, calls, prints.

Commands about lines and people, and `coverage set`, speak to the running node over its control
socket; `export`, `attest`, `excerpt` and `coverage` open the store read-only, beside a running node
or without one; `verify` needs no node at all.
"""

import argparse
import os
import sys
import traceback
from pathlib import Path

from telcon import __version__
from telcon.errors import TelconError

__all__ = ["main"]

_NO_MEMORY = b"""telcon: there is not enough memory for this
        Nothing was found out. Try again with more memory.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status. An error is one sentence and one of advice.

    Whatever goes wrong, 1 is never returned for it: of `verify` that would mean "not proven".
    """
    try:
        return _run(arguments)
    except MemoryError:
        # There may be none left to print or to end in order with, and Python would then end with 1.
        os.write(2, _NO_MEMORY)
        os._exit(2)


def _run(arguments: list[str] | None) -> int:
    try:
        parsed = _parser().parse_args(arguments)
        return int(parsed.run(parsed))
    except MemoryError:
        raise
    except TelconError as error:
        print(f"telcon: {error}", file=sys.stderr)
        if error.advice():
            print(f"        {error.advice()}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception:  # noqa: BLE001 -- the edge: Python itself would end with 1
        traceback.print_exc()
        print(
            "telcon: this is a defect of telcon, or the machine is short of something.",
            file=sys.stderr,
        )
        return 2


def _parser() -> argparse.ArgumentParser:
    from telcon.cli import (
        coverage,
        house,
        line,
        node,
        proof,
        record,
        witness,
    )  # late: `verify` on a bare machine loads little

    parser = argparse.ArgumentParser(prog="telcon", description="A direct line between two nodes.")
    parser.add_argument("--version", action="version", version=f"telcon {__version__}")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("TELCON_DATA", "telcon-data")),
        metavar="FOLDER",
        help="the node's data folder (default: $TELCON_DATA, else telcon-data)",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    node.add_commands(commands)
    line.add_commands(commands)
    witness.add_commands(commands)
    proof.add_commands(commands)
    record.add_commands(commands)
    house.add_commands(commands)
    coverage.add_commands(commands)
    return parser
