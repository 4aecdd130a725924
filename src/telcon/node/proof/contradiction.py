"""Checks an evidence folder, step by step.

1. SHA256SUMS: every altered, missing and additional file is named.
2. The log's key: of the keys given, else that of the folder's policy, which the card has to bear.
3. Both notes are signed by it, and cannot both be true (`telcon.ledger.fork`).

Nothing that only the folder says makes a thing proven.
"""

from collections.abc import Sequence
from typing import Final

from telcon.core.books import origin_of
from telcon.errors import PeerError, PolicyError
from telcon.ledger import (
    Checkpoint,
    Fork,
    VerifierKey,
    fork_hash,
    format_vkey,
    parse_key_card,
    parse_path_untrusted,
    parse_policy,
    verify_fork,
)
from telcon.ledger.fork import MAX_PATH_OCTETS
from telcon.node.proof import evidence, layout
from telcon.node.proof.files import Files
from telcon.node.proof.report import PathReport, Verdict
from telcon.node.proof.steps import Progress
from telcon.node.proof.sums import check_sums
from telcon.node.proof.trust import Keys
from telcon.node.proof.wording import base64_of

__all__ = ["check_evidence"]

NOT_SHOWN: Final = (
    "which of the two histories is the true one",
    "who had the key: the node's operator, a copy of the node, or a thief",
    "when either was signed",
    "what the entries say",
)
CAUTION: Final = (
    "Anyone can make a key under any name. To prove it, give the key card of the log's own side"
    " (--card), from somewhere you trust."
)


def check_evidence(
    name: str, files: Files, paths: Sequence[str], given: Keys | None, progress: Progress
) -> PathReport:
    """Check the evidence folder `files`, shown as `name`, under the keys `given` or its own.

    Raises:
        OperatorError: the system refuses it.
    """
    faults = check_sums(files, paths, progress).faults  # 1
    if not faults:
        try:
            fork = _read(files, paths)
            key = _key(files, fork, given)  # 2
            sentences = _sentences(key, fork, *verify_fork(fork, key))  # 3
        except PeerError as error:
            faults.append(str(error))
    if faults:
        return PathReport(name, Verdict.NOT_PROVEN, tuple(faults))
    unsigned = set(paths) - {evidence.FIRST, evidence.SECOND, evidence.PATH, layout.SUMS}
    return PathReport(
        name,
        Verdict.CONSISTENT if given is None else Verdict.PROVEN,
        also=sentences,
        unsigned=tuple(sorted(unsigned)),
        not_shown=NOT_SHOWN,
        caution=CAUTION,
    )


def _read(files: Files, paths: Sequence[str]) -> Fork:
    first, second = (
        files.read(path, layout.MAX_SMALL_OCTETS) for path in (evidence.FIRST, evidence.SECOND)
    )
    if evidence.PATH not in paths:
        return Fork(first, second)
    return Fork(first, second, parse_path_untrusted(files.read(evidence.PATH, MAX_PATH_OCTETS)))


def _key(files: Files, fork: Fork, given: Keys | None) -> VerifierKey:
    origin = origin_of(fork.first)
    if given is not None:
        return given.log_for(origin)
    key = parse_policy(files.read(layout.POLICY, layout.MAX_SMALL_OCTETS)).log
    card = parse_key_card(files.read(evidence.CARD, layout.MAX_SMALL_OCTETS))
    if key.name != origin or card.log != key:
        raise PolicyError(f"the keys in this folder are not for the log {origin}")
    return key


def _sentences(
    key: VerifierKey, fork: Fork, first: Checkpoint, second: Checkpoint
) -> tuple[str, ...]:
    roots = base64_of(first.root), base64_of(second.root)
    signed = (
        f"The holder of key {key.name} signed that this log had {first.size} entries with root"
        f" {roots[0]}; the holder of the same key signed that it had {second.size} entries with"
        f" root {roots[1]}."
    )
    why = "No log has two roots at one size: the two cannot both be true."
    if fork.path:
        why = (
            f"Every log with that root at {second.size} entries had another root at {first.size}:"
            f" {base64_of(fork.path[0])}. The two cannot both be true."
        )
    return (
        signed,
        why,
        f"The key: {format_vkey(key)}",
        f"The name of this evidence: {fork_hash(fork).hex()}",
    )
