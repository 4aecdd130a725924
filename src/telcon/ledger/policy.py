"""Policies, c2sp.org/tlog-policy: under whose keys a checkpoint is believed.

    log <vkey> [url]
    witness <name> <vkey> [url]
    group <name> all|any|<k> <member> ...
    quorum <name>|none

telcon is stricter than the format. A policy names exactly one log, if by several keys (a signature
by one of them is enough): one policy for both logs of a line would let one side forge the other's
entries with its own two keys. For the same reason a cosigner of the log's own organisation is
refused, also under a policy given by hand.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from telcon.errors import MalformedError, MisuseError, PolicyError, SignatureError
from telcon.ledger._spelling import parse_decimal
from telcon.ledger.checkpoint import Checkpoint, parse_checkpoint_untrusted
from telcon.ledger.cosignature import cosignature_time
from telcon.ledger.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_ML_DSA,
    ED25519,
    VerifierKey,
    format_vkey,
    organisation,
    parse_note_untrusted,
    parse_vkey,
    verify_note,
)

MAX_POLICY_OCTETS: Final = 64 * 1024
MAX_WITNESSES: Final = 32
MAX_GROUPS: Final = 32
MAX_LOG_KEYS: Final = 32

_ALLOWED = bytes([0x09, 0x0A, *range(0x20, 0x7F), *range(0x80, 0x100)])
_NONE = "none"


@dataclass(frozen=True, slots=True)
class Witness:
    """A cosigner: a witness, or the mirror of a line."""

    name: str
    """How this policy calls it; means nothing outside."""
    key: VerifierKey
    url: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Cosigners and groups of which at least `threshold` must have cosigned."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Whose signatures a checkpoint needs. One that exists has been checked.

    Raises:
        PolicyError: names or keys that clash, a group that cannot be met, an unknown name, or a
            cosigner of the log's own organisation.
    """

    log: VerifierKey
    witnesses: tuple[Witness, ...]
    groups: tuple[Group, ...]
    """Each uses only names of witnesses and of groups before it."""
    quorum: str | None
    """Name of a witness or group; None when the log's own signature is enough."""
    log_url: str = ""
    other_logs: tuple[VerifierKey, ...] = ()
    """Further keys of the same log, whose origin is the name of each."""
    beside: tuple[VerifierKey, ...] = ()
    """Keys, the log's or cosigners', that nothing is asked of: their lines are verified where there
    are any, and told. A policy file has none."""

    def __post_init__(self) -> None:
        if len(self.witnesses) > MAX_WITNESSES or len(self.groups) > MAX_GROUPS:
            raise PolicyError(f"a policy has at most {MAX_WITNESSES} witnesses and groups each")
        _check_logs(self.logs)
        _check_keys(self.logs, self.witnesses, self.beside)
        _check_words(self)
        defined = {witness.name for witness in self.witnesses}
        if len(defined) != len(self.witnesses):
            raise PolicyError("a policy names two witnesses alike")
        _check_groups(self.groups, defined)
        if self.quorum is not None and self.quorum not in defined:
            raise PolicyError(f"the quorum {self.quorum!r} is not defined")

    @property
    def logs(self) -> tuple[VerifierKey, ...]:
        """Every key of the log; a signature by any of them is enough."""
        return (self.log, *self.other_logs)

    def is_met_by(self, cosigners: Collection[bytes]) -> bool:
        """Say whether the cosigners with these public keys meet the quorum."""
        met = {witness.name for witness in self.witnesses if witness.key.public in cosigners}
        for group in self.groups:
            if len(met.intersection(group.members)) >= group.threshold:
                met.add(group.name)
        return self.quorum is None or self.quorum in met


@dataclass(frozen=True, slots=True)
class CosignedCheckpoint:
    """A checkpoint that a policy accepts."""

    checkpoint: Checkpoint
    cosigned: tuple[tuple[VerifierKey, int], ...]
    """Each cosigner of the policy that signed, with its POSIX time in seconds; those beside too."""
    signed: tuple[VerifierKey, ...]
    """The keys of the log that signed, those beside too."""


def mirror_policy(log: VerifierKey, mirror: VerifierKey) -> Policy:
    """Return the policy of a line's log: signed by `log`, and held by the other side's `mirror`.

    Raises:
        PolicyError: the two keys cannot stand in one policy.
    """
    return Policy(log, (Witness("peer", mirror),), (), "peer")


def with_witnesses(
    policy: Policy, further: Sequence[tuple[VerifierKey, str]], needed: int
) -> Policy:
    """Return `policy` with `further` witnesses (key, address), `needed` of whom it asks for too.

    With `needed` 0 they are named, so that what they signed counts, and none is asked for.

    Raises:
        PolicyError: the keys cannot stand in one policy, or there are fewer than `needed`.
    """
    names = tuple(f"further-{number}" for number in range(1, len(further) + 1))
    named = zip(names, further, strict=True)
    more = tuple(Witness(name, key, url) for name, (key, url) in named)
    witnesses = (*policy.witnesses, *more)
    if needed == 0:
        return replace(policy, witnesses=witnesses)
    group = Group("further", needed, names)
    quorum = Group("both", 2, (policy.quorum or "", "further"))
    return replace(
        policy, witnesses=witnesses, groups=(*policy.groups, group, quorum), quorum="both"
    )


def verify_checkpoint(data: bytes, policy: Policy) -> CosignedCheckpoint:
    """Check a checkpoint's log signature and its cosignatures against `policy`.

    Raises:
        MalformedError: not a checkpoint in the one spelling.
        SignatureError: of another log, not signed by it, or a cosignature that does not verify.
        PolicyError: the quorum is not met.
    """
    note = parse_note_untrusted(data)
    checkpoint = parse_checkpoint_untrusted(note.text)
    if checkpoint.origin != policy.log.name:
        raise SignatureError(f"a checkpoint of {checkpoint.origin}, not of {policy.log.name}")
    keys = [*policy.logs, *(witness.key for witness in policy.witnesses), *policy.beside]
    verified = verify_note(note, keys).verified
    signed = tuple(key for key, _ in verified if key.name == checkpoint.origin)
    if not set(signed).intersection(policy.logs):
        raise SignatureError(f"{checkpoint.origin} did not sign its checkpoint")
    times = [(key, cosignature_time(key, line)) for key, line in verified if key not in signed]
    # Of time 0 a cosignature does not say when, nor that nothing larger was seen.
    cosigned = tuple((key, time) for key, time in times if time or key.type != COSIGNATURE_ML_DSA)
    if not policy.is_met_by({key.public for key, _ in cosigned}):
        names = ", ".join(key.name for key, _ in cosigned) or "nobody"
        raise PolicyError(f"{checkpoint.origin} at {checkpoint.size}: cosigned by {names}")
    return CosignedCheckpoint(checkpoint, cosigned, signed)


def parse_policy(data: bytes) -> Policy:
    """Read a policy file.

    Raises:
        MalformedError: not the format, or over 64 KiB.
        PolicyError: well formed, but not a policy that telcon takes.
    """
    if len(data) > MAX_POLICY_OCTETS:
        raise MalformedError(f"a policy has at most {MAX_POLICY_OCTETS} octets")
    if data.translate(None, _ALLOWED):
        raise MalformedError("a policy has no control characters but tab and line feed")
    if not data.endswith(b"\n"):
        raise MalformedError("each line of a policy ends in a line feed")
    reader = _Reader()
    for number, line in enumerate(data.split(b"\n"), 1):
        # Names are opaque octets: surrogates keep what is not UTF-8 apart.
        fields = line.replace(b"\t", b" ").decode("utf-8", "surrogateescape").split(" ")
        words = [word for word in fields if word]
        if words and not words[0].startswith("#"):
            reader.read_line(words, number)
    return reader.policy()


def format_policy(policy: Policy) -> bytes:
    """Write a policy file without comments.

    Raises:
        MisuseError: there are keys beside it, for which the format has no words.
    """
    if policy.beside:
        raise MisuseError("a policy file names no keys of which nothing is asked")
    lines = [f"log {format_vkey(policy.log)} {policy.log_url}"]
    lines += [f"log {format_vkey(key)}" for key in policy.other_logs]
    lines += [f"witness {w.name} {format_vkey(w.key)} {w.url}" for w in policy.witnesses]
    lines += [f"group {g.name} {g.threshold} {' '.join(g.members)}" for g in policy.groups]
    lines.append(f"quorum {policy.quorum or _NONE}")
    return "".join(f"{line.rstrip(' ')}\n" for line in lines).encode("utf-8", "surrogateescape")


class _Reader:
    """Collects the lines of one policy file."""

    def __init__(self) -> None:
        self._logs: list[tuple[VerifierKey, str]] = []
        self._witnesses: list[Witness] = []
        self._groups: list[Group] = []
        self._quorums: list[str] = []
        self._defined: set[str] = set()

    def read_line(self, words: list[str], number: int) -> None:
        try:
            match words:
                case ["log", vkey, *url] if len(url) <= 1:
                    self._logs.append((parse_vkey(vkey), "".join(url)))
                case ["witness", name, vkey, *url] if len(url) <= 1:
                    self._witnesses.append(Witness(name, parse_vkey(vkey), "".join(url)))
                    self._defined.add(name)
                case ["group", name, threshold, *members] if members:
                    self._group(name, threshold, members)
                case ["quorum", name]:
                    self._refer([] if name == _NONE else [name])
                    self._quorums.append(name)
                case _:
                    raise MalformedError("expected a log, witness, group or quorum")
        except MalformedError as error:
            raise MalformedError(f"line {number} of the policy: {error}") from error

    def policy(self) -> Policy:
        if len(self._quorums) != 1:
            raise MalformedError("a policy has exactly one quorum line")
        names = {key.name for key, _ in self._logs}
        if len(names) != 1:
            raise PolicyError(f"a policy of telcon names exactly one log, not {len(names)}")
        (log, url), quorum = self._logs[0], self._quorums[0]
        named = None if quorum == _NONE else quorum
        others = tuple(key for key, _ in self._logs[1:])  # of their addresses the first will do
        return Policy(log, tuple(self._witnesses), tuple(self._groups), named, url, others)

    def _group(self, name: str, threshold: str, members: list[str]) -> None:
        self._refer(members)
        words = {"any": 1, "all": len(members)}
        count = words.get(threshold) or parse_decimal(threshold, f"threshold of {name!r}")
        self._groups.append(Group(name, count, tuple(members)))
        self._defined.add(name)

    def _refer(self, names: list[str]) -> None:
        for name in names:
            if name not in self._defined:
                raise MalformedError(f"the name {name!r} is not defined above")


def _check_words(policy: Policy) -> None:
    """Refuse names and addresses that would read back as something else."""
    names = [witness.name for witness in policy.witnesses]
    names += [group.name for group in policy.groups]
    urls = [policy.log_url, *(witness.url for witness in policy.witnesses)]
    for word in names + urls:
        octets = word.encode("utf-8", "surrogateescape")
        if b" " in octets or b"\t" in octets or b"\n" in octets or octets.translate(None, _ALLOWED):
            raise PolicyError(f"{word!r} cannot stand in a policy")
    if "" in names or _NONE in names:
        raise PolicyError("a witness or group has a name, and it is not 'none'")


def _check_logs(logs: tuple[VerifierKey, ...]) -> None:
    if len(logs) > MAX_LOG_KEYS:
        raise PolicyError(f"a policy has at most {MAX_LOG_KEYS} keys of its log")
    for key in logs:
        if key.type not in (ED25519, COSIGNATURE_ML_DSA):
            raise PolicyError(f"{key.name} is a cosigner's key, not a log's")
    if len({key.name for key in logs}) != 1:
        raise PolicyError("a policy of telcon names exactly one log")


def _check_keys(
    logs: tuple[VerifierKey, ...],
    witnesses: tuple[Witness, ...],
    beside: tuple[VerifierKey, ...],
) -> None:
    keys = [*logs, *(witness.key for witness in witnesses), *beside]
    if len({key.public for key in keys}) != len(keys):
        raise PolicyError("two keys of a policy are the same")
    if len({(key.name, key.key_id) for key in keys}) != len(keys):
        raise PolicyError("two keys of a policy have the same name and key ID")
    own = organisation(logs[0].name).casefold()
    for witness in witnesses:
        if witness.key.type not in (COSIGNATURE_ED25519, COSIGNATURE_ML_DSA):
            raise PolicyError(f"{witness.key.name} is a log's key, not a cosigner's")
        if organisation(witness.key.name).casefold() == own:
            raise PolicyError(
                f"{witness.key.name} belongs to the organisation whose log it cosigns"
            )


def _check_groups(groups: tuple[Group, ...], defined: set[str]) -> None:
    """Check each group against the names before it, which grow by its own."""
    used: set[str] = set()
    for group in groups:
        members = set(group.members)
        if not members <= defined or group.name in defined:
            raise PolicyError(f"group {group.name!r}: a name is unknown or taken")
        if len(members) != len(group.members) or members & used:
            raise PolicyError(f"group {group.name!r}: a name is a member at most once")
        if not 1 <= group.threshold <= len(members):
            raise PolicyError(f"group {group.name!r}: cannot be met as it is meant")
        used |= members
        defined.add(group.name)
