"""Further witnesses of a line: asked beside everything else, believed in what they signed alone."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from fakes.push_service import push_service
from fakes.signed_line import SignedLine
from fakes.two_nodes import until
from fakes.witness_node import WitnessNode, store_line
from telcon.core import draft as drafts
from telcon.errors import OperatorError
from telcon.ledger import (
    COSIGNATURE_ED25519,
    SigningKey,
    VerifierKey,
    cosign,
    format_vkey,
    open_checkpoint,
    open_cosignature,
    parse_note_untrusted,
    parse_vkey,
)
from telcon.ledger.witness import PLAIN_TYPE, SIZE_TYPE, Answer, parse_submission_untrusted
from telcon.node.public import PublicAnswers
from telcon.node.store import LineRecord, Store, witnesses
from telcon.node.witnesses import MAX_WITNESSES, Witnesses, WitnessReport


class Rig:
    """Arcadia's store with a line of some entries, and Corelia, which witnesses it."""

    record: LineRecord

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.line = SignedLine().open()
        self.store = Store.open(folder / "arcadia")
        self.nodes: dict[str, WitnessNode] = {}
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.every_s = 0.02
        self.witnesses = self.made()

    @property
    def corelia(self) -> WitnessNode:
        return self.node("corelia")

    @property
    def delia(self) -> WitnessNode:
        return self.node("delia")

    def node(self, name: str) -> WitnessNode:
        if name not in self.nodes:
            self.nodes[name] = WitnessNode(self.folder / name, f"{name}.example")
        return self.nodes[name]

    def made(self, trusted: ssl.SSLContext | None = None) -> Witnesses:
        return Witnesses(
            self.store,
            audit=lambda event, **fields: self.events.append((event, fields)),
            trusted=trusted,
            settle_s=0.0,
            every_s=self.every_s,
        )

    async def grow(self) -> int:
        """Let Arcadia write an entry that Borealis cosigns; return the size."""
        self.line.write(self.line.arcadia, drafts.blank())
        await store_line(self.store, self.line, self.line.arcadia)
        self.witnesses.grown(self.record.line, self.line.arcadia.log.size)
        return self.line.arcadia.log.size

    async def add(self, node: WitnessNode) -> None:
        await node.start()
        await node.witnessing.admit(format_vkey(self.line.arcadia.card.log))
        await self.witnesses.add(self.record, node.vkey, node.url)

    def report(self, node: WitnessNode) -> WitnessReport:
        return next(
            one for one in self.witnesses.report(self.record) if one.witness.vkey == node.vkey
        )

    async def signed(self, node: WitnessNode, size: int) -> bytes:
        """Wait until `node` has signed `size` entries; return its line."""

        def newest() -> bytes:
            found = self.report(node).newest
            return found.signature if found is not None and found.size >= size else b""

        await until(lambda: newest() != b"")
        return newest()

    async def trouble(self, node: WitnessNode) -> str:
        await until(lambda: self.report(node).trouble != "")
        return self.report(node).trouble

    def audited(self, event: str) -> list[dict[str, Any]]:
        return [fields for name, fields in self.events if name == f"audit.line.{event}"]


def on_a_line(test: Callable[[Rig], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    def wrapped(tmp_path: Path) -> None:
        async def main() -> None:
            rig = Rig(tmp_path)
            try:
                rig.record = await store_line(rig.store, rig.line, rig.line.arcadia)
                await test(rig)
            finally:
                await rig.witnesses.close()
                await asyncio.gather(*(node.close() for node in rig.nodes.values()))
                await rig.store.close()

        asyncio.run(main())

    wrapped.__name__, wrapped.__doc__ = test.__name__, test.__doc__
    return wrapped


@on_a_line
async def test_a_witness_signs_what_there_is_and_what_comes(it: Rig) -> None:
    await it.add(it.corelia)
    for size in (2, 3, 4):
        line = await it.signed(it.corelia, size)
        note = it.store.stored_log(it.record.own_origin).note(size)
        assert note is not None
        assert open_cosignature(parse_note_untrusted(note).text, line, it.corelia.witnessing.vkey)
        await it.grow()
    assert it.audited("witness-failed") == []


@on_a_line
async def test_a_witness_is_shown_the_logs_signature_and_not_who_is_at_the_other_end(
    it: Rig,
) -> None:
    await it.add(it.corelia)
    await it.signed(it.corelia, 2)
    ((method, path, body),) = it.corelia.asked
    assert (method, path) == ("POST", "/witness/add-checkpoint")
    assert b"borealis" not in body
    read = parse_submission_untrusted(body)
    assert [line.name for line in read.note.signatures] == [it.record.own_origin]


@on_a_line
async def test_two_witnesses_sign_one_size(it: Rig) -> None:
    await it.add(it.corelia)
    await it.add(it.delia)
    size = await it.grow()
    await it.signed(it.corelia, size)
    await it.signed(it.delia, size)
    log = it.store.stored_log(it.record.own_origin)
    vkeys = [it.corelia.vkey, it.delia.vkey]
    over = it.store.read(
        lambda c: witnesses.find_witnessed_size_over(c, log.number, size - 1, vkeys, 2)
    )
    assert over == size
    none = it.store.read(
        lambda c: witnesses.find_witnessed_size_over(c, log.number, size - 1, vkeys, 3)
    )
    assert none is None


@on_a_line
async def test_a_witness_that_was_away_signs_when_it_is_back(it: Rig) -> None:
    await it.add(it.corelia)
    await it.signed(it.corelia, 2)
    await it.corelia.stop()
    size = await it.grow()
    assert "ConnectionRefusedError" in await it.trouble(it.corelia)
    await it.corelia.start()
    await it.signed(it.corelia, size)
    assert it.report(it.corelia).trouble == ""
    assert len(it.audited("witness-failed")) == 1


@on_a_line
async def test_a_witness_that_hangs_does_not_hold_up_another(it: Rig) -> None:
    for node in (it.corelia, it.delia):
        await it.add(node)
        await it.signed(node, 2)
    it.corelia.holding = asyncio.Event()
    size = await it.grow()
    await it.signed(it.delia, size)
    newest = it.report(it.corelia).newest
    assert newest is not None
    assert newest.size == 2
    it.corelia.holding.set()
    await it.signed(it.corelia, size)


@on_a_line
async def test_a_witness_that_has_forgotten_is_asked_from_where_it_says(it: Rig) -> None:
    await it.add(it.corelia)
    await it.signed(it.corelia, 2)
    log = it.store.stored_log(it.record.own_origin).number
    await it.witnesses.close()
    await it.store.commit(
        lambda c: c.exec_driver_sql("DELETE FROM witness_cosignature WHERE log = ?", (log,))
    )
    size = await it.grow()
    it.witnesses = it.made()
    it.witnesses.start_line(it.record)
    await it.signed(it.corelia, size)
    olds = [parse_submission_untrusted(body).old for _, _, body in it.corelia.asked]
    assert olds == [0, 0, 2]


@on_a_line
async def test_a_witness_elsewhere_is_asked_by_https_with_a_good_certificate(it: Rig) -> None:
    key = SigningKey(bytes([7]) * 32)
    vkey = vkey_of("corelia.example/witness", number=7)
    note = it.store.stored_log(it.record.own_origin).note(2)
    assert note is not None
    line = cosign(parse_note_untrusted(note).text, "corelia.example/witness", key, 5)
    async with push_service(it.folder) as (service, trusted):
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(line)}\r\n\r\n"
        service.answer = head.encode() + line
        await it.witnesses.add(it.record, vkey, f"{service.origin}/w")
        await until(lambda: "certificate" in it.witnesses.report(it.record)[0].trouble)
        assert service.sent == []
        await it.witnesses.close()
        it.witnesses = it.made(trusted)
        it.witnesses.start_line(it.record)
        await until(lambda: it.witnesses.report(it.record)[0].newest is not None)
        assert service.sent[0].target == "POST /w/add-checkpoint HTTP/1.1"


STRANGER = SigningKey(bytes(range(32)))
TEXT = b"corelia.example/x\n1\n" + b"A" * 43 + b"=\n"


FALSE = [
    (Answer(404, b"no such log\n", PLAIN_TYPE), "status 404: no such log"),
    (Answer(409, b"", SIZE_TYPE), "status 409: a conflict"),
    (Answer(409, b"1\n", SIZE_TYPE), "status 409: it contradicts itself"),
    (Answer(409, b"9\n", SIZE_TYPE), "it has cosigned 9 entries of this log"),
    (Answer(200, b"thanks\n", PLAIN_TYPE), "a signature line is"),
    (Answer(200, cosign(TEXT, "x.example/w", STRANGER, 5), PLAIN_TYPE), "no signature by"),
    (
        Answer(200, cosign(TEXT, "corelia.example/witness", STRANGER, 5), PLAIN_TYPE),
        "no signature by",
    ),
    (Answer(200, b"x" * 70_000, PLAIN_TYPE), "has more than 65536 octets"),
]


@on_a_line
async def test_a_false_witness_is_believed_in_nothing(it: Rig) -> None:
    it.corelia.instead = FALSE[0][0]
    await it.add(it.corelia)
    for answer, said in FALSE:
        it.corelia.instead = answer
        await until(lambda said=said: said in it.report(it.corelia).trouble)  # type: ignore[misc]
        assert it.report(it.corelia).newest is None
    told = it.audited("witness-failed")
    assert {one["witness"] for one in told} == {"corelia.example/witness"}
    it.corelia.instead = None
    await it.signed(it.corelia, 2)


@on_a_line
async def test_witnesses_are_kept_over_a_restart_and_forgotten_when_removed(it: Rig) -> None:
    await it.add(it.corelia)
    await it.signed(it.corelia, 2)
    await it.witnesses.close()
    it.witnesses = it.made()
    it.witnesses.start_line(it.record)
    await it.signed(it.corelia, await it.grow())
    await it.witnesses.remove(it.record, "corelia.example/witness")
    asked = len(it.corelia.asked)
    await it.add(it.delia)
    await it.signed(it.delia, await it.grow())
    assert len(it.corelia.asked) == asked
    assert [one.witness.vkey for one in it.witnesses.report(it.record)] == [it.delia.vkey]
    with pytest.raises(OperatorError, match="has no witness"):
        await it.witnesses.remove(it.record, "corelia.example/witness")


@on_a_line
async def test_a_witness_that_moved_is_asked_at_its_new_address(it: Rig) -> None:
    await it.add(it.corelia)
    await it.signed(it.corelia, 2)
    await it.witnesses.add(it.record, it.corelia.vkey, it.corelia.url.replace("127.", "127."))
    assert len(it.witnesses.report(it.record)) == 1
    await it.signed(it.corelia, await it.grow())


def vkey_of(name: str, kind: int = COSIGNATURE_ED25519, number: int = 1) -> str:
    return format_vkey(VerifierKey(name, kind, SigningKey(bytes([number]) * 32).public))


NO_WITNESSES = [
    (vkey_of("arcadia.example/witness"), "https://a.example/w", "one of the two sides"),
    (vkey_of("borealis.example/witness"), "https://a.example/w", "one of the two sides"),
    (vkey_of("Borealis.Example/witness"), "https://a.example/w", "one of the two sides"),
    (vkey_of("corelia.example/x", 1), "https://a.example/w", "the key of a log"),
    ("corelia.example", "https://a.example/w", "not a verifier key"),
    (vkey_of("corelia.example/witness"), "http://a.example/w", "to this machine alone"),
    (vkey_of("corelia.example/witness"), "https://a.example/w/", "slash at the end"),
    (vkey_of("corelia.example/witness"), "https://u@a.example/w", "no user"),
    (vkey_of("corelia.example/witness"), "https://a.example/w?x", "query"),
    (vkey_of("corelia.example/witness"), "ftp://a.example/w", "https, or http"),
    (vkey_of("corelia.example/witness"), "https://", "a web address"),
    (vkey_of("corelia.example/witness"), "https://a.example:0/w", "a web address"),
    (vkey_of("corelia.example/witness"), "https://a.example:99999", "a web address"),
    (vkey_of("corelia.example/witness"), "https://ä.example/w", "a web address"),
    (vkey_of("corelia.example/witness"), "https://a.example/\nw", "a web address"),
    (vkey_of("corelia.example/witness"), "https://a.example/" + "w" * 240, "a web address"),
]


@on_a_line
async def test_what_cannot_be_a_witness_is_refused_in_words(it: Rig) -> None:
    for vkey, url, said in NO_WITNESSES:
        with pytest.raises(OperatorError, match=said) as caught:
            await it.witnesses.add(it.record, vkey, url)
        assert caught.value.advice()
    assert it.witnesses.report(it.record) == []


@on_a_line
async def test_a_line_has_so_many_witnesses_and_no_more(it: Rig) -> None:
    it.corelia.instead = Answer(404, b"", PLAIN_TYPE)
    await it.corelia.start()
    for n in range(MAX_WITNESSES):
        name = f"w{n}.example/witness"
        await it.witnesses.add(it.record, vkey_of(name, number=n), it.corelia.url)
    with pytest.raises(OperatorError, match="at most"):
        await it.witnesses.add(it.record, vkey_of("x.example/witness", number=99), it.corelia.url)
    mirror = it.line.borealis.card.mirror.public
    for taken in (SigningKey(bytes([2]) * 32).public, mirror):
        again = format_vkey(VerifierKey("delia.example/w", COSIGNATURE_ED25519, taken))
        await it.witnesses.remove(it.record, "w0.example/witness")
        with pytest.raises(OperatorError, match="beside the others: two keys"):
            await it.witnesses.add(it.record, again, it.corelia.url)
        await it.witnesses.add(it.record, vkey_of("w0.example/witness", number=0), it.corelia.url)
    await it.witnesses.need(it.record, MAX_WITNESSES)
    for wrong in (0, -1, MAX_WITNESSES + 1):
        with pytest.raises(OperatorError, match="further witnesses, not"):
            await it.witnesses.need(it.record, wrong)
    public = it.store.read(lambda c: witnesses.find_public(c, it.record.line))
    assert public == witnesses.LinePublic(published=False, needed=MAX_WITNESSES)


@on_a_line
async def test_a_checkpoint_is_for_who_knows_the_line_and_only_once_published(it: Rig) -> None:
    answers = PublicAnswers(it.store, it.corelia.witnessing, lambda: None)
    path = f"/line/{it.record.line}/checkpoint"
    assert (await answers("GET", path, b"")).status == 404
    await it.witnesses.publish(it.record, published=True)
    answer = await answers("GET", path, b"")
    assert open_checkpoint(answer.body, it.line.arcadia.card.log).size == 2
    await it.add(it.corelia)
    line = await it.signed(it.corelia, 2)
    assert (await answers("GET", path, b"")).body == answer.body + line
    assert (await answers("POST", path, b"")).status == 405
    for other in ("/", f"/line/{'0' * 32}/checkpoint", path + "/", path.upper(), "/../node.toml"):
        assert (await answers("GET", other, b"")).status == 404
    assert (await answers("GET", "/witness/add-checkpoint", b"")).status == 405
    await it.witnesses.publish(it.record, published=False)
    assert (await answers("GET", path, b"")).status == 404
    assert parse_vkey(it.corelia.vkey) == it.corelia.witnessing.vkey
