"""A line as its stored record begins it: who the sides are, where the peer is, the log's head."""

from telcon.core import draft as drafts
from telcon.core.duties import RECORDER_CONDITIONS, Firmness
from telcon.core.entry import SUPPORTED_TYPES
from telcon.core.events import LineIdentity
from telcon.ledger import MlDsaSigningKey, SigningKey, key_card_hash, parse_key_card, root_at
from telcon.node.evidence import write_acknowledged
from telcon.node.line import Line
from telcon.node.link.line_link import LinkPeer
from telcon.node.link.statement import parse_statement_untrusted
from telcon.node.store import Store, StoreReader
from telcon.node.store.records import LineRecord

__all__ = ["identity_of", "link_peer_of", "open_log", "was_confirmed_there"]


def identity_of(record: LineRecord) -> LineIdentity:
    """Return who the two sides of a stored line are, and our keys."""
    return LineIdentity(
        own_name=record.own_name,
        peer_name=record.peer_name,
        line=record.line,
        own_card=parse_key_card(record.own_card),
        peer_card=parse_key_card(record.peer_card),
        log_key=SigningKey(record.log_seed),
        mirror_key=SigningKey(record.mirror_seed),
        log_ml_dsa_key=_ml_dsa_key(record.log_ml_dsa_seed),
        mirror_ml_dsa_key=_ml_dsa_key(record.mirror_ml_dsa_seed),
    )


def _ml_dsa_key(seed: bytes | None) -> MlDsaSigningKey | None:
    return None if seed is None else MlDsaSigningKey(seed)


def link_peer_of(record: LineRecord) -> LinkPeer:
    """Return whom the link of a stored line lets in and dials."""
    return LinkPeer(
        line=record.line,
        own_name=record.own_name,
        peer_name=record.peer_name,
        certificate=parse_statement_untrusted(record.peer_statement).certificate_der,
        addresses=record.peer_addresses,
    )


async def open_log(
    line: Line, store: Store, record: LineRecord, recorder_stopped: Firmness
) -> None:
    """Write the first entries of our log, those that are not there yet.

    After the opening and the terms, what the operator took note of; see `telcon.node.evidence`.

    Terms are stated anew when this version gives effect to more than they list, or the settings say
    something else of a recorder that stops. The first are those that were exchanged at pairing.

    Raises:
        LinkDownError: the node is closing.
    """
    fold, identity = line.machine.fold, line.identity
    if line.machine.state != "going":
        return
    before = _before(store, record)
    if fold.is_frozen:  # it takes no more of what follows, but what was taken note of
        await write_acknowledged(line, store, before)
        return
    if fold.size(identity.own_card.log.name) == 0:
        cards = sorted((identity.own_card, identity.peer_card), key=lambda card: card.name)
        hashes = (key_card_hash(cards[0]), key_card_hash(cards[1]))
        await line.act(drafts.line_opened(hashes, _previous(store, before)))
    fold, own = line.machine.fold, identity.own_card.log.name
    condition = RECORDER_CONDITIONS[recorder_stopped]
    conditions = (condition,) if condition else ()
    types = {name for name, _ in SUPPORTED_TYPES}
    stated = fold.line.terms.get(own)
    if stated is None and not fold.is_frozen:
        await line.act(drafts.line_terms(record.link_lost))
        is_new = bool(conditions)
    else:
        is_new = stated is not None and (
            not types <= stated.types or stated.conditions != conditions
        )
    if is_new and not line.machine.fold.is_frozen:
        await line.act(drafts.line_terms(record.link_lost, conditions=conditions))
    await write_acknowledged(line, store, before)


def _previous(store: Store, before: LineRecord | None) -> tuple[str, int, bytes] | None:
    """Return origin, size and root of our log of the line `before`, which another replaces."""
    if before is None:
        return None
    log = store.stored_log(before.own_origin)
    return (log.origin, log.size, root_at(log.size, log.hash)) if log.size else None


def _before(store: Store, record: LineRecord) -> LineRecord | None:
    """Return the line that `record` takes the place of.

    One that the other side never confirmed is none: it could not tell what our log goes on from.
    """
    older = [
        other
        for other in store.lines()
        if other.peer_name == record.peer_name
        and other.confirmed_at_us < record.confirmed_at_us
        and was_confirmed_there(store, other)
    ]
    return max(older, key=lambda one: one.confirmed_at_us, default=None)


def was_confirmed_there(store: StoreReader, record: LineRecord) -> bool:
    """Say whether the other side is shown to have ever been on a line.

    Where it typed other words at the pairing it kept nothing, and never will be.
    """
    is_held = store.stored_log(record.own_origin).newest_note() is not None
    return is_held or store.stored_log(record.peer_origin).size > 0
