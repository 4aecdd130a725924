"""What call.json says of a call, as far as a layer shows it."""

from typing import Final, NamedTuple

from telcon.core.call import CallState
from telcon.core.transitions import Phase
from telcon.node.proof.layout import LAYER_NAMES
from telcon.node.proof.wording import utc_from_us

_REFUSED: Final = frozenset({Phase.DECLINED, Phase.CANCELLED, Phase.MISSED, Phase.MERGED})


class Told(NamedTuple):
    """A call in plain words; "" where there is nothing or the layer hides it."""

    outcome: str
    mode: str
    initiated_by: list[str]
    rung: str
    answered: str
    ended: str


def tell(call: CallState, layer: str) -> Told:
    """Return what `layer` shows of `call`: its end only from the layer duration on."""
    with_end = layer != LAYER_NAMES[0] or call.phase in _REFUSED
    begun = "rung" if call.answered is None else "answered"
    return Told(
        outcome=str(call.phase) if with_end else begun,
        mode=call.mode if layer == LAYER_NAMES[-1] else "",
        initiated_by=sorted(call.initiated_by),
        rung=utc_from_us(call.rung_us),
        answered=_time(call.answered_us),
        ended=_time(call.ended_us) if with_end else "",
    )


def _time(time_us: int | None) -> str:
    return "" if time_us is None else utc_from_us(time_us)
