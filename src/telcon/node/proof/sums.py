"""SHA256SUMS of a folder held against what lies in it: the first check of every folder."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from telcon.errors import MalformedError
from telcon.node.proof import layout
from telcon.node.proof.files import Files
from telcon.node.proof.steps import Progress, Step, counted


@dataclass(slots=True)
class Summed:
    """What the sums tell of a folder."""

    faults: list[str] = field(default_factory=list)
    """Every altered, missing and additional file, in words."""
    digests: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Path to SHA-256, in hex, and size of each file that is there and named."""


def check_sums(files: Files, paths: Sequence[str], progress: Progress) -> Summed:
    """Hold the files `paths` of a folder against its SHA256SUMS.

    Raises:
        StorageError: the system refuses one.
    """
    summed = Summed()
    if layout.SUMS not in paths:
        summed.faults.append(f"{layout.SUMS} is missing")
        return summed
    try:
        sums = layout.parse_sums_untrusted(files.read(layout.SUMS, layout.MAX_SUMS_OCTETS))
    except MalformedError as error:
        summed.faults.append(str(error))
        return summed
    present = set(paths) - {layout.SUMS}
    summed.faults += [
        f"{p} is additional: SHA256SUMS does not name it" for p in sorted(present - sums.keys())
    ]
    summed.faults += [f"{p} is missing" for p in sorted(sums.keys() - present)]
    both = sorted(present & sums.keys())
    for path in counted(both, Step.FILES, len(both), progress):
        try:
            summed.digests[path] = files.digest(path)
        except MalformedError as error:
            summed.faults.append(str(error))
            continue
        if summed.digests[path][0] != sums[path]:
            summed.faults.append(f"{path} was altered")
    return summed
