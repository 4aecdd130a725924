"""What may happen to a call when: phase and author's side against entry type, as one table of data.

A cell is either the phase that the entry leads to or the reason for which it is void. The table
speaks of an entry whose causal past shows the call in that phase; what two acts make together that
knew nothing of each other, `PRECEDENCE` settles (see `telcon.core.settle`). The picture in the docs
is printed from this table.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeAlias

from telcon.core.void import Void

__all__ = [
    "ENDS",
    "EVENTS",
    "PRECEDENCE",
    "STANDINGS",
    "TABLE",
    "Cell",
    "Phase",
    "Side",
    "Standing",
    "table_markdown",
]


class Phase(StrEnum):
    """Where a call is; `NONE` where nobody has rung."""

    NONE = "no call"
    RINGING = "ringing"
    LIVE = "live"
    ENDED = "ended"
    DECLINED = "declined"
    MISSED = "missed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    MERGED = "merged"


class Side(StrEnum):
    """Whose act it is, seen from the ring; `ANY` where there is no ring yet."""

    ANY = "either side"
    RINGER = "ringing side"
    RUNG = "rung side"


Standing: TypeAlias = tuple[Phase, Side]
Cell: TypeAlias = Phase | Void

EVENTS: Final = (
    "call.ring",
    "call.ringing",
    "call.answer",
    "call.decline",
    "call.cancel",
    "call.missed",
    "call.join",
    "call.leave",
    "call.mode",
    "call.record-on",
    "call.record-chunk",
    "call.record-gap",
    "call.record-held",
    "call.record-agreed",
    "call.record-sealed",
    "call.record-destroyed",
    "call.record-off",
    "call.hang-up",
    "call.fail",
    "message",
)

PRECEDENCE: Final = (
    Phase.MERGED,
    Phase.ENDED,
    Phase.DECLINED,
    Phase.MISSED,
    Phase.CANCELLED,
    Phase.FAILED,
    Phase.LIVE,
    Phase.RINGING,
    Phase.NONE,
)
"""Of the phases that effective acts lead to, the first of these is the call's phase.

So an end stands before what lives, and ends before each other by the rank of docs/protocol.md §4.
"""

ENDS: Final = frozenset(PRECEDENCE[: PRECEDENCE.index(Phase.LIVE)])


def _row(default: Cell, **cells: Cell) -> dict[str, Cell]:
    """Return a row: `default` but for the named events (`hang_up` for `call.hang-up`)."""
    named = {_event(name): cell for name, cell in cells.items()}
    return {event: named.get(event, default) for event in EVENTS}


def _event(name: str) -> str:
    return "message" if name == "message" else "call." + name.replace("_", "-")


def _ended(phase: Phase, *, lived: bool) -> dict[str, Cell]:
    """Return the row of a call that is over; recordings are closed and messages go on."""
    records: Cell = phase if lived else Void.NOT_LIVE
    return _row(
        Void.CALL_ENDED,
        ring=Void.CALL_ID_USED,
        record_chunk=records,
        record_gap=records,
        record_held=records,
        record_agreed=records,
        record_sealed=records,
        record_destroyed=records,
        record_off=records,
        message=phase,
    )


_RINGING: Final[dict[str, Cell]] = {
    "ring": Void.CALL_ID_USED,
    "join": Phase.RINGING,
    "leave": Phase.RINGING,
    "fail": Phase.FAILED,
    "message": Phase.RINGING,
}
_LIVE: Final[dict[str, Cell]] = {
    "ring": Void.CALL_ID_USED,
    "hang_up": Phase.ENDED,
    "fail": Phase.FAILED,
}

TABLE: Final[Mapping[Standing, dict[str, Cell]]] = {
    (Phase.NONE, Side.ANY): _row(Void.NO_SUCH_CALL, ring=Phase.RINGING),
    (Phase.RINGING, Side.RINGER): _row(
        Void.NOT_LIVE,
        **_RINGING,
        ringing=Void.NOT_YOURS,
        answer=Void.NOT_YOURS,
        decline=Void.NOT_YOURS,
        cancel=Phase.CANCELLED,
        missed=Void.NOT_YOURS,
    ),
    (Phase.RINGING, Side.RUNG): _row(
        Void.NOT_LIVE,
        **_RINGING,
        ringing=Phase.RINGING,
        answer=Phase.LIVE,
        decline=Phase.DECLINED,
        cancel=Void.NOT_YOURS,
        missed=Phase.MISSED,
    ),
    (Phase.LIVE, Side.RINGER): _row(
        Phase.LIVE,
        **_LIVE,
        ringing=Void.NOT_YOURS,
        answer=Void.NOT_YOURS,
        decline=Void.NOT_YOURS,
        cancel=Void.ALREADY_ANSWERED,
        missed=Void.NOT_YOURS,
    ),
    (Phase.LIVE, Side.RUNG): _row(
        Phase.LIVE,
        **_LIVE,
        ringing=Void.NOT_RINGING,
        answer=Void.ALREADY_ANSWERED,
        decline=Void.ALREADY_ANSWERED,
        cancel=Void.NOT_YOURS,
        missed=Void.ALREADY_ANSWERED,
    ),
} | {
    (phase, side): _ended(phase, lived=phase not in (Phase.DECLINED, Phase.MISSED))
    for phase in Phase
    if phase in ENDS
    for side in (Side.RINGER, Side.RUNG)
}
"""Phase and author's side → entry type → the phase it leads to, or why it is void.

A cell that is the row's own phase leaves the call where it is. The fold asks more of some entries
(handles, tracks, references); chunks and closings after the end also want
that the call was answered.
"""

STANDINGS: Final = tuple(TABLE)


def table_markdown(hits: Mapping[tuple[Standing, str], int] | None = None) -> str:
    """Return the table as Markdown; with `hits`, how often each cell was met stands beside it."""
    lines = [
        f"| phase, act of | {' | '.join(event.removeprefix('call.') for event in EVENTS)} |",
        "|---" * (len(EVENTS) + 1) + "|",
    ]
    for standing in STANDINGS:
        cells = [_show(standing, event, hits) for event in EVENTS]
        lines.append(f"| {standing[0].value}, {standing[1].value} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _show(standing: Standing, event: str, hits: Mapping[tuple[Standing, str], int] | None) -> str:
    cell = TABLE[standing][event]
    text = f"*{cell.value}*" if isinstance(cell, Void) else f"**{cell.value}**"
    return text if hits is None else f"{text} {hits.get((standing, event), 0)}"
