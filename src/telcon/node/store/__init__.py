"""The store of a node: SQLite in one file, written by one thread, synced before anything is signed.

`Store` is for the node that runs, `Store.open_read_only` for a command beside it. What the store
keeps and how: `tables`. Works on rows: `records`, `invitations`, `access`, `house`. Why the marker
is written without a sync: docs/decisions/0003-marker.md.
"""

from telcon.node.store.commits import CommitStatistics
from telcon.node.store.house import HouseRecord
from telcon.node.store.invitations import InvitationRecord
from telcon.node.store.log import HeldLog
from telcon.node.store.records import LineRecord, RecordingRecord
from telcon.node.store.store import Store, StoreReader

__all__ = [
    "CommitStatistics",
    "HeldLog",
    "HouseRecord",
    "InvitationRecord",
    "LineRecord",
    "RecordingRecord",
    "Store",
    "StoreReader",
]
