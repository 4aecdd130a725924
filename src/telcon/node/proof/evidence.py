"""Writes an evidence folder: two signed checkpoints of one log that cannot both be true.

    README.txt  SHA256SUMS
    first.note  second.note     the two, byte for byte as they were kept; the smaller size first
    consistency.txt             where the sizes differ: what shows it (telcon.ledger.fork)
    key-card.json  policy.txt   the card of the node whose log it is, and that log's policy

Whoever writes it checks it first, as a stranger would.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from telcon.core.books import origin_of
from telcon.ledger import (
    Fork,
    KeyCard,
    fork_hash,
    format_key_card,
    format_path,
    format_policy,
    format_vkey,
    mirror_policy,
    verify_fork,
)
from telcon.node.proof.files import FolderWriter, nobody
from telcon.node.proof.layout import POLICY, README

__all__ = ["CARD", "FIRST", "PATH", "SECOND", "export_fork"]

FIRST: Final = "first.note"
SECOND: Final = "second.note"
PATH: Final = "consistency.txt"
CARD: Final = "key-card.json"

_TEXT = """\
This folder shows that one key signed two statements that cannot both be true.

{name} keeps a log of its own acts on its line with {other}, and signs, time and again, how many
entries that log has and what its root is: a hash that stands for all of them, in their order. A
log only ever grows. Here are two such statements, both signed by the key of this log:

    {key}

  first.note         {first} entries
  second.note        {second} entries
{why}
  key-card.json      the keys of {name} on this line, and
  policy.txt         the log's key, with the key by which {other} signs for holding it. Do not
                     believe these two files because they lie here: anybody can make a key under any
                     name. Compare the key above with the one that {name} publishes.
  SHA256SUMS         to see whether a file was altered since: sha256sum --check SHA256SUMS

To check it, with the key card of {name} that you got from somewhere you trust:

    telcon verify --card CARD THIS-FOLDER

Without the card the answer can only be that the folder is consistent in itself.

You need not trust telcon. Both notes are C2SP checkpoints (https://c2sp.org/tlog-checkpoint): the
second line is the number of entries, the third the root. Any tool that knows signed notes can check
their signatures with the key above.

What is not shown: which of the two is the true history; who had the key (the node's operator, a
copy of the node, or a thief); when either was signed; what the entries say. Both logs stay as they
were, and what both sides signed before stays proven. The name of this evidence, which stands in
the entry by which an operator takes note of it:

    {hash}
"""
_SAME = """\
                     They have one size and two roots. No log has both."""
_DIFFERENT = """\
  consistency.txt    what shows that both cannot be true: every log with the root of second.note
                     had, at {first} entries, the root in the second line of this file, and that is
                     not the root of first.note. The lines after it are the proof, an RFC 6962
                     consistency proof (section 2.1.2) from that root to the one of second.note."""


def export_fork(
    fork: Fork, cards: tuple[KeyCard, KeyCard], out: Path, told: Callable[[], None] = nobody
) -> None:
    """Write `fork` to `out`, whole or not at all; `cards` are those of the line's two sides.

    `told` is called right before the first byte, as of any export.

    Raises:
        OperatorError: `out` is taken.
        StorageError: the disk refused.
        PeerError: what was kept shows no contradiction.
    """
    origin = origin_of(fork.first)
    own, other = sorted(cards, key=lambda card: card.log.name != origin)
    first, second = verify_fork(fork, own.log)
    why = _DIFFERENT.format(first=first.size) if fork.path else _SAME
    text = _TEXT.format(
        name=own.name,
        other=other.name,
        key=format_vkey(own.log),
        first=first.size,
        second=second.size,
        why=why,
        hash=fork_hash(fork).hex(),
    )
    with FolderWriter(out, told) as writer:
        writer.write(FIRST, fork.first)
        writer.write(SECOND, fork.second)
        if fork.path:
            writer.write(PATH, format_path(fork.path))
        writer.write(CARD, format_key_card(own))
        writer.write(POLICY, format_policy(mirror_policy(own.log, other.mirror)))
        writer.write(README, text.encode())
        writer.finish()
