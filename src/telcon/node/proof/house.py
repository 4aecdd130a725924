"""Writes a receipt of one entry of a house log, to be shown alone (docs/protocol.md §11).

    README.txt  SHA256SUMS  policy.txt
    receipts/NAME.tlog-proof NAME.entry [NAME.opened.json]

The entries beside it stay unseen: of them the proof holds hashes, which nobody can guess from.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from telcon.core.house import HouseAct, house_entry_type, parse_house_entry_untrusted
from telcon.errors import OperatorError, PolicyError, SignatureError
from telcon.ledger import (
    Group,
    Policy,
    TlogProof,
    VerifierKey,
    Witness,
    cosignature_time,
    format_policy,
    format_tlog_proof,
    inclusion_proof,
    organisation,
    parse_note_untrusted,
    verify_note,
    verify_tlog_proof,
)
from telcon.node.proof import layout
from telcon.node.proof.export import CosignedLog
from telcon.node.proof.files import FolderWriter

__all__ = ["cosigners", "export_house", "house_policy"]

QUORUM: Final = "witnesses"

_README: Final = """\
This folder is about one act on a node of {name}.

The node keeps a log of the acts that its people must be able to answer for. Nodes of other
organisations sign, each hour, how long that log is and what its one hash is; they never see an
entry. So the entry in this folder was in the log by the time that their signatures bear, and it has
not been changed since.

  receipts/          NAME.entry, the bytes that were logged; NAME.tlog-proof, the proof that they
                     were, with all signatures; NAME.opened.json, where there is one, opens what
                     the entry bears under seal.
  policy.txt         under whose keys the receipt is believed. Do not believe it because it lies
                     here: anybody can run nodes under any names. Compare the keys with those that
                     the organisations publish.
  SHA256SUMS         to see whether a file was altered since: sha256sum --check SHA256SUMS

To check it, with a policy whose keys you got from somewhere you trust:

    telcon verify --policy POLICY receipts/NAME.tlog-proof

You need not trust telcon: a receipt is a C2SP tlog-proof (https://c2sp.org/tlog-proof), a policy a
C2SP tlog-policy (https://c2sp.org/tlog-policy).

What is not shown: that the node logged all that was done on it; that nobody went round it; that the
clocks were right; what was logged before and after.
"""


def house_policy(log: VerifierKey, witnesses: Sequence[VerifierKey]) -> Policy:
    """Return the policy of a house log: signed by `log`, and cosigned by every one of `witnesses`.

    Raises:
        PolicyError: there are no witnesses, or the keys cannot stand in one policy.
    """
    if not witnesses:
        raise PolicyError(f"nobody has cosigned {log.name}")
    named = tuple(Witness(organisation(key.name), key) for key in witnesses)
    group = Group(QUORUM, len(named), tuple(one.name for one in named))
    return Policy(log, named, (group,), QUORUM)


def export_house(
    log: CosignedLog,
    vkey: VerifierKey,
    witnesses: Sequence[VerifierKey],
    index: int,
    out: Path,
    *,
    is_opened: bool,
    told: Callable[[], None],
) -> tuple[str, tuple[str, ...]]:
    """Write the receipt of entry `index` of `log` to `out`, whole or not at all.

    `vkey` is the log's key, `witnesses` are all that may have cosigned it; the policy names those
    that have. `is_opened`: with what opens its seal. `told` is called before anything is written,
    once it is clear what; nothing is written if it raises.

    Returns:
        The receipt's path in the folder, and the names of the keys that cosigned it.

    Raises:
        OperatorError: there is no such entry, nobody has cosigned it yet, or `out` is taken.
        StorageError: the disk refused.
        PeerError: the stored checkpoint is not what it should be.
    """
    if not 0 <= index < log.size:
        raise OperatorError(f"{log.origin} has no entry {index}", advice="See: telcon house log")
    found = log.cosigned_note_over(index)
    signers = [] if found is None else [key for key, _ in cosigners(found[1], witnesses)]
    if found is None or not signers:
        raise OperatorError(
            f"no other node has cosigned entry {index} of {log.origin} yet",
            advice="They do at the full hour, while a line is up. Try again after the next.",
        )
    size, note = found
    policy = house_policy(vkey, signers)
    data = log.entries(index, 1)[0]
    proof = TlogProof(index, tuple(inclusion_proof(index, size, log.hash)), note)
    verify_tlog_proof(proof, data, policy)  # as a stranger would
    path = f"{layout.RECEIPTS}/{layout.receipt_stem(index, _kind(data))}"
    openings = [opening for _, opening in log.openings(index, 1)] if is_opened else []
    with FolderWriter(out, told) as writer:
        writer.write(layout.README, _README.format(name=organisation(vkey.name)).encode())
        writer.write(layout.POLICY, format_policy(policy))
        writer.write(path + layout.PROOF_SUFFIX, format_tlog_proof(proof))
        writer.write(path + layout.ENTRY_SUFFIX, data)
        if openings:
            writer.write(path + layout.OPENED_SUFFIX, layout.format_openings(openings))
        writer.finish()
    return path + layout.PROOF_SUFFIX, tuple(key.name for key in signers)


def _kind(data: bytes) -> str:
    entry = parse_house_entry_untrusted(data)
    return entry.act if isinstance(entry, HouseAct) else house_entry_type(entry)


def cosigners(note: bytes, witnesses: Sequence[VerifierKey]) -> list[tuple[VerifierKey, int]]:
    """Return those of `witnesses` whose cosignature is on `note`, with its POSIX time in seconds.

    One of each organisation.
    """
    try:
        verified = verify_note(parse_note_untrusted(note), list(dict.fromkeys(witnesses))).verified
    except SignatureError:
        return []
    found = {organisation(key.name): (key, cosignature_time(key, one)) for key, one in verified}
    return list(found.values())
