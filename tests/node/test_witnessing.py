"""A node as a witness: what it signs is durable first; no accident makes it sign two histories."""

import asyncio
import base64
import shutil
from collections.abc import Callable, Coroutine
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from fakes.tree import MemoryTree
from ledger.test_witness import body, signed
from ledger.vectors import LOG_KEY
from telcon.errors import OperatorError, StorageError
from telcon.ledger import (
    COSIGNATURE_ED25519,
    ED25519,
    SigningKey,
    VerifierKey,
    consistency_proof,
    format_vkey,
    open_checkpoint,
    open_cosignature,
)
from telcon.node.store import Store, witnessed
from telcon.node.witnessing import BURST, MAX_KEPT, Witnessing

ORIGIN = LOG_KEY.name
TREE = MemoryTree(bytes([n]) for n in range(40))
OTHER = MemoryTree(bytes([n, 1]) for n in range(40))
NOW_S = 1_790_000_000


def root(size: int, tree: MemoryTree = TREE) -> bytes:
    return MemoryTree(row_of(tree, n) for n in range(size)).frontier.root()


def row_of(tree: MemoryTree, index: int) -> bytes:
    return bytes([index]) if tree is TREE else bytes([index, 1])


def request(old: int, size: int, tree: MemoryTree = TREE) -> bytes:
    proof = consistency_proof(old, size, tree.read) if 0 < old < size else []
    return body(old, proof, signed(size, root(size, tree)))


class Rig:
    """A witness on a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.at_s = 0.0
        self.open()

    def open(self) -> None:
        self.store = Store.open(self.folder)
        self.witness = Witnessing(
            self.folder,
            "corelia.example",
            self.store,
            audit=lambda event, **fields: self.events.append((event, fields)),
            now_s=lambda: NOW_S,
            clock=lambda: self.at_s,
        )

    async def restart(self) -> None:
        await self.store.close()
        self.open()

    async def ask(self, asked: bytes) -> int:
        """Return the status; a cosignature must be one."""
        answer = await self.witness.add_checkpoint(asked)
        if answer.status == 200:
            text = asked.partition(b"\n\n")[2].rpartition(b"\n\n")[0] + b"\n"
            assert open_cosignature(text, answer.body, self.witness.vkey) == NOW_S
        return answer.status

    def stored(self) -> witnessed.WitnessedLog:
        (found,) = self.witness.logs()
        return found


def on_a_witness(test: Callable[[Rig], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    def wrapped(tmp_path: Path) -> None:
        async def main() -> None:
            rig = Rig(tmp_path)
            try:
                await rig.witness.admit(format_vkey(LOG_KEY))
                await test(rig)
            finally:
                await rig.store.close()

        asyncio.run(main())

    wrapped.__name__, wrapped.__doc__ = test.__name__, test.__doc__
    return wrapped


@on_a_witness
async def test_the_key_is_made_once_and_named_for_the_node(it: Rig) -> None:
    vkey = it.witness.vkey
    assert (vkey.name, vkey.type) == ("corelia.example/witness", COSIGNATURE_ED25519)
    await it.restart()
    assert it.witness.vkey == vkey
    key = it.folder / "never-restore" / "witness.key"
    assert key.stat().st_mode & 0o077 == 0


@on_a_witness
async def test_a_log_is_followed_from_nothing(it: Rig) -> None:
    assert await it.ask(request(0, 3)) == 200
    assert await it.ask(request(3, 3)) == 200
    assert await it.ask(request(3, 20)) == 200
    assert await it.ask(request(3, 21)) == 409
    assert (it.stored().size, it.stored().root) == (20, root(20))
    await it.restart()
    assert await it.ask(request(20, 21)) == 200


@on_a_witness
async def test_of_two_histories_one_is_signed_and_the_other_kept(it: Rig) -> None:
    assert await it.ask(request(0, 3)) == 200
    forked = request(3, 3, OTHER)
    assert await it.ask(forked) == 422
    assert await it.ask(forked) == 422
    assert await it.ask(request(3, 5, OTHER)) == 422
    kept = it.witness.refused()
    assert [one.request for one in kept] == [forked, request(3, 5, OTHER)]
    assert kept[0].held is not None
    assert open_checkpoint(kept[0].held, LOG_KEY).root == root(3)
    told = [fields["status"] for event, fields in it.events if event == "audit.witness.refused"]
    assert told == [422, 422]


@on_a_witness
async def test_what_is_kept_is_bounded(it: Rig) -> None:
    assert await it.ask(request(0, 3)) == 200
    for n in range(MAX_KEPT + 5):
        it.at_s += 1_000
        assert await it.ask(body(3, [], signed(3, sha256(bytes([n])).digest()))) == 422
    assert len(it.witness.refused()) == MAX_KEPT


@on_a_witness
async def test_two_that_come_at_once_do_not_both_pass(it: Rig) -> None:
    """Each is right by itself; which comes first decides, and the record never goes back."""
    assert await it.ask(request(0, 3)) == 200
    asked = [request(3, size) for size in range(4, 12)]
    found = await asyncio.gather(*(it.ask(one) for one in asked))
    assert sorted(found) == [200] + [409] * (len(asked) - 1)
    assert it.stored().size == asked_size(asked[found.index(200)])


def asked_size(asked: bytes) -> int:
    return int(asked.partition(b"\n\n")[2].split(b"\n")[1])


@on_a_witness
async def test_a_database_from_a_backup_does_not_make_it_sign_another_history(it: Rig) -> None:
    assert await it.ask(request(0, 3)) == 200
    await it.store.close()
    backup = (it.folder / "telcon.db").read_bytes()
    it.open()
    assert await it.ask(request(3, 9)) == 200
    await it.store.close()
    (it.folder / "telcon.db").write_bytes(backup)
    for left in ("telcon.db-wal", "telcon.db-shm"):
        (it.folder / left).unlink(missing_ok=True)
    it.open()
    assert it.stored().size == 9
    assert await it.ask(request(3, 5)) == 409
    assert await it.ask(request(9, 12, OTHER)) == 422
    assert it.witness.checkpoint(sha256(ORIGIN.encode()).hexdigest()) is None
    assert await it.ask(request(9, 12)) == 200
    assert it.stored().size == 12


@on_a_witness
async def test_where_the_folder_is_lost_the_key_is_lost_too(it: Rig) -> None:
    """A key that does not know what it signed signs nothing more."""
    assert await it.ask(request(0, 3)) == 200
    vkey = it.witness.vkey
    await it.store.close()
    shutil.rmtree(it.folder / "never-restore")
    it.open()
    assert it.witness.vkey != vkey
    assert await it.ask(request(3, 5)) == 200


@on_a_witness
async def test_a_marker_that_cannot_be_read_stops_that_log(it: Rig) -> None:
    assert await it.ask(request(0, 3)) == 200
    (marker,) = (it.folder / "never-restore").glob("witnessed-*")
    marker.write_bytes(b"\0" * 20)
    with pytest.raises(StorageError, match="cannot be read"):
        it.witness.logs()
    assert await it.ask(request(3, 5)) == 503
    assert await it.ask(request(3, 5)) == 503
    ((_, told),) = [one for one in it.events if one[0] == "audit.node.storage-refused"]
    assert str(marker) in told["error"]


@on_a_witness
async def test_what_the_disk_refuses_is_not_signed(it: Rig) -> None:
    """The marker cannot be written: no signature, and the same may be asked again."""
    folder = it.folder / "never-restore"
    assert it.witness.vkey
    name = f"witnessed-{sha256(ORIGIN.encode()).hexdigest()}.new"
    (folder / name).mkdir()  # in the way of what is to be written, for root too
    assert (await it.witness.add_checkpoint(request(0, 3))).status == 503
    (folder / name).rmdir()
    assert await it.ask(request(0, 3)) == 409  # what was stored stays: nobody was told of it
    assert await it.ask(request(3, 3)) == 200


@on_a_witness
async def test_a_log_that_was_dismissed_comes_back_where_it_was(it: Rig) -> None:
    assert await it.ask(request(0, 3)) == 200
    await it.witness.dismiss(ORIGIN)
    assert await it.ask(request(3, 5)) == 404
    assert it.witness.checkpoint(sha256(ORIGIN.encode()).hexdigest()) is None
    again = await it.witness.admit(format_vkey(LOG_KEY))
    assert again.size == 3
    assert await it.ask(request(0, 5, OTHER)) == 409
    assert await it.ask(request(3, 5)) == 200


@on_a_witness
async def test_a_log_that_asks_too_often_is_told_to_wait(it: Rig) -> None:
    found = [await it.ask(request(0, 0)) for _ in range(BURST + 1)]
    assert found == [200] * BURST + [429]
    it.at_s += 60
    assert await it.ask(request(0, 0)) == 200


@on_a_witness
async def test_the_newest_can_be_asked_for_with_both_signatures(it: Rig) -> None:
    hashed = sha256(ORIGIN.encode()).hexdigest()
    assert it.witness.checkpoint(hashed) is None
    assert await it.ask(request(0, 3)) == 200
    for _ in range(2):
        note = it.witness.checkpoint(hashed)
        assert note is not None
        assert open_checkpoint(note, LOG_KEY).size == 3
        text, _, lines = note.rpartition(b"\n\n")
        cosigned = lines.split(b"\n", 1)[1]
        assert open_cosignature(text + b"\n", cosigned, it.witness.vkey) == NOW_S
        await it.restart()
    assert it.witness.checkpoint("00" * 32) is None


OWN = VerifierKey("corelia.example/line/1", ED25519, SigningKey(bytes(32)).public)
RENAMED = VerifierKey(ORIGIN, ED25519, SigningKey(bytes(32)).public)
MIRROR = VerifierKey("a.example/m", COSIGNATURE_ED25519, SigningKey(bytes(32)).public)


@on_a_witness
async def test_what_cannot_be_witnessed_is_refused_in_words(it: Rig) -> None:
    for vkey, said in (
        (format_vkey(OWN), "of this node itself"),
        (format_vkey(OWN).upper(), "not a verifier key"),
        (format_vkey(RENAMED), "under another key"),
        (format_vkey(MIRROR), "a cosigner's key"),
        ("", "not a verifier key"),
        (f"{ORIGIN}+00000000+{base64.b64encode(bytes(33)).decode()}", "not a verifier key"),
    ):
        with pytest.raises(OperatorError, match=said):
            await it.witness.admit(vkey)
    assert [log.origin for log in it.witness.logs()] == [ORIGIN]


@on_a_witness
async def test_what_is_not_witnessed_cannot_be_dismissed(it: Rig) -> None:
    with pytest.raises(OperatorError, match="does not witness"):
        await it.witness.dismiss("borealis.example/line/x")
