"""What is held of a chunk, as the entry that says so has room for it. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from telcon.core.draft import HeldTrack, Runs
from telcon.core.entry import MAX_CHUNK_PACKETS, MAX_ENTRY_BYTES
from telcon.node.record.claims import Claim, Finding

__all__ = ["held_tracks"]

MAX_RUNS_STATED: Final = 1_000
"""Of one kind and track in `call.record-held`."""

RUNS_OCTETS: Final = MAX_ENTRY_BYTES - 2_048
"""For the runs of one entry; more are drawn together."""


def held_tracks(found: Iterable[tuple[Claim, Finding]]) -> list[HeldTrack]:
    """Return what is held of the claims of one chunk, as `call.record-held` takes it.

    Runs are drawn together until all fit into an entry: they hold all such packets, and more.
    """
    tracks = [_held_track(claim, finding) for claim, finding in found]
    apart = 1
    fitting = tracks
    while not _fits(fitting) and apart < 2 * MAX_CHUNK_PACKETS:  # then each is one run
        apart *= 2
        fitting = [_draw_together(track, apart) for track in tracks]
    return fitting


def _held_track(claim: Claim, finding: Finding) -> HeldTrack:
    return (
        claim.track[1],
        finding.root.hex(),
        finding.repaired,
        finding.absent,
        finding.differing,
    )


def _fits(tracks: Sequence[HeldTrack]) -> bool:
    longest = max(len(kind) for _, _, *kinds in tracks for kind in kinds)
    return longest <= MAX_RUNS_STATED and sum(len(str(one)) for one in tracks) <= RUNS_OCTETS


def _draw_together(track: HeldTrack, apart: int) -> HeldTrack:
    number, root, repaired, absent, differing = track
    return (
        number,
        root,
        _drawn_together(repaired, apart),
        _drawn_together(absent, apart),
        _drawn_together(differing, apart),
    )


def _drawn_together(apart_runs: Runs, apart: int) -> Runs:
    found: list[tuple[int, int]] = []
    for first, count in apart_runs:
        if found and first - sum(found[-1]) <= apart:
            found[-1] = (found[-1][0], first + count - found[-1][0])
        else:
            found.append((first, count))
    return tuple(found)
