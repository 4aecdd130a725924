"""The acts of this node's house logs, read back: for the operator, the principal, and the node."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from telcon.core.house import (
    Detail,
    HouseAct,
    house_opening_fits,
    parse_details_untrusted,
    parse_house_entry_untrusted,
)
from telcon.errors import MalformedError, StorageError
from telcon.node.audit import AuditEvent
from telcon.node.store import HouseRecord, Store, StoreReader
from telcon.node.store.house import StoredAct, find_acts

__all__ = ["Act", "acts_of", "last_settings", "readings"]

PAGE = 256  # acts read from the store at once
MAX_SHOWN = 1_000  # about one call
READINGS = frozenset({AuditEvent.RECORD_OPENED, AuditEvent.RECORD_UNSEALED, AuditEvent.EXPORT_MADE})


@dataclass(frozen=True, slots=True)
class Act:
    """One act, with what it was about."""

    origin: str
    index: int
    time_us: int
    act: str
    by: str
    details: dict[str, Detail]


def acts_of(store: StoreReader, names: Collection[str] = ()) -> Iterator[Act]:
    """Yield the acts of this node's house logs, the newest first; of these names, if any is given.

    Raises:
        StorageError: the database refused, or what it holds is no house log.
    """
    for record in reversed(store.house_logs()):
        for stored in _stored(store, record, names):
            yield _read(record.origin, stored)


def _stored(store: StoreReader, record: HouseRecord, names: Collection[str]) -> Iterator[StoredAct]:
    before = store.stored_house(record).size
    find = partial(find_acts, cipher=store.cipher, log=record.number, count=PAGE, names=names)
    while page := store.read(partial(find, before=before)):
        yield from page
        before = page[-1].position


def _read(origin: str, stored: StoredAct) -> Act:
    try:
        entry = parse_house_entry_untrusted(stored.data)
        if not isinstance(entry, HouseAct) or not house_opening_fits(entry, origin, stored.opening):
            raise MalformedError("what opens it does not fit")
        details = parse_details_untrusted(stored.opening.content)
    except MalformedError as error:
        raise StorageError(
            f"entry {stored.position} of {origin} is not what was written: {error}",
            advice="Restore the database from a backup, without never-restore.",
        ) from error
    return Act(origin, stored.position, entry.time, entry.act, entry.by, details)


def readings(folder: Path, call: str) -> list[Act]:
    """Return who opened or exported the record of `call`, the newest first; for a thread.

    Raises:
        StorageError: see `acts_of`.
    """
    with Store.open_read_only(folder) as store:
        read = (act for act in acts_of(store, READINGS) if act.details.get("call") == call)
        return list(islice(read, MAX_SHOWN))


def last_settings(store: StoreReader) -> str | None:
    """Return the hash of the settings with which the node was last started; None if not known.

    Raises:
        StorageError: see `acts_of`.
    """
    newest = next(acts_of(store, (AuditEvent.NODE_STARTED,)), None)
    found = newest.details.get("settings") if newest is not None else None
    return found if isinstance(found, str) else None
