"""Writes `first_database.sql`: what the first migration made, with something in each table.

Run once, at the first version. The file is never made anew: it stands for what is out there.
"""

import asyncio
import sqlite3
import sys
import tempfile
from pathlib import Path

from fakes.disk import LINE, GrowingLog, a_line, commit_line
from telcon.core.stored import Commit, Note
from telcon.ledger import Fork
from telcon.node.people import SignIn
from telcon.node.store import InvitationRecord, RecordingRecord, Store
from telcon.node.store.invitations import add_invitation


async def fill(folder: Path) -> None:
    store, log = Store.open(folder), GrowingLog(a_line().own_origin)
    await store.add_line(a_line())
    await commit_line(store, LINE, log.commit(3, octets=40))
    note = Note(log.origin, 3, b"a cosigned note", cosigned=True)
    await commit_line(store, LINE, Commit((), (note,), (Fork(b"one", b"other"),), None))
    await store.open_recording(RecordingRecord("0a" * 16, log.origin, 1, "recordings/a.opus", 7))
    pending = InvitationRecord(
        "ef" * 16, True, b"card", b"\x03" * 32, b"\x04" * 32, b"statement", b"\x05" * 32, 9
    )
    await store.commit(lambda connection: add_invitation(connection, pending))
    sign_in = SignIn(store, lambda octets: b"\x06" * octets, lambda: 1_000)
    await sign_in.redeem(await sign_in.make_link())
    await store.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(fill(Path(place)))
        connection = sqlite3.connect(Path(place) / "telcon.db")
        sys.stdout.write("\n".join(connection.iterdump()) + "\n")
        connection.close()


if __name__ == "__main__":
    main()
