"""Prosody with an SQLite archive, for one bench: a server of its own and two bare XMPP clients.

Debian's packages `prosody` and `lua-dbi-sqlite3`, as they are: one server, plain TCP on loopback,
every message archived for both persons (mod_mam) before it is delivered, SQLite as Prosody opens
it. The clients speak just enough of RFC 6120 and 6121 to log in, send and receive.
"""

import asyncio
import base64
import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.two_nodes import PORTS_A_RUN
from demo.ports import FIRST, free_ports

__all__ = ["INSTALL", "Client", "archived", "is_installed", "prosody"]

INSTALL = "apt-get install prosody lua-dbi-sqlite3"
DOMAIN = "example.localhost"
PASSWORD = "on loopback, for one bench"
SQLITE_DRIVER = "/usr/lib/*/lua/5.*/dbd/sqlite3.so"
START_S = 30.0
ANSWER_S = 20.0
STREAM = (
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' version='1.0'"
    f" xmlns:stream='http://etherx.jabber.org/streams' to='{DOMAIN}'>"
)
SETTINGS = """
run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
log = {{ warn = "{folder}/prosody.log" }}
admins = {{}}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
modules_enabled = {{ "saslauth", "mam" }}
modules_disabled = {{ "s2s", "offline", "tls" }}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
default_archive_policy = true
storage = {{ archive = "sql" }}
sql = {{ driver = "SQLite3", database = "{folder}/archive.sqlite" }}
VirtualHost "{domain}"
"""


def is_installed() -> bool:
    """Say whether both packages are here."""
    return shutil.which("prosody") is not None and any(Path("/").glob(SQLITE_DRIVER[1:]))


@asynccontextmanager
async def prosody(folder: Path, *people: str) -> AsyncIterator[int]:
    """Run a server in `folder` for `people`; yield the port of its clients."""
    (port,) = free_ports(1, first=FIRST + PORTS_A_RUN * (os.getpid() % 100) + PORTS_A_RUN // 2)
    accounts = folder / "data" / DOMAIN.replace(".", "%2e") / "accounts"
    accounts.mkdir(parents=True)
    for person in people:
        (accounts / f"{person}.dat").write_text(f'return {{ ["password"] = "{PASSWORD}" }};\n')
    settings = folder / "prosody.cfg.lua"
    settings.write_text(SETTINGS.format(folder=folder, port=port, domain=DOMAIN))
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        "prosody", "-F", "--config", str(settings), stdout=quiet, stderr=quiet
    )
    try:
        await _answers(port, process)
        yield port
    finally:
        process.kill()
        await process.wait()


async def _answers(port: int, process: asyncio.subprocess.Process) -> None:
    until = time.monotonic() + START_S
    while True:
        with contextlib.suppress(OSError):
            (await asyncio.open_connection("127.0.0.1", port))[1].close()
            return
        if process.returncode is not None or time.monotonic() > until:
            raise RuntimeError("prosody did not start; run it in the foreground to see why")
        await asyncio.sleep(0.05)


def archived(folder: Path) -> int:
    """Return how many messages the archive of a server holds, one for each person concerned."""
    with contextlib.closing(sqlite3.connect(folder / "archive.sqlite")) as database:
        return int(database.execute("SELECT count(*) FROM prosodyarchive").fetchone()[0])


class Client:
    """A person's one device, logged in."""

    def __init__(
        self, person: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Use `open`."""
        self.person = person
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int, person: str) -> "Client":
        """Log in, in plain text, and be present."""
        client = cls(person, *await asyncio.open_connection("127.0.0.1", port))
        secret = base64.b64encode(f"\0{person}\0{PASSWORD}".encode()).decode()
        sasl = "urn:ietf:params:xml:ns:xmpp-sasl"
        bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
        for said, answer in (
            (STREAM, "</stream:features>"),
            (f"<auth xmlns='{sasl}' mechanism='PLAIN'>{secret}</auth>", "<success"),
            (STREAM, "</stream:features>"),
            (f"<iq type='set' id='bind'>{bind}</iq>", "</iq>"),
            ("<presence/>", "<presence"),
        ):
            client._write(said)
            await client.wait(answer)
        return client

    def send(self, person: str, text: str) -> None:
        """Send a message without markup to another person."""
        self._write(
            f"<message to='{person}@{DOMAIN}' type='chat' id='{text[:8]}'>"
            f"<body>{text}</body></message>"
        )

    async def wait(self, text: str) -> float:
        """Return the moment (`time.perf_counter`) at which `text` has come."""
        wanted, heard = text.encode(), b""
        async with asyncio.timeout(ANSWER_S):
            while wanted not in heard:
                piece = await self._reader.read(65_536)
                if not piece:
                    raise RuntimeError(f"prosody closed the connection after {heard[-200:]!r}")
                heard += piece
        return time.perf_counter()

    def close(self) -> None:
        """Leave."""
        self._writer.close()

    def _write(self, text: str) -> None:
        self._writer.write(text.encode())
