"""One receipt: an entry, its proof, its openings, checked under a policy."""

from collections.abc import Sequence
from dataclasses import dataclass

from telcon.core.entry import Entry, parse_entry_untrusted
from telcon.core.house import (
    HouseEntry,
    house_opening_fits,
    is_house_origin,
    parse_house_entry_untrusted,
)
from telcon.core.seal import Opening, opening_fits
from telcon.core.void import VoidError
from telcon.errors import MalformedError, ProofError
from telcon.ledger import (
    Policy,
    ProvenEntry,
    log_origin,
    mirror_name,
    organisation,
    parse_note_untrusted,
    parse_tlog_proof,
    verify_tlog_proof,
)
from telcon.ledger.checkpoint import parse_checkpoint_untrusted
from telcon.node.proof.layout import parse_openings_untrusted
from telcon.node.proof.trust import Keys


@dataclass(frozen=True, slots=True)
class ProvenReceipt:
    """A receipt that holds under the keys it was checked with."""

    path: str
    proven: ProvenEntry
    data: bytes
    """The entry's bytes."""
    entry: Entry | None
    """The entry as telcon reads it; None for foreign bytes, which are proven all the same."""
    openings: tuple[Opening, ...]
    """Each fits its seal."""
    mirror: str = ""
    """Name of the mirror's key of a telcon line, which promises to hold all; empty if it is no such
    line's."""
    further: frozenset[str] = frozenset()
    """Names of the further witnesses that the policy knows, of neither side of the line."""
    house: HouseEntry | None = None
    """The entry of a house log as telcon reads it."""


def check_receipt(
    path: str, proof: bytes, data: bytes, opened: bytes | None, keys: Keys
) -> ProvenReceipt:
    """Check a receipt's proof for the entry `data`, and that each opening fits its seal.

    Raises:
        PeerError: it does not hold; the message says why.
    """
    read = parse_tlog_proof(proof)
    checkpoint = parse_checkpoint_untrusted(parse_note_untrusted(read.checkpoint_note).text)
    policy = keys.policy_for(checkpoint.origin)
    proven = verify_tlog_proof(read, data, policy)
    mirror = line_mirror(policy)
    entry = _read_entry(data) if mirror else None
    house = _read_house(data) if is_house_origin(policy.log.name) else None
    openings = () if opened is None else _check_openings(entry or house, proven.origin, opened)
    further = further_witnesses(policy) if mirror else frozenset()
    return ProvenReceipt(path, proven, data, entry, tuple(openings), mirror, further, house)


def line_mirror(policy: Policy) -> str:
    """Return the name of the mirror in the policy of a telcon line; "" if it is no such policy.

    It is one side's log, and cannot be met without the other side's mirror.
    """
    author, _, line = policy.log.name.partition("/line/")
    cosigners = [witness.key for witness in policy.witnesses]
    mirrors = {key.name for key in cosigners if _is_mirror(key.name, line)}
    if policy.log.name != log_origin(author, line) or len(mirrors) != 1:
        return ""
    others = {key.public for key in cosigners if key.name not in mirrors}
    return "" if policy.is_met_by(others) else mirrors.pop()


def further_witnesses(policy: Policy) -> frozenset[str]:
    """Return the names of a line policy's witnesses that are of neither of its two sides."""
    sides = {organisation(name).casefold() for name in (policy.log.name, line_mirror(policy))}
    names = {witness.key.name for witness in policy.witnesses}
    return frozenset(name for name in names if organisation(name).casefold() not in sides)


def _is_mirror(name: str, line: str) -> bool:
    return name == mirror_name(organisation(name), line)


def _read_entry(data: bytes) -> Entry | None:
    try:
        return parse_entry_untrusted(data)
    except VoidError:
        return None


def _read_house(data: bytes) -> HouseEntry | None:
    try:
        return parse_house_entry_untrusted(data)
    except MalformedError:
        return None


def _check_openings(
    entry: Entry | HouseEntry | None, origin: str, opened: bytes
) -> Sequence[Opening]:
    openings = parse_openings_untrusted(opened)
    for opening in openings:
        if entry is None or not _fits(entry, origin, opening):
            raise ProofError(f"the opening of {opening.member!r} does not fit a seal of the entry")
    return openings


def _fits(entry: Entry | HouseEntry, origin: str, opening: Opening) -> bool:
    if isinstance(entry, HouseEntry):
        return house_opening_fits(entry, origin, opening)
    return opening_fits(entry, origin, opening)
