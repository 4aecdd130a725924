"""What became of a ring, in words: from the fold for whoever exports, from receipts for a stranger.

A ring that nobody took is told as carefully as a call: what each node logged, what the other is
shown to have held, and what none of it says about people.
"""

from collections.abc import Sequence
from typing import Final

from telcon.core.call import CallState
from telcon.core.entry import entry_type
from telcon.core.transitions import Phase
from telcon.ledger import organisation
from telcon.node.proof.receipt import ProvenReceipt
from telcon.node.proof.summary import Told

_OUTCOMES: Final = {
    "rung": "{ringer} rang. This folder does not say what became of it.",
    "answered": "{ringer} rang and {rung} answered. This folder does not say how it ended.",
    Phase.RINGING: "{ringer} rang, and it was still ringing when this was written.",
    Phase.LIVE: "{ringer} rang, {rung} answered, and the call was going on when this was written.",
    Phase.ENDED: "{ringer} rang, {rung} answered, and the call was ended.",
    Phase.DECLINED: "{ringer} rang, and {rung} did not take the call: its node logged a refusal.",
    Phase.MISSED: "{ringer} rang, and nobody answered at {rung}: its node logged that by itself.",
    Phase.CANCELLED: "{ringer} rang, and took its ring back before an answer that counted.",
    Phase.FAILED: "{ringer} rang, and the call could not be carried on: a node logged that.",
    Phase.MERGED: "Both rang at once: this ring of {ringer} went on as another call.",
}
_NOT_HELD: Final = (
    " {rung} is not shown to have held the ring: no signature of its node over it has come. What"
    " is here was logged by {ringer} alone, and proves nothing about {rung}."
)
_UNANSWERED: Final = frozenset({"rung", Phase.RINGING, Phase.MISSED, Phase.CANCELLED})
_NOBODY_SAYS: Final = (
    " Whether a device made a sound there, or a person noticed it, no log can say."
)

RING_S: Final = 60  # after that its own side takes it back (docs/protocol.md §4)

_LOGGED: Final = {
    "call.ringing": "{who}'s node logged that {devices} of its devices rang",
    "call.answer": "{who}'s node logged an answer",
    "call.decline": "{who}'s node logged that the call was not taken",
    "call.missed": "{who}'s node logged that nobody had answered there in time",
    "call.cancel": "{who}'s node logged that the ring was taken back",
    "call.hang-up": "{who}'s node logged a hanging-up",
    "call.fail": "{who}'s node logged that the call could not be carried on",
}
_TAKEN: Final = frozenset({"call.answer", "call.hang-up"})
_ENDS: Final = frozenset({"call.decline", "call.missed", "call.cancel", "call.fail"})


def outcome_words(call: CallState, told: Told, names: tuple[str, str], *, is_held: bool) -> str:
    """Say what became of `call`, as far as `told` shows it, to somebody who never saw telcon.

    `names` are the line's two nodes; `is_held`: whether the folder has the ring with the other
    side's signature.
    """
    ringer = organisation(call.rung[0])
    rung = names[0] if ringer == names[1] else names[1]
    text = _OUTCOMES[told.outcome]
    if not is_held:
        text += _NOT_HELD
    elif told.outcome in _UNANSWERED:
        text += _NOBODY_SAYS
    return text.format(ringer=ringer, rung=rung)


def shown_words(receipts: Sequence[ProvenReceipt], call: str) -> tuple[str, ...]:
    """Say what proven receipts of `call` tell together about a ring that was not taken.

    Empty where it was: a call that was answered is told act by act.
    """
    acts = {
        entry_type(receipt.entry): receipt
        for receipt in receipts
        if receipt.entry is not None and getattr(receipt.entry, "call", None) == call
    }
    if not acts or (acts.keys() & _TAKEN and not acts.keys() & _ENDS):
        return ()
    said = [_said(kind, acts[kind]) for kind in _LOGGED if kind in acts]
    if acts.keys() <= {"call.ring", "call.ringing", "call.join"}:
        said.append("no answer, refusal or end of it is in this folder")
    words = "; ".join(said)
    sentences = [f"Of the ring: {words}."] if said else []
    sentences += _held_late(acts.get("call.ring"))
    if "call.answer" in acts:
        sentences.append("Which of these acts count, the whole logs tell.")
    return tuple(sentences)


def unshown(receipts: Sequence[ProvenReceipt]) -> tuple[str, ...]:
    """Return what receipts of a ring that nobody took leave open about people."""
    kinds = {entry_type(receipt.entry) for receipt in receipts if receipt.entry is not None}
    if "call.ring" in kinds and not kinds & _TAKEN:
        return ("whether a device made a sound where it rang, or a person noticed it",)
    return ()


def _held_late(ring: ProvenReceipt | None) -> list[str]:
    """Say that a ring was held when it was over, as far as two clocks tell: nobody was rung."""
    if ring is None or ring.entry is None:
        return []
    cosigned = ring.proven.cosigned
    held_s = min((time_s for name, time_s in cosigned if name == ring.mirror), default=0)
    late_s = held_s - ring.entry.time // 1_000_000
    if late_s <= RING_S:
        return []
    words = (
        f"The ring was held by the other side {late_s} seconds after its author's clock said that"
        " it was made: by then it may have been over, and nothing shows that anything rang there."
    )
    return [words]


def _said(kind: str, receipt: ProvenReceipt) -> str:
    devices = getattr(receipt.entry, "devices", 0)
    return _LOGGED[kind].format(who=organisation(receipt.proven.origin), devices=devices)
