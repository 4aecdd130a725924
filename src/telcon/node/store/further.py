"""A line's further witnesses and their cosignatures, as proof folders want them.

See `telcon.node.proof.further`, which this is the store's side of.
"""

from telcon.ledger import VerifierKey, add_signature_lines, parse_vkey
from telcon.node.store import witnesses
from telcon.node.store.log import HeldLog
from telcon.node.store.records import LineRecord
from telcon.node.store.store import StoreReader
from telcon.node.store.witnesses import LineWitness

__all__ = ["StoredWitnesses", "further_witnesses"]


def further_witnesses(store: StoreReader, record: LineRecord) -> "StoredWitnesses | None":
    """Return the further witnesses of our log of a line, None if it has none."""
    found = store.read(lambda connection: witnesses.find_witnesses(connection, record.line))
    if not found:
        return None
    public = store.read(lambda connection: witnesses.find_public(connection, record.line))
    needed = min(public.needed, len(found))
    return StoredWitnesses(store, store.stored_log(record.own_origin), found, needed)


class StoredWitnesses:
    """The witnesses that are named now; what others signed before is left out."""

    def __init__(
        self, store: StoreReader, log: HeldLog, found: list[LineWitness], needed: int
    ) -> None:
        """Use `further_witnesses`."""
        self._store, self._log = store, log
        self._vkeys = [one.vkey for one in found]
        self.keys: tuple[tuple[VerifierKey, str], ...] = tuple(
            (parse_vkey(one.vkey), one.url) for one in found
        )
        self.needed = needed

    def note_over(self, index: int, needed: int) -> tuple[int, bytes] | None:
        """Return size and note of the earliest checkpoint over entry `index` that `needed` signed.

        Raises:
            StorageError: the disk refused.
        """
        number = self._log.number
        size = self._store.read(
            lambda c: witnesses.find_witnessed_size_over(c, number, index, self._vkeys, needed)
        )
        note = self._log.note(size) if size is not None else None
        if size is None or note is None:
            return None
        signed = self._store.read(lambda c: witnesses.find_cosignatures(c, number, size))
        lines = [one.signature for one in signed if one.vkey in self._vkeys]
        return size, add_signature_lines(note, lines)
