"""Nodes that write nothing by themselves: a line test at the full hour would spoil a count."""

import re
from pathlib import Path


def let_lines_be_tested(folder: Path, minutes: int) -> None:
    """Change how often the node in `folder` tests its lines, from its next start on."""
    file = folder / "node.toml"
    every = rf"test_every_minutes = {minutes}"
    file.write_text(re.sub(r"test_every_minutes = \d+", every, file.read_text()))
