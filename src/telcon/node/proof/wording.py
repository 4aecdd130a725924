"""How times, foreign text and proven facts are put into words, the same on every page.

Text from outside is quoted with everything invisible escaped: direction marks, controls and line
breaks could make a sentence say something else than what was proven.
"""

import base64
import unicodedata
from datetime import UTC, datetime, timedelta

from msgspec import UNSET

from telcon.core.coverage import hours_in_words
from telcon.core.entry import LineCoverage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_from_us(time_us: int) -> str:
    """Write integer microseconds since 1970 as UTC, or as a number where no calendar has it."""
    try:
        moment = _EPOCH + timedelta(microseconds=time_us)
    except OverflowError:
        return f"{time_us} microseconds after 1970 UTC"
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f UTC")


def utc_from_seconds(time_s: int) -> str:
    """Write POSIX seconds as UTC, or as a number where no calendar has it."""
    try:
        moment = _EPOCH + timedelta(seconds=time_s)
    except OverflowError:
        return f"{time_s} seconds after 1970 UTC"
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def base64_of(data: bytes) -> str:
    """Write a hash as checkpoints do."""
    return base64.b64encode(data).decode()


def coverage_in_words(entry: LineCoverage) -> str:
    """Say what a `line.coverage` says, but for the persons, who are under seal."""
    until = "until it says otherwise" if entry.until is UNSET else f"to {utc_from_us(entry.until)}"
    return (
        f"its log of this line covers the time from {utc_from_us(entry.since)} {until},"
        f" {hours_in_words(entry.hours)}, in the record modes {', '.join(entry.modes)}"
    )


def escape(text: str) -> str:
    """Return `text` on one line with all that cannot be seen, or that turns text, escaped."""
    return "".join(_visible(character) for character in text)


def quote(text: str) -> str:
    """Return `text` escaped and in quotation marks, which it cannot close itself."""
    inner = escape(text).replace("“", "\\u{201c}").replace("”", "\\u{201d}")
    return f"“{inner}”"


def _visible(character: str) -> str:
    if character == " " or unicodedata.category(character)[0] not in "CZ":
        return "\\\\" if character == "\\" else character
    return f"\\u{{{ord(character):x}}}"
