"""What there is for strangers, and what they are told.

    POST /witness/add-checkpoint                          c2sp.org/tlog-witness
    GET  /witness/<hex SHA-256 of origin>/checkpoint      the newest that this node has cosigned
    GET  /line/<line id>/checkpoint                       of our log of a line, where published
    GET  /house/checkpoint                                of our house log, at the newest full hour

What is not published and what does not exist are the same to who asks: 404. A line's id is 128
random bits: who can ask for its checkpoint was told of the line.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Final

from telcon.errors import StorageError
from telcon.ledger import add_signature_lines
from telcon.ledger.witness import PLAIN_TYPE, Answer
from telcon.node.store import StoreReader, witnesses
from telcon.node.witnessing import Witnessing

__all__ = ["PublicAnswers"]

ADD_CHECKPOINT: Final = "/witness/add-checkpoint"
HOUSE: Final = "/house/checkpoint"
_WITNESSED: Final = re.compile(r"/witness/([0-9a-f]{64})/checkpoint", re.ASCII)
_LINE: Final = re.compile(r"/line/([0-9a-f]{32})/checkpoint", re.ASCII)


class PublicAnswers:
    """Answers one request; see `telcon.node.public.listener.Ask`."""

    def __init__(
        self, store: StoreReader, witnessing: Witnessing, house: Callable[[], bytes | None]
    ) -> None:
        """Read the lines of `store`; `witnessing` does what a witness does.

        `house` returns what may be shown of the house log; None while there is nothing.
        """
        self._store, self._witnessing, self._house = store, witnessing, house

    async def __call__(self, method: str, path: str, body: bytes) -> Answer:
        """Answer `method` (`GET` or `POST`) of `path`, which may be anything."""
        if path == ADD_CHECKPOINT:
            if method == "POST":
                return await self._witnessing.add_checkpoint(body)
            return _plain(405, "POST alone")
        if path == HOUSE:
            return self._get(method, self._house)
        for form, find in ((_WITNESSED, self._witnessing.checkpoint), (_LINE, self._line)):
            if found := form.fullmatch(path):
                return self._get(method, partial(find, found[1]))
        return _plain(404, "there is no such thing here")

    def _get(self, method: str, find: Callable[[], bytes | None]) -> Answer:
        if method != "GET":
            return _plain(405, "GET alone")
        try:
            note = find()
        except StorageError:
            return _plain(503, "it cannot be read now")
        if note is None:
            return _plain(404, "there is no such thing here")
        return Answer(200, note, PLAIN_TYPE)

    def _line(self, line: str) -> bytes | None:
        """Return our newest checkpoint that the other side has cosigned, where it is published."""
        if not self._store.read(lambda c: witnesses.find_public(c, line)).published:
            return None
        record = next(one for one in self._store.lines() if one.line == line)
        log = self._store.stored_log(record.own_origin)
        newest = log.newest_note()
        if newest is None:
            return None
        size, note = newest
        more = self._store.read(lambda c: witnesses.find_cosignatures(c, log.number, size))
        return add_signature_lines(note, [one.signature for one in more])


def _plain(status: int, reason: str) -> Answer:
    return Answer(status, f"{reason}\n".encode(), PLAIN_TYPE)
