"""One world: two nodes that talk, and everything that goes wrong between and inside them.

A world is a `Pair` of the tests (machines, disks and network in virtual time) with a will of its
own. It ends mended, with a log that had to end, or with proof that a peer signed two histories.
"""

from collections import Counter
from collections.abc import Callable
from random import Random

from fakes.joined import Pair, Side, identity_of
from fakes.line_checks import plain_root
from fakes.memory_log import MemoryStore
from simulate.acts import WORDS, Actor
from simulate.invariants import Witness, check_evidence, check_mended
from simulate.records import effects
from telcon.core import draft as drafts
from telcon.core import frames
from telcon.core.events import ForkFound, LineUp
from telcon.core.machine import Commit, Marker
from telcon.errors import BusyError, IllegalActError, LinkDownError
from telcon.ledger import Checkpoint, fork_hash, sign_checkpoint

__all__ = ["FAULT_POINTS", "World"]

ACTS = 120
CALM = 0.3  # of all worlds: no lies, so that nothing but chance is in the way
QUIET_S = 400.0  # after which nothing is under way any more: every silence has been noticed
FAULT_POINTS = (
    "transaction not stored",
    "transaction stored",
    "marker not written",
    "marker written",
)
"""Where a commit fails: at each of its steps, having happened or not."""


class World(Pair):
    """What becomes of two nodes by the will of one seed."""

    def __init__(self, seed: int) -> None:
        """Make the world; `live` lets it run."""
        # Half of them with key cards of version 2; the others go on as lines paired long ago.
        super().__init__(seed, delay_s=0.02, disk_s=0.004, is_uneven=True, ml_dsa=bool(seed % 2))
        self.counts: Counter[str] = Counter()
        self.steps = 0
        self.end = ""
        """How it ended: `mended`, `ended log` or `fork proven`."""
        self._will = Random(seed ^ 0x5EED)
        self._actor = Actor(self._will)
        self._fault_rate = 0.0  # until both logs are open
        self._lies_of: str | None = None
        self._may_lie = self._will.random() > CALM
        self._kept_back: list[bytes] = []
        self._backups: list[tuple[str, MemoryStore]] = []
        self._rolled_back: set[str] = set()
        self._unaware: dict[str, int] = {}
        """Who came back with an old marker and was not heard since: how often it had been."""
        self._is_cut_off = False
        self._excuse: dict[str, str] = {}
        self.witness = Witness(self)
        self.on_step = self._step
        self.tamper = self._lie

    def live(self) -> None:
        """Let everything happen, then mend what can be mended, and judge.

        Raises:
            AssertionError: something does not hold.
        """
        self.open()
        self._fault_rate = self._will.choice([0.0, 0.01, 0.08])
        doings = self._doings()
        for _ in range(ACTS):
            (doing,) = self._will.choices(list(doings), list(doings.values()))
            doing()
            self.run(self._will.choice([0.0, 0.003, 0.03, 0.3, 3.0]))
            if self._is_over():
                break
        self._mend()
        self._acknowledge()
        self._judge()

    def _step(self) -> None:
        self.steps += 1
        for side in self.sides:
            theirs = self.witness.accounts[self.other(side).name].delivered
            if side.store.theirs.size >= theirs:
                self._rolled_back.discard(side.name)
            if side.name in self._unaware and len(side.told(LineUp)) > self._unaware[side.name]:
                del self._unaware[side.name]
        self.witness.look(self, self._rolled_back)

    # -- what happens

    def _doings(self) -> dict[Callable[[], None], float]:
        rare = self._will.choice([0.0, 0.5])
        return {
            self._talk: 30,
            self._act: 40,
            self._cut: 3,
            self._link: 10,
            self._kill: 2,
            self._jump: 2,
            self._begin_to_lie: 1.0 if self._may_lie else 0.0,
            self._back_up: 4,
            self._restore: rare,
            self._restore_all: rare / 2,
            self._lose_marker: rare / 4,
            self._forge: rare / 2,
        }

    def _anyone(self) -> Side:
        return self._will.choice(self.sides)

    def _talk(self) -> None:
        side = self._anyone()
        for number in range(self._will.choice([1, 1, 3, 30])):
            self._try(lambda: self.say(side, f"{number}"))  # noqa: B023 -- called at once

    def _act(self) -> None:
        side = self._anyone()
        draft = self._actor.draft(side)
        self._try(lambda: self.append(side, draft))

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except IllegalActError as error:
            self.counts[f"void: {error.reason}"] += 1
        except (LinkDownError, BusyError) as error:
            self.counts[f"refused: {type(error).__name__}"] += 1

    def _cut(self) -> None:
        self.counts["cut"] += 1
        self.disconnect()
        self._is_cut_off = self._will.random() < 0.5

    def _link(self) -> None:
        self._is_cut_off = self._is_cut_off and self._will.random() < 0.7
        if not self._is_cut_off and not all(side.connection for side in self.sides):
            self.connect()

    def _kill(self) -> None:
        self.counts["killed"] += 1
        side = self._anyone()
        self.restart(side)
        if self._will.random() < 0.2:
            self.restart(self.other(side))

    def _jump(self) -> None:
        self.counts["clock jumped"] += 1
        day_us = 86_400_000_000
        self._anyone().ahead_us = self._will.randint(-day_us, day_us)

    # -- disks

    def _transact(self, side: Side, life: int, commit: Commit) -> None:
        if side.life != life:
            return
        if self._fails("transaction not stored", side, commit):
            return
        side.store.commit(commit)
        if not self._fails("transaction stored", side, commit):
            self.after(0, lambda: self._mark(side, life, commit))

    def _mark(self, side: Side, life: int, commit: Commit) -> None:
        if side.life != life:
            return
        if commit.marker is not None and self._fails("marker not written", side, commit):
            return
        side.store.mark(commit)
        if not self._fails("marker written", side, commit):
            self.after(0, lambda: self._confirm(side, life, commit))

    def _fails(self, point: str, side: Side, commit: Commit) -> bool:
        """Let the commit fail at `point` by chance: it is refused, or the node is killed there."""
        if self._will.random() >= self._fault_rate:
            return False
        if self._will.random() < 0.5:
            self.counts[f"refused at {point}"] += 1
            side.outstanding = None
            side.machine.commit_failed(commit, self.now(side))
            self.turn(side)
        else:
            self.counts[f"killed at {point}"] += 1
            self.restart(side)
        return True

    def _back_up(self) -> None:
        side = self._anyone()
        backup = side.store.backup()
        backup.marker = side.store.marker  # a picture of the whole machine has it too
        self._backups.append((side.name, backup))

    def _restore(self) -> None:
        """Bring back an old backup, as an operator should: the marker is none of it."""
        if self._backups:
            name, backup = self._will.choice(self._backups)
            marker = next(side.store.marker for side in self.sides if side.name == name)
            self._bring_back("old backup", name, backup, marker)

    def _restore_all(self) -> None:
        """Bring back the picture of a whole machine, marker and all.

        Not while the other node has taken what it has not cosigned: it does not show that, so a
        second history would be signed, and found by it.
        """
        if self._backups:
            name, backup = self._will.choice(self._backups)
            other = next(side.machine for side in self.sides if side.name != name)
            if other._books.mirror.log.size == other.cosigned_here:
                self._bring_back("old picture", name, backup, backup.marker)

    def _bring_back(self, what: str, name: str, backup: MemoryStore, marker: Marker | None) -> None:
        side = next(side for side in self.sides if side.name == name)
        if self.other(side).name in self._rolled_back | set(self._unaware):
            return  # what both have lost at once nobody can know
        self.counts[what] += 1
        self.witness.look(self, self._rolled_back)  # at what was sent before
        side.store = backup.backup()
        side.store.marker = marker
        is_marker_old = what == "old picture"
        self.witness.restored(side, self.other(side), is_marker_old=is_marker_old)
        if is_marker_old:
            self._unaware[name] = len(side.told(LineUp))
        self._rolled_back.add(name)
        held = self.other(side).store.theirs.size
        if is_marker_old or self._may_lie or (marker is not None and held < marker.size):
            self._excuse[name] = what  # else the other node holds all that is missing here
        self.restart(side)

    def _lose_marker(self) -> None:
        side = self._anyone()
        self.counts["marker lost"] += 1
        side.store.marker = None
        self._excuse[side.name] = "marker lost"
        self.restart(side)

    # -- lies

    def _begin_to_lie(self) -> None:
        self.counts["lies"] += 1
        self._lies_of = self._will.choice([None, self._anyone().name])

    def _lie(self, side: Side, frame: bytes) -> list[bytes]:
        if self._lies_of != side.name or self._will.random() < 0.7:
            return [frame]
        kind = self._will.choice(["twice", "never", "old", "bent", "late"])
        self.counts[f"frame {kind}"] += 1
        match kind:
            case "twice":
                return [frame, frame]
            case "never":
                return []
            case "old":
                mine = [data for name, data in self.carried if name == side.name]
                return [self._will.choice(mine), frame]
            case "bent":
                bent = bytearray(frame)
                bent[self._will.randrange(len(bent))] ^= 1 << self._will.randrange(8)
                return [bytes(bent)]
        self._kept_back.append(frame)
        return [self._kept_back.pop(0)] if len(self._kept_back) > 1 else []

    def _forge(self) -> None:
        """Let one side sign a second history and show it to the other."""
        liar = self._anyone()
        honest = self.other(liar)
        entries = honest.store.theirs.all_entries()
        if len(entries) < 4 or not honest.connection or liar.state != "going":
            return
        self.counts["forged"] += 1
        self.witness.is_forged = True
        self._excuse = {side.name: "forged" for side in self.sides}
        first = len(entries) - 1
        forged = [*entries[:first], entries[first - 1]]
        origin = liar.store.own.origin
        checkpoint = Checkpoint(origin, len(forged), plain_root(forged))
        note = sign_checkpoint(checkpoint, identity_of(liar.name).log_key)
        push = frames.format_frame(frames.Push(first, forged[first:], [], note))
        self.send_raw(honest, push)

    # -- the end

    def _is_over(self) -> bool:
        return any(side.state == "broken" for side in self.sides) or any(
            side.told(ForkFound) for side in self.sides
        )

    def _mend(self) -> None:
        """Let nothing go wrong any more; dial until both are linked and all is quiet."""
        self._fault_rate, self._lies_of, self._is_cut_off = 0.0, None, False
        for _ in range(12):
            self.connect()  # what was refused on one connection is pushed again on the next
            self.run(QUIET_S)
            if self._is_over() or self._is_settled():
                return

    def _is_settled(self) -> bool:
        return all(
            side.connection and side.state == "going" and not side.machine.waiting
            for side in self.sides
        )

    def _acknowledge(self) -> None:
        """Let whoever holds proof of two histories say so, on the line that is frozen by now."""
        for side in self.sides:
            if side.told(ForkFound) and side.state == "going":
                proof = fork_hash(side.store.evidence[0])
                self.append(side, drafts.line_acknowledged(proof, WORDS))
                self.run(QUIET_S)
                fold, own = side.machine.fold, side.store.own.origin
                assert fold.is_frozen, "a fork is proven, and the line goes on"
                assert proof.hex() in fold.line.acknowledged[own], "its word has no effect"
                self.counts["forks acknowledged"] += 1

    def _judge(self) -> None:
        self.witness.look_back(self)
        self.counts += effects(self.arcadia) + effects(self.borealis)
        self.counts += self.witness.records[self.arcadia.name].counts()
        broken = [side for side in self.sides if side.state == "broken"]
        if self.witness.is_forged and any(side.store.evidence for side in self.sides):
            self.end = "fork proven"
            for side in self.sides:
                if side.store.evidence and any(side.told(ForkFound)):
                    check_evidence(side)
        elif broken:
            self.end = "ended log"
            for side in broken:
                assert side.name in self._excuse, f"{side.name} ended: {side.machine.broken}"
        else:
            self.end = "mended"
            check_mended(self, self.witness)
