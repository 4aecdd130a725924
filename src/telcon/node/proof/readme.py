"""README.txt of a proof folder: what it is, in plain words, for someone who never saw telcon."""

import textwrap

from telcon.node.proof.layout import Summary

_COLUMNS = 100

_TEXT = """\
This folder is about one call between {ours} and {theirs}.

{words}

Each of the two keeps a log of its own acts on their line: ringing, answering, hanging up, and so
on. The other side holds a copy of that log and signs for having it. What is in this folder was
written by one side and, but for what lies under alone/, held by the other, at the times that
their signatures bear.

  call.json          the call in plain words. Nobody signed this file; the receipts are the proof.
  ours/receipts/     acts of {ours}, which made this folder
  theirs/receipts/   acts of {theirs}
                     Each act is two or three files: NAME.entry, the bytes that were logged;
                     NAME.tlog-proof, the proof that they were, with both signatures;
                     NAME.opened.json, where there is one, opens what the act bears under seal.
  ours/policy.txt    under whose keys a receipt of that side is believed. Do not believe these
  theirs/policy.txt  two files because they lie here: anybody can run two nodes under any names.
                     Compare the keys with those that the two organisations publish.
{extra}  SHA256SUMS         to see whether a file was altered since: sha256sum --check SHA256SUMS

To check all of it, with the key cards of both sides that you got from somewhere you trust:

    telcon verify --card CARD-OF-ONE-SIDE --card CARD-OF-THE-OTHER THIS-FOLDER

Without the cards the answer can only be that the folder is consistent in itself.

You need not trust telcon. A receipt is a C2SP tlog-proof (https://c2sp.org/tlog-proof) and a policy
is a C2SP tlog-policy; any tool that knows these formats can check NAME.tlog-proof with NAME.entry
and the policy of its side. Use one policy for each side, never one for both.

What is not shown: which person spoke or heard; that there is no other line; that the clocks were
right. What was left out may matter: this folder shows the layer "{layer}".
"""

_ALONE = """\
  SIDE/alone/        acts that the other side has not signed to hold. Their author alone vouches for
                     them, where NAME.tlog-proof is there by its signature: no proof for others.
"""
_LOGS = """\
  ours/log/          the whole logs of both sides on this line, with all their calls, as C2SP
  theirs/log/        tlog-tiles (https://c2sp.org/tlog-tiles). Contents stay sealed there.
"""
_RECORDINGS = """\
  recordings/        what was said, one file for each speaker, as the node of {ours}
                     wrote it. call.json names the act that bears a recording's hash.
"""


def readme(summary: Summary) -> str:
    """Return the text for a folder with this summary."""
    extra = _ALONE if summary.not_countersigned else ""
    extra += _LOGS if summary.whole_log else ""
    if summary.recordings:
        extra += _RECORDINGS.format(ours=summary.ours)
    return _TEXT.format(
        ours=summary.ours,
        theirs=summary.theirs,
        layer=summary.layer,
        extra=extra,
        words=textwrap.fill(summary.words, _COLUMNS),
    )
