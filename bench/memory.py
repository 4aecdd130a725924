"""What an idle node holds in memory: 60 s after its start, with one line up and nobody signed in.

Both nodes are started anew after pairing, as they are every day. RSS counts every page that the
process has; PSS, printed beside it, counts those shared with other processes in part.
"""

import re
import tempfile
import time
from pathlib import Path

from bench.figures import Row, at_most
from bench.two_nodes import paired_nodes
from demo.nodes import DemoNode

__all__ = ["run"]

IDLE_S = 60.0
LIMIT_MIB = 110.0


def held(node: DemoNode) -> tuple[float, float]:
    """Return RSS and PSS of a node's process, in MiB."""
    rollup = Path(f"/proc/{node.pid}/smaps_rollup").read_text()
    sizes = dict(re.findall(r"^(\w+):\s+(\d+) kB$", rollup, re.MULTILINE))
    return int(sizes["Rss"]) / 1024, int(sizes["Pss"]) / 1024


def run() -> list[Row]:
    """Print both nodes, and return the row of the larger one.

    Raises:
        SystemExit: the line is not up, so that it would be another measurement.
    """
    with (
        tempfile.TemporaryDirectory(prefix="telcon-bench-") as place,
        paired_nodes(Path(place)) as nodes,
    ):
        for node in nodes:
            node.stop()
        for node in nodes:
            node.start()
        time.sleep(IDLE_S)
        found = [held(node) for node in nodes]
        lines = [node.telcon("line", "list") for node in nodes]
    for node, (rss, pss), line in zip(nodes, found, lines, strict=True):
        print(f"{node.party.node}: RSS {rss:.1f} MiB, PSS {pss:.1f} MiB   {line.strip()}")
    if not all(" up" in line for line in lines):
        raise SystemExit("the line is not up")
    rss, pss = max(found)
    name = f"idle node, {IDLE_S:.0f} s after start, one line up: RSS"
    return [at_most(name, rss, "MiB", LIMIT_MIB, f"PSS {pss:.1f} MiB", [one for one, _ in found])]
