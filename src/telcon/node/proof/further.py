"""Further witnesses in a proof folder: which checkpoint a receipt bears, which policy that meets.

A receipt bears the earliest checkpoint over its entry that as many of a line's witnesses cosigned
as the line wants; where there is none, one that any of them did; else the earliest that the two
sides signed. The policy asks for witnesses only if every checkpoint of the folder's side has them:
one policy is for all of them.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from telcon.errors import PolicyError
from telcon.ledger import (
    Policy,
    VerifierKey,
    add_signature_lines,
    format_signature_line,
    parse_note_untrusted,
    verify_checkpoint,
    with_witnesses,
)

if TYPE_CHECKING:
    from telcon.node.proof.export import ExportedLog

__all__ = ["FurtherWitnesses", "WitnessedLog", "policy_met"]


class FurtherWitnesses(Protocol):
    """A line's further witnesses and what they signed of our log."""

    @property
    def keys(self) -> tuple[tuple[VerifierKey, str], ...]:
        """Each with its address."""

    @property
    def needed(self) -> int:
        """How many of them a receipt should bear; at most as many as there are."""

    def note_over(self, index: int, needed: int) -> tuple[int, bytes] | None:
        """Return size and note of the earliest checkpoint over entry `index` that `needed` signed.

        The note bears the signatures of both sides and of all of them that signed it.
        """


def policy_met(policy: Policy, further: FurtherWitnesses, notes: Iterable[bytes]) -> Policy:
    """Return the stronger policy if all `notes` meet it, else the one that only names witnesses.

    Raises:
        PeerError: a note is not what it should be.
    """
    strong = with_witnesses(policy, further.keys, further.needed)
    try:
        for note in notes:
            verify_checkpoint(note, strong)
    except PolicyError:
        return with_witnesses(policy, further.keys, 0)
    return strong


class WitnessedLog:
    """A log whose cosigned checkpoints bear witnesses' cosignatures where they can."""

    def __init__(self, log: "ExportedLog", further: FurtherWitnesses) -> None:
        """Read `log`, and what `further` signed of it."""
        self._log, self._further = log, further
        self.hash, self.entries, self.openings = log.hash, log.entries, log.openings
        self.note, self.newest_note = log.note, log.newest_note
        self.signed_note_over, self.seconded_size = log.signed_note_over, log.seconded_size

    @property
    def origin(self) -> str:
        """The log's origin."""
        return self._log.origin

    @property
    def size(self) -> int:
        """How many entries it has."""
        return self._log.size

    def cosigned_note_over(self, index: int) -> tuple[int, bytes] | None:
        """Return size and note of the checkpoint that a receipt of entry `index` bears."""
        for needed in sorted({self._further.needed, 1}, reverse=True):
            if (found := self._further.note_over(index, needed)) is not None:
                return found
        return self._log.cosigned_note_over(index)

    def seconded_note_over(self, index: int) -> tuple[int, bytes] | None:
        """Return the same if it bears both sides' ML-DSA-44 signatures too, with them."""
        found = self.cosigned_note_over(index)
        second = self._log.seconded_note_over(found[0] - 1) if found is not None else None
        if found is None or second is None or second[0] != found[0]:
            return None
        known = {(one.name, one.key_id) for one in parse_note_untrusted(found[1]).signatures}
        more = parse_note_untrusted(second[1]).signatures
        lines = [format_signature_line(one) for one in more if (one.name, one.key_id) not in known]
        return found[0], add_signature_lines(found[1], lines)
