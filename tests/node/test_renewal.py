"""New keys without words, on two real nodes: both asking, one alone, lies, cuts and restarts."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fakes.two_nodes import (
    TwoNodes,
    Wire,
    ask,
    audited,
    desk_of,
    line_of,
    on_two_nodes,
    until,
    voice,
    wait_audited,
)
from fakes.witness_node import WitnessNode
from telcon.cli import main
from telcon.core.events import SignalReceived
from telcon.core.frames import Frame, Push, Signal
from telcon.core.renewal import announcement
from telcon.core.seal import Person
from telcon.core.signals import RenewCardSignal, RenewHashSignal
from telcon.errors import (
    InvitationError,
    LinkDownError,
    OperatorError,
    StorageError,
)
from telcon.ledger import format_key_card, format_vkey, parse_key_card, root_at
from telcon.ledger.keycard import log_origin, mirror_name
from telcon.node import renewal as renewals
from telcon.node.assembly import Node
from telcon.node.commands import Commands
from telcon.node.link.statement import format_statement, parse_statement_untrusted
from telcon.node.record.keepers import format_keeper
from telcon.node.record.sealing import PrivateKey
from telcon.node.renewal import Renewal
from telcon.node.store.invitations import find_invitations
from telcon.node.store.records import LineRecord

NAMES = ("arcadia.example", "borealis.example")
EVE = Person(lang="en", name="Eve", office="", organisation="")

Asking = asyncio.Task[Mapping[str, Any]]


def asks(node: Node, said: list[str] | None = None) -> Asking:
    """Let the node's operator give `telcon line renew`; what it prints goes to `said`."""
    (peer,) = set(NAMES) - {node.settings.name}
    command = Commands(node).by_name()["renew-unworded"]

    def progress(step: Mapping[str, Any]) -> None:
        if said is not None:
            said.append(str(step["say"]))

    async def run() -> Mapping[str, Any]:
        return await command({"peer": peer}, progress)

    return asyncio.create_task(run())


def renewal_of(node: Node) -> Renewal:
    return node.renewal(line_of(node).identity.line)


def lines_of(node: Node) -> list[LineRecord]:
    """Return the lines, the oldest first."""
    return sorted(node.store.lines(), key=lambda one: one.confirmed_at_us)


def kept_keys(node: Node) -> list[bytes]:
    """Return the secret keys of pairings and renewals that have not become lines."""
    return [one.log_seed for one in node.store.read(find_invitations) if one.log_seed]


async def known(both: TwoNodes) -> None:
    """Wait until both nodes know that the other takes renewals."""
    await both.up()
    await until(lambda: all(renewal_of(node)._is_known.is_set() for node in both.nodes))


def is_waiting(node: Node) -> bool:
    """Say whether the record of a call is not agreed yet."""
    return desk_of(node).board.calls.agreements.is_waiting(0)


async def renewed(both: TwoNodes) -> str:
    """Let both operators ask; return the new line, which is up."""
    await until(lambda: all(renewal_of(node).wanted_by is None for node in both.nodes))
    ours, theirs = await asyncio.gather(*map(asks, both.nodes))
    assert ours["line"] == theirs["line"]
    await both.up()
    return str(ours["line"])


def entries(node: Node, origin: str) -> list[dict[str, Any]]:
    return [json.loads(entry) for entry in node.store.stored_log(origin).entries(0, 1 << 20)]


async def wait_begun(node: Node, origin: str) -> None:
    await until(lambda: node.store.stored_log(origin).size > 0)


async def wait_noted(node: Node, origin: str, size: int) -> None:
    await until(lambda: (node.store.stored_log(origin).newest_note() or (0,))[0] == size)


async def wait_refused(node: Node, times: int) -> None:
    await until(lambda: len(audited(node, "audit.pairing.refused")) == times)


async def wait_confirmed(node: Node, times: int) -> None:
    await until(lambda: len(audited(node, "audit.pairing.line-confirmed")) == times)


async def wait_no_keys(node: Node) -> None:
    await until(lambda: kept_keys(node) == [])


async def check_renewed(both: TwoNodes) -> None:
    """Hold the two newest lines of both nodes against each other."""
    await both.up()
    for node in both.nodes:
        old, new = lines_of(node)[-2:]
        assert {line_of(node).identity.line} == {new.line}
        logs = [(old.own_origin, new.own_origin), (old.peer_origin, new.peer_origin)]
        assert all(entries(node, was)[-1]["type"] == "line.frozen" for was, _ in logs)
        for was, now in logs:
            await wait_begun(node, now)
            ended = node.store.stored_log(was)
            root = root_at(ended.size, ended.hash).hex()
            assert entries(node, now)[0]["previous"] == [was, ended.size, root]
        assert kept_keys(node) == []
        (listed,) = (await ask(node, "lines"))["lines"][-1:]
        assert listed["previous"]["broken"] is None
        assert listed["previous"]["size"] == listed["previous"]["held"]
    cards = [(one.own_card, one.peer_card) for one in (lines_of(node)[-1] for node in both.nodes)]
    assert cards[0] == tuple(reversed(cards[1]))


@on_two_nodes
async def test_both_ask_and_the_new_line_goes_on_from_the_old_by_itself(both: TwoNodes) -> None:
    await known(both)
    keeper = PrivateKey.generate()
    text = format_keeper(keeper.reader).decode()
    await ask(both.arcadia, "keeper-add", peer=NAMES[1], keeper=text)
    (old,) = lines_of(both.arcadia)
    new = await renewed(both)
    await check_renewed(both)
    assert [one.line for one in lines_of(both.arcadia)] == [old.line, new]
    for origin in (old.own_origin, old.peer_origin):  # announced by both, neither knowing
        assert entries(both.arcadia, origin)[-1]["type"] == "line.frozen"
        log = both.borealis.store.stored_log(origin)
        (opening,) = [one for _, one in log.openings(log.size - 1, 1)]
        assert new.encode() in opening.content
        for node in both.nodes:  # its cosigned checkpoint is stored a moment later
            await wait_noted(node, origin, log.size)
    kept = (await ask(both.arcadia, "keeper-list"))["keepers"]
    assert [(one["line"], one["id"]) for one in kept] == [
        (line, keeper.reader.id.hex()) for line in (old.line, new)
    ]
    was = {key.public for key in parse_key_card(old.own_card).keys}
    now = parse_key_card(lines_of(both.arcadia)[-1].own_card).keys
    assert len(now) == len(was) == len({key.public for key in now} - was)
    for node in both.nodes:
        await wait_audited(node, "audit.pairing.renewal-asked")
        await wait_confirmed(node, 2)
    await renewed(both)  # and once more, from the new one
    await check_renewed(both)
    rey, _, call = await both.call()
    await rey.do("hang-up", call=call)


@on_two_nodes
async def test_what_was_proven_on_the_old_line_stays_so(both: TwoNodes) -> None:
    await known(both)
    rey, _, call = await both.call()
    await rey.do("hang-up", call=call)
    await rey.wait_past(call)
    await until(lambda: not any(is_waiting(node) for node in both.nodes))
    (old,) = lines_of(both.arcadia)
    await renewed(both)
    out, cards = both.folder / "proof", [both.folder / name for name in NAMES]
    for node, file in zip(both.nodes, cards, strict=True):
        file.write_text((await ask(node, "card", peer=old.line))["card"])
    data = ["--data", str(both.arcadia.folder)]
    export = [*data, "export", "--call", call, "--out", str(out)]
    assert await asyncio.to_thread(main, export) == 0
    given = [word for card in cards for word in ("--card", str(card))]
    assert await asyncio.to_thread(main, ["verify", *given, str(out)]) == 0


@on_two_nodes
async def test_one_side_alone_waits_is_listed_and_changes_nothing(both: TwoNodes) -> None:
    await known(both)
    asking = asks(both.borealis)
    await until(lambda: renewal_of(both.arcadia).wanted_by == "theirs")
    for node, whose in zip(both.nodes, ("theirs", "ours"), strict=True):
        (listed,) = (await ask(node, "lines"))["lines"]
        assert listed["wanted_by"] == whose
    again = asks(both.borealis)
    with pytest.raises(OperatorError, match="given again"):
        await asking
    assert renewal_of(both.borealis).wanted_by == "ours"
    again.cancel()
    await asyncio.gather(again, return_exceptions=True)
    await until(lambda: renewal_of(both.arcadia).wanted_by is None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(renewals, "RENEW_S", 0.01)
        for node in both.nodes:
            with pytest.raises(InvitationError, match="has not asked for it too"):
                await asks(node)
    assert not line_of(both.arcadia).machine.fold.is_frozen
    await until(lambda: renewal_of(both.arcadia).wanted_by is None)
    await renewed(both)
    await check_renewed(both)


@on_two_nodes
async def test_a_call_is_not_cut(both: TwoNodes) -> None:
    await known(both)
    asking = asks(both.borealis)
    await until(lambda: renewal_of(both.arcadia).wanted_by == "theirs")
    rey, _, call = await both.call()
    with pytest.raises(OperatorError, match="would cut it"):
        await asks(both.arcadia)
    # A node that goes on all the same:
    renewal_of(both.arcadia)._send_card(renewal_of(both.arcadia)._made("0" * 32))
    with pytest.raises(OperatorError, match="would cut it"):
        await asking
    assert desk_of(both.arcadia).board.calls.current() is not None
    await rey.do("hang-up", call=call)
    await until(lambda: all(not desk_of(one).board.calls.running for one in both.nodes))
    await renewed(both)


@on_two_nodes
async def test_a_further_witness_sees_the_end_of_the_old_log(both: TwoNodes) -> None:
    await known(both)
    (old,) = lines_of(both.arcadia)
    corelia = WitnessNode(both.folder / "corelia")
    await corelia.start()
    try:
        await corelia.witnessing.admit(format_vkey(parse_key_card(old.own_card).log))
        await both.arcadia.witnesses.add(old, corelia.vkey, corelia.url)
        said: list[str] = []
        await asyncio.gather(asks(both.arcadia, said), asks(both.borealis))
        assert f"{corelia.witnessing.vkey.name} has signed the end of the old log." in said
        size = both.arcadia.store.stored_log(old.own_origin).size
        (report,) = both.arcadia.witnesses.report(old)
        assert report.newest is not None
        assert report.newest.size == size
        assert entries(both.arcadia, old.own_origin)[size - 1]["type"] == "line.frozen"
        await check_renewed(both)
    finally:
        await corelia.close()


@on_two_nodes
async def test_a_witness_that_hangs_holds_up_neither_the_line_nor_the_command(
    both: TwoNodes,
) -> None:
    await known(both)
    (old,) = lines_of(both.arcadia)
    corelia = WitnessNode(both.folder / "corelia")
    corelia.holding = asyncio.Event()
    await corelia.start()
    try:
        await both.arcadia.witnesses.add(old, corelia.vkey, corelia.url)
        said: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(renewals, "WITNESSED_WITHIN_S", 0.01)
            await asyncio.gather(asks(both.arcadia, said), asks(both.borealis))
        assert f"{corelia.witnessing.vkey.name} has yet to sign it." in said
        await check_renewed(both)
    finally:
        corelia.holding.set()
        await corelia.close()


# -- a side that lies


Lie = Callable[[RenewCardSignal, LineRecord], RenewCardSignal]


def stating(**changes: Any) -> Lie:
    def lie(said: RenewCardSignal, old: LineRecord) -> RenewCardSignal:
        statement = parse_statement_untrusted(said.statement)
        bent = format_statement(msgspec.structs.replace(statement, **changes))
        return msgspec.structs.replace(said, statement=bent)

    return lie


def _old_keys(said: RenewCardSignal, old: LineRecord) -> RenewCardSignal:
    was, card = parse_key_card(old.own_card), parse_key_card(said.card)
    origin, mirror = log_origin(card.name, said.line), mirror_name(card.name, said.line)
    bent = replace(card, log=replace(was.log, name=origin), mirror=replace(was.mirror, name=mirror))
    return msgspec.structs.replace(said, card=format_key_card(bent))


def _fewer_keys(said: RenewCardSignal, old: LineRecord) -> RenewCardSignal:
    bent = replace(parse_key_card(said.card), log_ml_dsa=None, mirror_ml_dsa=None)
    return msgspec.structs.replace(said, card=format_key_card(bent))


def _other_certificate(said: RenewCardSignal, old: LineRecord) -> RenewCardSignal:
    bent = replace(parse_key_card(said.card), tls="0" * 64)
    return msgspec.structs.replace(said, card=format_key_card(bent))


def _old_line(said: RenewCardSignal, old: LineRecord) -> RenewCardSignal:
    return msgspec.structs.replace(said, line=old.line)


def _old_card(said: RenewCardSignal, old: LineRecord) -> RenewCardSignal:
    return msgspec.structs.replace(said, card=old.own_card)


def _nonsense(said: RenewCardSignal, old: LineRecord) -> RenewCardSignal:
    return msgspec.structs.replace(said, card=b"{}")


LIES: dict[str, Lie] = {
    "the principal stated": stating(principal=EVE),
    "the terms stated": stating(terms={"policy": "mirror", "conditions": [], "link_lost": "end"}),
    "in use before": _old_keys,
    "fewer keys": _fewer_keys,
    "not that of the key card": _other_certificate,
    "is there already": _old_line,
    "different lines": _old_card,
    "has the members": _nonsense,
}


@pytest.mark.parametrize("liar", [0, 1], ids=NAMES)
def test_who_states_what_does_not_fit_is_refused_and_the_line_stays_usable(
    liar: int, tmp_path: Path
) -> None:
    @on_two_nodes
    async def run(both: TwoNodes) -> None:
        await known(both)
        false, victim = both.nodes[liar], both.nodes[1 - liar]
        renewal, (old,) = renewal_of(false), lines_of(false)
        send = renewal._send
        for number, (reason, lie) in enumerate(LIES.items(), 1):

            def lying(kind: str, body: Any, lie: Lie = lie) -> None:
                send(kind, lie(body, old) if isinstance(body, RenewCardSignal) else body)

            renewal._send = lying  # type: ignore[method-assign]
            told = await asyncio.gather(asks(victim), asks(false), return_exceptions=True)
            assert [type(one) for one in told] == [InvitationError] * 2, (reason, told)
            assert reason in str(told[0])
            assert "has ended it" in str(told[1])
            await wait_refused(victim, number)
            await until(lambda: all(renewal_of(node).wanted_by is None for node in both.nodes))
            assert kept_keys(victim) == []
            assert not line_of(victim).machine.fold.is_frozen
        renewal._send = send  # type: ignore[method-assign]
        await renewed(both)
        await check_renewed(both)

    run(tmp_path)


@on_two_nodes
async def test_another_hash_is_refused_and_nothing_is_announced(both: TwoNodes) -> None:
    await known(both)
    renewal = renewal_of(both.borealis)
    send = renewal._send

    async def silent(record: Any) -> None:
        """Announce nothing."""

    def lying(kind: str, body: Any) -> None:
        is_hash = isinstance(body, RenewHashSignal)
        send(kind, msgspec.structs.replace(body, hash=bytes(32)) if is_hash else body)

    renewal._send, renewal._announce = lying, silent  # type: ignore[method-assign]
    asking = asks(both.borealis)
    with pytest.raises(InvitationError, match="not what is held here"):
        await asks(both.arcadia)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await wait_audited(both.arcadia, "audit.pairing.refused")
    assert kept_keys(both.arcadia) == []
    assert not line_of(both.arcadia).machine.fold.is_frozen


@on_two_nodes
async def test_what_nobody_asked_for_is_named_and_changes_nothing(both: TwoNodes) -> None:
    await known(both)
    renewal, theirs = renewal_of(both.arcadia), renewal_of(both.borealis)
    said = RenewCardSignal("0" * 32, b"", b"")
    renewal._send("renew-hash", RenewHashSignal("0" * 32, bytes(32)))
    renewal._send("renew-card", said)
    renewal._line.signal("renew-card", "", b"\x80")
    await until(lambda: len(misbehaved(both.borealis)) == 2)
    for _ in range(renewals.MAX_WAITING + 1):
        theirs.event(SignalReceived("renew", "", b"\x80"))
    await until(lambda: any("more about a renewal" in one for one in misbehaved(both.borealis)))
    asking = asks(both.borealis)
    await until(lambda: renewal.wanted_by == "theirs")
    renewal._send("renew-card", said)  # without an operator, to one who asks
    with pytest.raises(InvitationError, match="key card"):
        await asking
    assert kept_keys(both.borealis) == []
    await renewed(both)
    await check_renewed(both)


def misbehaved(node: Node) -> list[str]:
    return audited(node, "audit.peer.misbehaved")


@on_two_nodes
async def test_a_node_that_is_another_than_it_was_needs_words(both: TwoNodes) -> None:
    await known(both)
    settings = both.arcadia.settings
    both.arcadia.settings = replace(settings, principal=EVE)
    asking = asks(both.borealis)
    with pytest.raises(OperatorError, match="the principal of this node is another"):
        await asks(both.arcadia)
    both.arcadia.settings = settings
    await until(lambda: renewal_of(both.borealis).wanted_by == "ours")
    ours = await asks(both.arcadia)  # Borealis' operator still waits
    assert ours["line"] == (await asking)["line"]
    await check_renewed(both)


@on_two_nodes
async def test_a_node_that_knows_no_renewals_is_met_by_words(both: TwoNodes) -> None:
    await known(both)
    renewal_of(both.arcadia)._is_known.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(renewals, "KNOWN_WITHIN_S", 0.01)
        with pytest.raises(OperatorError, match="does not take a renewal") as refused:
            await asks(both.arcadia)
        assert "--out FILE" in refused.value.advice()
        await both.unlink()
        with pytest.raises(LinkDownError, match="is down"):
            await asks(both.arcadia)
    both.relink()
    await known(both)
    await renewed(both)


@on_two_nodes
async def test_a_record_is_agreed_on_before_its_line_ends(both: TwoNodes) -> None:
    await known(both)
    rey, voss, call = await both.call()
    await asyncio.gather(rey.say(voice("Rey", 5)), voss.say(voice("Voss", 5)))
    wire = Wire(line_of(both.borealis))
    wire.hold()
    await rey.do("hang-up", call=call)
    with pytest.raises(OperatorError, match="still being agreed on"):
        await asks(both.arcadia)
    wire.release()
    await until(lambda: not any(is_waiting(node) for node in both.nodes))
    assert line_of(both.arcadia).machine.fold.calls[call].is_agreed
    await renewed(both)


# -- frozen meanwhile


@on_two_nodes
async def test_a_line_that_is_frozen_meanwhile_is_not_renewed(both: TwoNodes) -> None:
    await known(both)
    asking = asks(both.arcadia)
    await until(lambda: renewal_of(both.borealis).wanted_by == "theirs")
    await ask(both.borealis, "freeze", peer=NAMES[0], reason="our node was stolen")
    with pytest.raises(OperatorError, match="frozen for another reason"):
        await asking
    for node in both.nodes:
        with pytest.raises(OperatorError, match="frozen already"):
            await asks(node)


@on_two_nodes
async def test_who_freezes_in_the_same_moment_has_the_last_word(both: TwoNodes) -> None:
    await known(both)
    borealis = renewal_of(both.borealis)

    async def frozen(record: object) -> None:
        await desk_of(both.borealis).freeze("our node was stolen")

    borealis._announce = frozen  # type: ignore[method-assign]
    told = await asyncio.gather(*map(asks, both.nodes), return_exceptions=True)
    assert [str(one) for one in told] == [
        f"the line to {name} was frozen for another reason" for name in reversed(NAMES)
    ]
    for node in both.nodes:
        await wait_no_keys(node)
        assert len(lines_of(node)) == 1


@on_two_nodes
async def test_an_announcement_of_what_is_not_here_is_a_freezing_like_any_other(
    both: TwoNodes,
) -> None:
    await known(both)
    asking = asks(both.arcadia)
    await until(lambda: renewal_of(both.borealis).wanted_by == "theirs")
    await desk_of(both.borealis).freeze(announcement("0" * 32, bytes(32)))
    with pytest.raises(OperatorError, match="frozen for another reason"):
        await asking
    assert len(lines_of(both.arcadia)) == 1


# -- a link that falls, a node that ends


class Cut:
    """Lets a node send no more from the first frame on for which `falls` is true."""

    def __init__(self, node: Node, falls: Callable[[Frame], bool]) -> None:
        self.has_fallen = False
        self._falls = falls
        self._wire = Wire(line_of(node), self._drops)

    def _drops(self, frame: Frame) -> bool:
        if not self.has_fallen and self._falls(frame):
            self.has_fallen = True
            self._wire.let_go()
        return self.has_fallen


def signalled(kind: str) -> Callable[[Frame], bool]:
    return lambda frame: isinstance(frame, Signal) and frame.kind == kind


def announced(frame: Frame) -> bool:
    return isinstance(frame, Push) and b'"line.frozen"' in frame.entries[-1]


STEPS: dict[str, tuple[int, Callable[[Frame], bool]]] = {
    "the first card": (0, signalled("renew-card")),
    "the second card": (1, signalled("renew-card")),
    "the first hash": (1, signalled("renew-hash")),
    "the second hash": (0, signalled("renew-hash")),
    "the first announcement": (0, announced),
    "the second announcement": (1, announced),
}


async def fallen(both: TwoNodes, step: str) -> list[Asking]:
    """Let both ask, and the link fall silent at `step`."""
    await known(both)
    who, falls = STEPS[step]
    cut = Cut(both.nodes[who], falls)
    asking = [asks(node) for node in both.nodes]
    await until(lambda: cut.has_fallen)
    if "hash" in step or "announcement" in step:  # what the other one has got, it acts on
        await until(lambda: any(kept_keys(node) for node in both.nodes))
    return asking


@pytest.mark.parametrize("step", STEPS)
def test_a_link_that_falls_is_waited_for(step: str, tmp_path: Path) -> None:
    @on_two_nodes
    async def run(both: TwoNodes) -> None:
        asking = await fallen(both, step)
        await both.unlink()
        both.relink()
        ours, theirs = await asyncio.gather(*asking)
        assert ours["line"] == theirs["line"]
        await check_renewed(both)

    run(tmp_path)


@pytest.mark.parametrize("step", STEPS)
def test_nodes_that_end_leave_the_old_line_or_the_new(step: str, tmp_path: Path) -> None:
    @on_two_nodes
    async def run(both: TwoNodes) -> None:
        asking = await fallen(both, step)
        for node in both.nodes:
            await both.restart(node)
        for one in asking:
            one.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await both.up()
        if any(line_of(node).machine.fold.is_frozen for node in both.nodes):
            await until(lambda: all(len(lines_of(node)) == 2 for node in both.nodes))
        if any(len(lines_of(node)) == 2 for node in both.nodes):
            await until(lambda: all(len(lines_of(node)) == 2 for node in both.nodes))
        else:
            await known(both)
            await renewed(both)
        await check_renewed(both)

    run(tmp_path)


@pytest.mark.parametrize("who", [0, 1], ids=NAMES)
def test_a_line_that_was_announced_begins_at_the_next_start(who: int, tmp_path: Path) -> None:
    @on_two_nodes
    async def run(both: TwoNodes) -> None:
        await known(both)
        node = both.nodes[who]
        reached, never = asyncio.Event(), asyncio.Event()

        async def killed(record: LineRecord) -> None:
            reached.set()
            await never.wait()

        node.store.add_line = killed  # type: ignore[method-assign]
        asking = [asks(one) for one in both.nodes]
        await reached.wait()
        await asking[1 - who]
        await node._tasks.cancel()
        await both.restart(node)
        asking[who].cancel()
        await until(lambda: all(len(lines_of(one)) == 2 for one in both.nodes))
        await check_renewed(both)
        await asyncio.gather(*asking, return_exceptions=True)

    run(tmp_path)


@on_two_nodes
async def test_a_disk_that_refuses_the_new_line_is_asked_again(both: TwoNodes) -> None:
    await known(both)
    store = both.arcadia.store
    add_line, refused = store.add_line, asyncio.Event()

    async def full(record: LineRecord) -> None:
        if not refused.is_set():
            refused.set()
            raise StorageError("no room")
        await add_line(record)

    store.add_line = full  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(renewals, "RETRY_S", 0.01)
        await renewed(both)
    assert refused.is_set()
    await wait_audited(both.arcadia, "audit.node.storage-refused")
    await check_renewed(both)


@on_two_nodes
async def test_keys_that_came_to_nothing_go_with_the_next_try(both: TwoNodes) -> None:
    asking = await fallen(both, "the second card")
    await both.unlink()
    for one in asking:
        one.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    both.relink()
    await known(both)
    left = kept_keys(both.borealis)
    assert len(left) == 1
    await both.borealis.introductions.invite(both.folder / "third", ("127.0.0.1:1",))
    assert set(left) < set(kept_keys(both.borealis)), "it does not run out"
    await both.borealis.introductions._drop(
        [one for one in both.borealis.store.read(find_invitations) if one.invited]
    )
    await renewed(both)
    await check_renewed(both)
