"""What must hold for two joined nodes once all is quiet, computed anew from raw entries.

The tree is hashed here by the plain recursion of RFC 6962 §2.1, not by `telcon.ledger.merkle`.
"""

from hashlib import sha256

from fakes.joined import Pair, Side
from fakes.memory_log import MemoryLog
from telcon.core.entry import VoidError, parse_entry_untrusted
from telcon.core.seal import opening_fits, owed_members
from telcon.ledger import (
    VerifierKey,
    parse_checkpoint_untrusted,
    parse_note_untrusted,
    verify_note,
)


def plain_root(entries: list[bytes]) -> bytes:
    """Return the tree hash of RFC 6962 §2.1, as it is written there."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    return sha256(b"\x01" + plain_root(entries[:split]) + plain_root(entries[split:])).digest()


def check_notes(log: MemoryLog, author: VerifierKey, mirror: VerifierKey) -> int:
    """Verify each stored checkpoint of `log`; return the size of the newest cosigned one."""
    newest = 0
    for size, kept in log.notes.items():
        note = parse_note_untrusted(kept.note)
        signers = [key for key, _ in verify_note(note, [author, mirror]).verified]
        checkpoint = parse_checkpoint_untrusted(note.text)
        assert checkpoint.size == size <= log.size
        assert checkpoint.root == plain_root(log.all_entries()[:size])
        assert author in signers
        assert kept.cosigned == (mirror in signers)
        if kept.cosigned:
            newest = max(newest, size)
    return newest


def check_openings(log: MemoryLog) -> None:
    """Check that every owed seal has its opening."""
    for index, entry in enumerate(log.all_entries()):
        try:
            parsed = parse_entry_untrusted(entry)
        except VoidError:
            continue
        kept = {one.member: one for one in log.opened.get(index, [])}
        assert set(kept) == owed_members(parsed), index
        assert all(opening_fits(parsed, log.origin, one) for one in kept.values())


def check_told(side: Side) -> None:
    """Check that what was told durable is in the store, under its index."""
    entries = side.store.own.all_entries()
    for event in side.held:
        assert event.entry == parse_entry_untrusted(entries[event.index])


def check_always(pair: Pair) -> None:
    """Check what must hold at every instant, whatever is under way or cut off."""
    for side in pair.sides:
        store, mirror = side.store, pair.other(side).store.theirs
        assert store.marker is not None
        assert store.marker.size <= store.own.size
        # Acknowledged means durable on both sides; told as held means durable here.
        assert side.machine.cosigned_by_peer <= min(mirror.size, store.own.size)
        assert not side.held or side.held[-1].index < store.own.size
        assert side.machine.cosigned_here <= store.theirs.size


def check_pair(pair: Pair) -> None:
    """Check all that must hold when both are connected and nothing is under way."""
    for side in pair.sides:
        other = pair.other(side)
        own, mirrored = side.store.own, other.store.theirs
        assert own.all_entries() == mirrored.all_entries()
        author = other.machine._books.identity.peer_card.log
        mirror = side.machine._books.identity.peer_card.mirror
        assert check_notes(own, author, mirror) == own.size
        assert check_notes(mirrored, author, mirror) == own.size
        check_openings(own)
        check_openings(mirrored)
        check_told(side)
        assert side.machine.state == "going"
        assert side.machine.cosigned_by_peer == other.machine.cosigned_here == own.size
        assert side.misbehaviour() == []
    check_folds(pair)


def check_folds(pair: Pair) -> None:
    """Check that both nodes say the same of the line."""
    ours, theirs = (side.machine.fold for side in pair.sides)
    assert ours.line == theirs.line
    # Between the two logs the order of messages is no part of the state.
    assert set(ours.messages) == set(theirs.messages)
    assert dict(ours.calls) == dict(theirs.calls)
