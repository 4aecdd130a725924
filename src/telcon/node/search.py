"""Search in the messages of one line, newest first, in a thread and in slices: audio does not wait.

What is searched are the openings in the store: what was destroyed, or cannot be read, is not found.
Case and accents do not matter. One ask reads a bounded number of messages and says where to go on,
so that a page can show how far it is.
"""

import asyncio
import time
import unicodedata
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass

from telcon.core.line import MessageState
from telcon.core.seal import parse_text_untrusted
from telcon.errors import MalformedError, UnreadableError
from telcon.node.store import StoreReader
from telcon.node.store.cipher import OpeningCipher
from telcon.node.store.engine import DATABASE, connect_reader
from telcon.node.store.reader import Reader

__all__ = ["Found", "folded", "search_messages"]

SLICE = 250  # messages between two rests of the thread
REST_S = 0.0005  # the loop's thread gets the interpreter meanwhile
MESSAGES_AN_ASK = 5_000  # their places are copied on the loop: 3 ms
FOUND_AN_ASK = 50


@dataclass(frozen=True, slots=True)
class Found:
    """What one ask has found."""

    positions: tuple[int, ...]
    """Of the messages in the sequence that was given, newest first."""
    next: int
    """Everything from this position on was read; 0: that was all."""


def folded(text: str) -> str:
    """Return `text` without case and accents, for comparing."""
    if text.isascii():
        return text.casefold()
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part)).casefold()


async def search_messages(
    store: StoreReader,
    numbers: dict[str, int],
    messages: Sequence[MessageState],
    words: str,
    before: int,
) -> Found:
    """Look for messages that hold every one of `words` among the first `before` of `messages`.

    `numbers` are the ids of the line's logs in `store`, by origin.

    Raises:
        StorageError: the database or the disk refused.

    Cancellation: the thread goes on to the end of its bounded work.
    """
    last = max(0, before - MESSAGES_AN_ASK)
    # Copied here, on the loop's thread: the sequence grows while the other thread reads.
    places = messages[last:before]
    needles = folded(words).split()
    return await asyncio.to_thread(_search, store, numbers, places, needles, last)


def _search(
    store: StoreReader,
    numbers: dict[str, int],
    places: Sequence[MessageState],
    needles: list[str],
    first: int,
) -> Found:
    found: list[int] = []
    with closing(Reader(connect_reader(store.folder / DATABASE))) as reader:
        for end in range(len(places), 0, -SLICE):
            begin = max(0, end - SLICE)
            texts = _texts(reader, store.cipher, numbers, places[begin:end])
            for at in range(end - 1, begin - 1, -1):
                one = places[at]
                if _holds(texts.get((one.origin, one.index)), needles):
                    found.append(first + at)
                    if len(found) == FOUND_AN_ASK:
                        return Found(tuple(found), first + at)
            time.sleep(REST_S)
    return Found(tuple(found), first)


def _texts(
    reader: Reader,
    cipher: OpeningCipher,
    numbers: dict[str, int],
    places: Sequence[MessageState],
) -> dict[tuple[str, int], bytes]:
    """Read what `places` say and nothing else, one statement for each log.

    What lies between them is as much as the other side wants: void messages are held as well.
    """
    texts: dict[tuple[str, int], bytes] = {}
    for origin, number in numbers.items():
        indexes = [one.index for one in places if one.origin == origin]
        if indexes:
            marks = ", ".join("?" * len(indexes))
            rows = reader.rows(
                "SELECT position, sealed FROM opening"  # noqa: S608 -- marks alone
                f" WHERE log = ? AND member = 'text' AND position IN ({marks})",
                (number, *indexes),
            )
            for position, sealed in rows:
                with suppress(UnreadableError):  # shown as unreadable, and so not found
                    opening = cipher.open("opening", number, position, "text", sealed)
                    texts[origin, position] = opening.content
    return texts


def _holds(content: bytes | None, needles: list[str]) -> bool:
    if content is None:
        return False
    try:
        text = folded(parse_text_untrusted(content).text)
    except MalformedError:
        return False  # shown as unreadable, and so not found
    return all(needle in text for needle in needles)
