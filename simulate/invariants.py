"""What holds after every step of a world, whatever has gone wrong, and once all is mended.

Everything is held against what an outsider saw: the frames that went over the wire, and what each
node told its own people. The tree is hashed by code that shares nothing with `telcon.ledger`.
"""

from dataclasses import dataclass, field

from fakes.joined import Pair, Side, identity_of
from fakes.line_checks import check_folds, check_openings, plain_root
from simulate.records import Records
from stranger.evidence import roots_by_proof
from telcon.core import frames
from telcon.core.fold import LineFold
from telcon.core.gate import gate_of
from telcon.ledger import (
    parse_checkpoint_untrusted,
    parse_note_untrusted,
    verify_note,
)

__all__ = ["Witness", "check_evidence", "check_mended"]


@dataclass
class Account:
    """What an outsider knows of one node's log."""

    entries: list[bytes] = field(default_factory=list)
    """As they first went over the wire; nobody may ever put another in such a place."""
    roots: dict[int, bytes] = field(default_factory=dict)
    """By size: what the node signed."""
    delivered: int = 0
    """How much of it the node was ever shown to be cosigned."""
    told: dict[int, bytes] = field(default_factory=dict)
    """By index: what the node told its people to be durable."""
    compared: int = 0
    """How much of the mirror was held against `entries`."""


class Witness:
    """Looks at a world after each step."""

    def __init__(self, world: Pair) -> None:
        """Begin with a world in which nothing has happened."""
        self.accounts = {side.name: Account() for side in world.sides}
        self.is_forged = False
        """Whether a second history was made up for one side: then its log proves nothing."""
        self.records = {side.name: Records() for side in world.sides}
        """As each node has them."""
        self._folds: list[LineFold] = []
        self._judged = dict.fromkeys(self.accounts, 0)
        """Up to where both nodes were seen to give effect to the same entries, by author."""
        self._seen_frames = 0
        self._seen_held = {side.name: 0 for side in world.sides}

    def look(self, world: Pair, rolled_back: set[str]) -> None:
        """Check all that holds at every instant; `rolled_back` lost what it held of the other."""
        for name, data in world.carried[self._seen_frames :]:
            side = next(side for side in world.sides if side.name == name)
            self._check_frame(world, side, data)
        self._seen_frames = len(world.carried)
        for side in world.sides:
            self._check_told(side)
            self._check_kept(side)
            if not self.is_forged:
                self._check_mirror(world, side)
                self._check_delivered(world, side, rolled_back)
            self.records[side.name].look(side)
            _check_gate(world, side, rolled_back)
        self._check_effects(world)

    def look_back(self, world: Pair) -> None:
        """Check once more, at the end, what each node makes of every record."""
        for side in world.sides:
            self.records[side.name].check_all(side)
        if not self.is_forged:
            _check_agreed(world)

    def restored(self, side: Side, other: Side, *, is_marker_old: bool) -> None:
        """Take note that `side` begins anew on what an old copy holds.

        With a marker that is as old, it cannot know what it lacks before the other node says so;
        and of what was lost on its way to the other nobody knows any more.
        """
        side.held.clear()
        self.records[side.name] = Records()
        self._seen_held[side.name] = 0
        account = self.accounts[side.name]
        if is_marker_old:
            taken = other.machine._books.mirror.log.size
            account.told = {at: one for at, one in account.told.items() if at < side.store.own.size}
            account.roots = {size: root for size, root in account.roots.items() if size <= taken}
            del account.entries[taken:]
        self.accounts[other.name].compared = 0

    # -- what goes over the wire

    def _check_frame(self, world: Pair, side: Side, data: bytes) -> None:
        match frames.parse_frame_untrusted(data):
            case frames.Push() as push:
                self._check_push(side, push)
            case frames.Cosigned(size=size):
                assert size <= side.store.theirs.size, "cosigned beyond what is durable"
            case frames.Hello(last=note) | frames.Last(note=note) if note:
                self._check_shown(world, side, note)
            case frames.Second(note=note):
                self._check_second(side, note)
            case frames.Seconded(size=size):
                assert size <= side.store.theirs.size, "seconded beyond what is durable"
                assert size <= side.machine.cosigned_here, "seconded, and not cosigned"

    def _check_push(self, side: Side, push: frames.Push) -> None:
        account, marker = self.accounts[side.name], side.store.marker
        size = push.first + len(push.entries)
        assert marker is not None, "signed without a marker"
        assert size <= marker.size, "signed beyond the marker"
        assert size <= side.store.own.size, "signed what is not durable"
        checkpoint = parse_checkpoint_untrusted(parse_note_untrusted(push.note).text)
        assert checkpoint.size == size
        assert account.roots.setdefault(size, checkpoint.root) == checkpoint.root, "two histories"
        for index, entry in enumerate(push.entries, push.first):
            if index < len(account.entries):
                assert account.entries[index] == entry, "another entry in a place that was signed"
            elif index == len(account.entries):
                account.entries.append(entry)

    def _check_shown(self, world: Pair, side: Side, note: bytes) -> None:
        checkpoint = parse_checkpoint_untrusted(parse_note_untrusted(note).text)
        assert checkpoint.size <= side.store.theirs.size, "shown beyond what is durable"
        signed = self.accounts[world.other(side).name].roots.get(checkpoint.size)
        if not self.is_forged:
            assert signed == checkpoint.root, "shown what its author did not sign"

    def _check_second(self, side: Side, note: bytes) -> None:
        """See that ML-DSA-44 signs nothing that Ed25519 had not signed before."""
        account, marker = self.accounts[side.name], side.store.marker
        checkpoint = parse_checkpoint_untrusted(parse_note_untrusted(note).text)
        assert marker is not None, "signed without a marker"
        assert checkpoint.size <= min(marker.size, side.store.own.size), "signed and not durable"
        signed = account.roots.get(checkpoint.size)
        assert signed in (checkpoint.root, None), "two histories"
        assert plain_root(side.store.own.all_entries()[: checkpoint.size]) == checkpoint.root

    # -- what nodes hold and tell

    def _check_told(self, side: Side) -> None:
        told, seen = self.accounts[side.name].told, self._seen_held[side.name]
        for event in side.held[seen:]:
            assert event.index < side.store.own.size, "told to be durable, and not stored"
            told[event.index] = side.store.own.rows[event.index][0]
        self._seen_held[side.name] = len(side.held)

    def _check_kept(self, side: Side) -> None:
        if side.state != "going":
            return  # it has lost something, and knows: nothing is signed until it is back
        assert side.store.marker is not None
        assert side.store.marker.size <= side.store.own.size, "less than the marker, and it goes on"
        told = self.accounts[side.name].told
        if told:
            assert max(told) < side.store.own.size, "told to be durable, and lost"

    def _check_mirror(self, world: Pair, side: Side) -> None:
        """Hold the mirror against what the other node sent, entry for entry."""
        rows, account = side.store.theirs.rows, self.accounts[world.other(side).name]
        assert len(rows) <= len(account.entries), "the mirror holds what was never sent"
        for index in range(account.compared, len(rows)):
            assert rows[index][0] == account.entries[index], "the mirror holds something else"
        account.compared = len(rows)
        assert side.machine.cosigned_here <= len(rows), "cosigned beyond what is durable"

    def _check_effects(self, world: Pair) -> None:
        """See that both nodes give effect to the same entries, also those read anew at a start.

        Not while one has lost what the other holds of its log: by what it knows, the other's
        entries claim to have seen more than there is.
        """
        folds = [side.machine.fold for side in world.sides]
        if folds != self._folds:
            self._folds = folds
            self._judged = dict.fromkeys(self._judged, 0)
        if not all(_is_whole(side, world.other(side)) for side in world.sides):
            return
        for side in world.sides:
            own = side.store.own
            known = min(own.size, *(fold.size(own.origin) for fold in folds))
            for index in range(self._judged[side.name], known):
                one, other = (fold.has_effect(own.origin, index) for fold in folds)
                assert one == other, "void for one node alone"
            self._judged[side.name] = max(self._judged[side.name], known)

    def _check_delivered(self, world: Pair, side: Side, rolled_back: set[str]) -> None:
        """See that the other node holds what is delivered, unless it came back from a backup."""
        account, other = self.accounts[side.name], world.other(side)
        account.delivered = max(account.delivered, side.machine.cosigned_by_peer)
        if other.name not in rolled_back:
            assert account.delivered <= other.store.theirs.size, "delivered, and not held"


def _is_whole(side: Side, other: Side) -> bool:
    """Return whether `side` and its fold have all that `other` holds of its log."""
    own, mirrored = side.store.own, other.store.theirs
    if side.state != "going" or not mirrored.size <= own.size <= side.machine.fold.size(own.origin):
        return False
    return not mirrored.size or own.rows[mirrored.size - 1][0] == mirrored.rows[-1][0]


def _check_gate(world: Pair, side: Side, rolled_back: set[str]) -> None:
    """See that nobody is heard before both nodes hold the entries that open the call."""
    fold, own, other = side.machine.fold, side.store.own.origin, world.other(side)
    for state in fold.going_on():
        gate = gate_of(
            fold, state.call, own, side.machine.cosigned_by_peer, side.machine.cosigned_here
        )
        if not gate.send or other.name in rolled_back:
            continue
        assert state.answered is not None
        for origin, index in (state.rung, state.answered):
            held = other.store.theirs if origin == own else side.store.theirs
            assert index < held.size, "heard before both hold what opens the call"


def _check_agreed(world: Pair) -> None:
    """See that no statement of a whole record reads otherwise on the other node.

    A node that was set back with its marker, and wrote before it heard of it, holds entries that
    it never signed where the other holds what it did: its log has ended, and says so.
    """
    one, other = (side.machine.fold for side in world.sides)
    ended = {side.store.own.origin for side in world.sides if side.machine.broken}
    for call in one.calls:
        if call not in other.calls:
            continue
        for author, (index, tracks) in one.calls[call].agreed.items():
            known = other.calls[call].agreed.get(author)
            if known is not None and known[0] == index and author not in ended:
                assert known[1] == tracks, "stated as agreed, and something else on the other node"


def check_mended(world: Pair, witness: Witness) -> None:
    """Check all that holds once nothing goes wrong any more, both are linked, and all is quiet."""
    for side in world.sides:
        account, own = witness.accounts[side.name], side.store.own.all_entries()
        assert side.state == "going", f"{side.name} is {side.state}: {side.machine.broken}"
        assert world.other(side).store.theirs.all_entries() == own, "the mirror is another log"
        assert side.machine.cosigned_by_peer == len(own), "not all is delivered"
        assert own[: len(account.entries)] == account.entries, "what was sent has changed"
        for index, entry in account.told.items():
            assert own[index] == entry, "what was told to be durable has changed"
        _check_newest_note(side)
        if world.ml_dsa:
            _check_newest_seconded(world, side)
        check_openings(world.other(side).store.theirs)
    check_folds(world)


def _check_newest_note(side: Side) -> None:
    newest = side.store.own.newest_note()
    assert newest is not None
    identity = identity_of(side.name)
    keys = [identity.own_card.log, identity.peer_card.mirror]
    note = verify_note(parse_note_untrusted(newest[1]), keys)
    assert len(note.verified) == len(keys), "not signed by both"
    checkpoint = parse_checkpoint_untrusted(note.text)
    assert checkpoint.root == plain_root(side.store.own.all_entries()[: checkpoint.size])


def _check_newest_seconded(world: Pair, side: Side) -> None:
    own, identity = side.store.own, identity_of(side.name, ml_dsa=True)
    assert own.seconded_size() == own.size, "the newest checkpoint is not signed by ML-DSA-44"
    log, mirror = identity.own_card.log_ml_dsa, identity.peer_card.mirror_ml_dsa
    assert log is not None
    assert mirror is not None
    held = [own.seconded, world.other(side).store.theirs.seconded]  # a backup may lack the latter
    for kept in [notes[own.size] for notes in held if own.size in notes]:
        note = verify_note(parse_note_untrusted(kept.note), [log, mirror])
        assert len(note.verified) == 2, "not signed by both"
        checkpoint = parse_checkpoint_untrusted(note.text)
        assert checkpoint.root == plain_root(own.all_entries()), "signed for another tree"


def check_evidence(side: Side) -> None:
    """Check that each proof of a second history proves one, by code of nobody who made it."""
    identity = identity_of(side.name)
    keys = [identity.own_card.log, identity.peer_card.log]
    assert side.store.evidence, "a second history, and no proof of it is kept"
    for fork in side.store.evidence:
        first, second = [
            parse_checkpoint_untrusted(verify_note(parse_note_untrusted(note), keys).text)
            for note in (fork.first, fork.second)
        ]
        assert first.origin == second.origin
        if first.size == second.size:
            assert first.root != second.root
            continue
        true, *proof = fork.path
        roots = roots_by_proof(first.size, second.size, proof, is_whole=true)
        assert roots == (true, second.root), "the path leads elsewhere"
        assert true != first.root
