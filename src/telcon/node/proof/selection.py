"""Which entries and openings of a call a proof folder shows.

A call's entries are found by folding both logs: what the fold made void stays out, for a receipt of
it would suggest an act that never was. The layer then says which types and seals are shown.
"""

from collections.abc import Callable
from dataclasses import dataclass

from telcon.core.call import CallState, Place
from telcon.core.entry import LAYERS, CallRing, Entry, entry_type
from telcon.core.fold import Applied, LineFold
from telcon.core.replay import replayed_fold
from telcon.core.stored import StoredLog
from telcon.errors import MisuseError, OperatorError
from telcon.ledger import root_at
from telcon.node.proof.layout import LAYER_NAMES
from telcon.node.proof.steps import QUIET, TOLD_EACH, Progress, Step


@dataclass(frozen=True, slots=True)
class Shown:
    """What a layer shows: the types of entries, and the members whose seals are opened."""

    types: frozenset[str]
    members: frozenset[str]


@dataclass(frozen=True, slots=True)
class Selected:
    """An entry that took effect."""

    origin: str
    index: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Selection:
    """A call, and those of its entries that the layer shows."""

    call: CallState
    entries: tuple[Selected, ...]
    """By origin and index."""

    @property
    def idle(self) -> frozenset[Place]:
        """Where entries stand that lost to an act they knew nothing of."""
        return frozenset((late.origin, late.index) for late in self.call.late)


def shown_by(layer: str) -> Shown:
    """Return what `layer` shows together with the layers before it.

    Raises:
        MisuseError: no such layer.
    """
    if layer not in LAYER_NAMES:
        raise MisuseError(f"no layer {layer!r}; there are {', '.join(LAYER_NAMES)}")
    included = LAYERS[: LAYER_NAMES.index(layer) + 1]
    types = frozenset(name for each in included for name in each.types)
    return Shown(types, frozenset(name for each in included for name in each.members))


def select_call(
    ours: StoredLog, theirs: StoredLog, call: str, shown: Shown, progress: Progress = QUIET
) -> Selection:
    """Find the call with the id `call` in both logs of a line.

    Raises:
        OperatorError: the line has no such call.
        StorageError: the entries of a log are not those of its tree.
    """
    own: list[Selected] = []
    rings: dict[Place, Selected] = {}

    def sort(origin: str, index: int, applied: Applied) -> None:
        if applied.entry is None or applied.void is not None:
            return
        if getattr(applied.entry, "call", None) == call:
            own.append(Selected(origin, index, applied.entry))
        elif isinstance(applied.entry, CallRing):
            rings[origin, index] = Selected(origin, index, applied.entry)

    fold = fold_line(ours, theirs, sort, progress)
    if call not in fold.calls:
        raise OperatorError(f"this line has no call {call}", advice="Look it up in the history.")
    state = fold.calls[call]
    if state.own_ring in rings:  # both rang at once: the ring that merged into this call
        own.append(rings[state.own_ring])
    picked = [item for item in own if entry_type(item.entry) in shown.types]
    return Selection(state, tuple(sorted(picked, key=lambda item: (item.origin, item.index))))


def fold_line(
    ours: StoredLog,
    theirs: StoredLog,
    on_applied: Callable[[str, int, Applied], None] = lambda *_: None,
    progress: Progress = QUIET,
) -> LineFold:
    """Fold both logs of a line whole; `on_applied` is told of each entry, with its place.

    `progress` hears how far it is.

    Raises:
        StorageError: the entries of a log are not those of its tree.
    """
    logs = {ours.origin: ours, theirs.origin: theirs}

    def root_of(origin: str, size: int) -> bytes | None:
        return root_at(size, logs[origin].hash) if size <= logs[origin].size else None

    total, done = ours.size + theirs.size, 0

    def count(origin: str, index: int, applied: Applied) -> None:
        nonlocal done
        on_applied(origin, index, applied)
        done += 1
        if done % TOLD_EACH == 0:
            progress(Step.LOGS, done, total)

    return replayed_fold(ours, theirs, root_of, count)
