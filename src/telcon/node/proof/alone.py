"""Acts that their author logged and nobody else is shown to have held: kept apart, never proven.

    SIDE/alone/NAME.entry  NAME.tlog-proof  NAME.opened.json

The proof leads to a checkpoint that the author alone signed. Where there is none either, since the
other node was never heard after the act, the entry lies there bare. A further witness that signed
the checkpoint would stand in the same note, and a policy that names it would make it a receipt.
"""

from dataclasses import dataclass

from telcon.core.call import Place
from telcon.core.entry import Entry, entry_type, read_entry_untrusted
from telcon.core.seal import Opening, opening_fits
from telcon.core.void import Void
from telcon.errors import MalformedError, ProofError
from telcon.ledger import (
    Policy,
    VerifierKey,
    organisation,
    parse_tlog_proof,
    verify_tlog_proof,
)
from telcon.node.proof.layout import parse_openings_untrusted, receipt_stem, stem_index_untrusted


@dataclass(frozen=True, slots=True)
class Alone:
    """One act, and what its author's signature says of it."""

    path: str
    place: Place
    """Where it stands: by its author's signature, or without one by its file's name."""
    entry: Entry
    openings: tuple[Opening, ...]
    is_signed: bool
    says: str
    """A sentence."""


def author_policy(log: VerifierKey) -> Policy:
    """Return the policy that asks for the author's own signature: it proves nothing to anybody."""
    return Policy(log, (), (), None)


def check_alone(
    path: str, data: bytes, proof: bytes | None, opened: bytes | None, log: VerifierKey
) -> Alone:
    """Check what there is of an act that nobody else is shown to have held.

    Raises:
        PeerError: it does not hold; the message says why.
    """
    entry = read_entry_untrusted(data)
    if isinstance(entry, Void):
        raise MalformedError(f"it is no entry: {entry.value}")
    index = stem_index_untrusted(path.rpartition("/")[2])
    if proof is not None:
        index = verify_tlog_proof(parse_tlog_proof(proof), data, author_policy(log)).index
    if path.rpartition("/")[2] != receipt_stem(index, entry_type(entry)):
        raise ProofError(f"it is {receipt_stem(index, entry_type(entry))}, not what its name says")
    openings = () if opened is None else tuple(parse_openings_untrusted(opened))
    for opening in openings:
        if not opening_fits(entry, log.name, opening):
            raise ProofError(f"the opening of {opening.member!r} does not fit a seal of the entry")
    is_signed = proof is not None
    return Alone(path, (log.name, index), entry, openings, is_signed, _says(log, is_signed))


def _says(log: VerifierKey, is_signed: bool) -> str:
    if is_signed:
        return (
            f"The holder of key {log.name} logged this and signed that it did; nobody else is shown"
            " to have held it."
        )
    return (
        f"This is said to stand in the log of {organisation(log.name)}; nobody signed it, and"
        " nobody else is shown to have held it."
    )
