"""`make demo`: two nodes to try by hand; with `--check --out DIR`, a whole scripted call."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from demo.nodes import ARCADIA, BOREALIS, DemoNode, is_paired, pair
from demo.ports import free_ports

DATA = Path("demo-data")


def main() -> int:
    """Run the demo by hand or its check; return the exit status."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--check", action="store_true", help="a scripted call, then verify it")
    parser.add_argument("--out", type=Path, default=Path("out"), help="where --check leaves proofs")
    arguments = parser.parse_args()
    if arguments.check:
        from demo.check import check  # late: by hand nobody needs the scripted devices

        make_folder(arguments.out)
        return check(arguments.out)
    return by_hand()


def make_folder(out: Path) -> None:
    """Make the folder for proofs, unless it is there, before a whole call is made for it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise SystemExit(
            f"{out} cannot be used as a folder: {error.strerror}\n"
            'Name another, new or your own, like: make demo ARGS="--check --out out"'
        ) from error


def by_hand() -> int:
    """Start both nodes, pair them once, print what to open, and wait for Ctrl-C."""
    ports = free_ports(8)
    nodes = [DemoNode(ARCADIA, DATA / "arcadia"), DemoNode(BOREALIS, DATA / "borealis")]
    try:
        for number, node in enumerate(nodes):
            node.set_up(ports[4 * number : 4 * number + 4])
            print(f"starting {node.party.node} …", flush=True)
            node.start()
        if not is_paired(nodes[0]):
            words = pair(nodes[0], nodes[1], DATA / "borealis.invitation")
            print(f"paired; both sides saw the words: {words}")
        _print_what_to_do(nodes)
        signal.pause()
    except KeyboardInterrupt:
        print("\nending both nodes; what they hold stays in demo-data/")
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave a node behind
        for node in nodes:
            node.stop()
    return 0


def _print_what_to_do(nodes: list[DemoNode]) -> None:
    print("\nOpen each address in a window of its own (Chromium or Firefox), tap Sign in:\n")
    for node in nodes:
        print(f"  {node.party.principal}, {node.party.office}\n    {node.sign_in_link()}")
    print(
        "\nThen tap the other's name on one page and answer on the other. Allow the microphone;"
        "\nuse headphones, or the two pages hear each other. A link works once, for 15 minutes:"
    )
    for node in nodes:
        print(f'  .venv/bin/telcon --data {node.folder} link "{node.party.principal}"')
    print("\nCtrl-C ends both nodes.", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end in order, as after Ctrl-C
    sys.exit(main())
