"""Which modules a page is made of, so that the browser can ask for all of them at once.

Without it each module is asked for when the one that imports it has come: on a phone far away that
is a round trip for each step of the chain.
"""

import re
from pathlib import Path

__all__ = ["modules_of"]

_IMPORT = re.compile(r'^import\s[^;"]*"(\./|\.\./)([^"]+)";', re.MULTILINE)


def modules_of(static: Path, first: str) -> list[str]:
    """Return the files below `static` that `first` imports, and what those import, in order."""
    found: list[Path] = []
    waiting = [(static / first).resolve()]
    while waiting:
        module = waiting.pop(0)
        imports = _IMPORT.finditer(module.read_text(encoding="utf-8"))
        new = [(module.parent / "".join(match.groups())).resolve() for match in imports]
        for one in new:
            if one not in found:
                found.append(one)
                waiting.append(one)
    return [path.relative_to(static.resolve()).as_posix() for path in found]
