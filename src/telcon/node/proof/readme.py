"""README.txt of a proof folder: what it is, in plain words, for someone who never saw telcon."""

import textwrap

from telcon.node.proof.layout import (
    AbsenceAccount,
    Account,
    CoverageAccount,
    ExcerptAccount,
    SpanAccount,
    Summary,
)
from telcon.node.proof.wording import utc_from_us

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
                     Compare the keys with those that the two organisations publish. Further
                     witnesses, if a policy names any, saw how far the log had come, no more.
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
_ML_DSA = """\
  */policy-ml-dsa-44.txt
                     The same for other keys, whose signatures are to outlast quantum computers:
                     most receipts bear both kinds, and can be checked by either policy alone.
"""
_LOGS = """\
  ours/log/          the whole logs of both sides on this line, with all their calls, as C2SP
  theirs/log/        tlog-tiles (https://c2sp.org/tlog-tiles). Contents stay sealed there.
"""
_RECORDINGS = """\
  recordings/        what was said, one file for each speaker, as the node of {ours}
                     holds it. call.json names the act that bears a recording's hash; where
                     both sides agreed on the record, both have logged that hash.
"""


def readme(summary: Summary, *, has_ml_dsa: bool) -> str:
    """Return the text for a folder with this summary, and with policies for ML-DSA-44 or not."""
    extra = _ML_DSA if has_ml_dsa else ""
    extra += _ALONE if summary.not_countersigned else ""
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


_FRAME = """\
{about}

Each of {ours} and {theirs} keeps a log of its own acts on their line. The other side holds a copy
of that log and signs for having it, with the time of its own clock.

{files}  ours/policy.txt    under whose keys the log of {ours} is believed, and
  theirs/policy.txt  that of {theirs}. Do not believe these two files because they lie here:
                     anybody can run two nodes under any names. Compare the keys with those that the
                     two organisations publish.
  README.txt, *.json say what this folder is about. Nobody signed them.
  SHA256SUMS         to see whether a file was altered since: sha256sum --check SHA256SUMS

To check all of it, with the key cards of both sides that you got from somewhere you trust:

    telcon verify --card CARD-OF-ONE-SIDE --card CARD-OF-THE-OTHER THIS-FOLDER

Without the cards the answer can only be that the folder is consistent in itself. You need not trust
telcon: a log is in the form of C2SP tlog-tiles, a receipt of C2SP tlog-proof, a policy of C2SP
tlog-policy (https://c2sp.org).
"""

_COVERAGE = """\
This folder shows what {ours} stated that its log of the line to {theirs} covers: from when to when,
at which hours, in which record modes, and for which persons."""
_COVERAGE_FILES = """\
  ours/receipts/     Each statement is three files: NAME.entry, the bytes that were logged;
                     NAME.tlog-proof, the proof that they were, with both signatures;
                     NAME.opened.json, the persons, which the entry bears under seal.
"""

_ABSENCE = """\
This folder shows that neither log of the line between {ours} and {theirs} has a call in the time
from {begin} to {end}.{opened}

It is about this one line. Other lines and other channels are not shown, and nobody's word is
shown to be true: see what `telcon verify` says that both sides stated about coverage."""
_LOG_FILES = """\
  ours/log/          both whole logs of the line from their first entry on, as C2SP tlog-tiles.
  theirs/log/        Persons, texts and reasons stay sealed there.
"""
_BOUND_FILES = """\
  before.checkpoint  on each side: how long the log was when that time had not yet begun, and
  after.checkpoint   once it had ended, each signed by both.
"""

_EXCERPT = """\
This folder shows one message on the line between {ours} and {theirs}, and how many others of the
same talk it does not show."""
_EXCERPT_FILES = """\
  SIDE/receipts/     the message: NAME.entry, the bytes that were logged; NAME.tlog-proof, the proof
                     that they were; NAME.opened.json, who wrote it to whom, and its text.
"""


_SPAN = """\
This folder shows some seconds of what one person said in a call between {ours} and {theirs}, and
how much of that call's recording it does not show.

While they talk, the node of each speaker logs every few seconds one hash over all packets of sound
that it sent for each speaker. The packets here are proven to be among those; packets that are not
here cannot be guessed from it. That a voice is a certain person's, no such proof can show."""
_SPAN_GAP = """

Between these packets {unrecorded} more were sent that were not recorded: the speaker's node logged
how many, and no hash of them. Nothing is shown of them, and the file to listen to has no sound in
their place, whatever was said."""
_SPAN_FILES = """\
  span.json          which packets of which speaker are shown, and how many are not.
  tracks/            for each speaker shown, two files, named after the speaker's node and number:
                     NAME.opus, to listen to; it was made from the packets in NAME.leaves alone, and
                     `telcon verify` makes it again and compares;
                     NAME.leaves, the packets themselves, each with its number, its time mark and
                     16 random-looking octets that its hash needs, and the proofs.
                     Of other speakers than the one in span.json, whole chunks are shown, about
                     five seconds each: all that the two logs do not place before or after.
  SIDE/receipts/     the acts that bear those hashes: NAME.entry, the bytes that were logged;
                     NAME.tlog-proof, the proof that they were.
"""


def coverage_readme(account: CoverageAccount) -> str:
    """Return the text for a folder of coverage."""
    return _framed(account, _COVERAGE, _COVERAGE_FILES)


def absence_readme(account: AbsenceAccount, opened: str) -> str:
    """Return the text for a folder of absence; `opened` are the words of `opening_words`."""
    about = _ABSENCE.replace("{begin}", utc_from_us(account.from_us))
    about = about.replace("{end}", utc_from_us(account.to_us))
    about = about.replace("{opened}", f"\n\n{textwrap.fill(opened, _COLUMNS)}" if opened else "")
    return _framed(account, about, _LOG_FILES + _BOUND_FILES)


def excerpt_readme(account: ExcerptAccount) -> str:
    """Return the text for a folder of one message."""
    return _framed(account, _EXCERPT, _EXCERPT_FILES + _LOG_FILES)


def span_readme(account: SpanAccount) -> str:
    """Return the text for a folder of some seconds of a track."""
    about = _SPAN
    if account.unrecorded:
        about += _SPAN_GAP.replace("{unrecorded}", str(account.unrecorded))
    return _framed(account, about, _SPAN_FILES + _LOG_FILES)


def _framed(account: Account, about: str, files: str) -> str:
    names = {"ours": account.ours, "theirs": account.theirs}
    return _FRAME.format(about=about.format(**names), files=files, **names)
