"""Pairing as two operators do it, and what goes wrong when people or files do."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from fakes.two_nodes import (
    TwoNodes,
    ask,
    audited,
    content,
    desk_of,
    exchange,
    on_two_nodes,
    pair,
    two_nodes,
    until,
)
from telcon.errors import InvitationError, InvitationRefusal, OperatorError, StorageError
from telcon.ledger import root_at
from telcon.node.link.invitation import INVITATION_LIFE_US, parse_invitation_untrusted
from telcon.node.record.keepers import format_keeper
from telcon.node.record.sealing import PrivateKey
from telcon.node.store.invitations import find_invitations

NAMES = ("arcadia.example", "borealis.example")


def on_strangers(
    test: Callable[[TwoNodes], Coroutine[Any, Any, None]],
) -> Callable[[Path], None]:
    """Run a test on two nodes that do not know each other."""

    async def run(folder: Path) -> None:
        async with two_nodes(folder, paired=False) as both:
            await test(both)

    def wrapped(tmp_path: Path) -> None:
        asyncio.run(run(tmp_path))

    wrapped.__name__ = test.__name__
    return wrapped


@on_strangers
async def test_both_are_shown_the_same_six_words(both: TwoNodes) -> None:
    ours, theirs = await exchange(*both.nodes, both.folder / "invitation")
    assert ours == theirs
    assert len(ours.split()) == 6


@on_strangers
async def test_who_accepted_may_confirm_first(both: TwoNodes) -> None:
    words, _ = await exchange(*both.nodes, both.folder / "invitation")
    await ask(both.borealis, "confirm", peer=NAMES[0], words=words)
    await ask(both.arcadia, "confirm", peer=NAMES[1], words=words)
    await both.up()


@on_strangers
async def test_capitals_and_spaces_do_not_matter_but_words_do(both: TwoNodes) -> None:
    words, _ = await exchange(*both.nodes, both.folder / "invitation")
    await ask(both.arcadia, "confirm", peer=NAMES[1], words="  " + words.upper().replace(" ", "  "))
    wrong = " ".join(reversed(words.split()))
    with pytest.raises(InvitationError, match="not the words"):
        await ask(both.borealis, "confirm", peer=NAMES[0], words=wrong)


@on_strangers
async def test_wrong_words_leave_nothing_that_could_be_confirmed(both: TwoNodes) -> None:
    words, _ = await exchange(*both.nodes, both.folder / "invitation")
    with pytest.raises(InvitationError, match="not the words"):
        await ask(both.arcadia, "confirm", peer=NAMES[1], words="one two three four five six")
    with pytest.raises(InvitationError, match="no pairing with"):
        await ask(both.arcadia, "confirm", peer=NAMES[1], words=words)
    assert both.arcadia.store.lines() == []
    (left,) = both.arcadia.store.read(find_invitations)
    assert (left.log_seed, left.mirror_seed, left.words) == (b"", b"", None)
    await until(lambda: bool(audited(both.arcadia, "audit.pairing.refused")))


@on_strangers
async def test_a_restart_between_the_words_and_the_confirming_loses_nothing(
    both: TwoNodes,
) -> None:
    words, _ = await exchange(*both.nodes, both.folder / "invitation")
    for node in both.nodes:
        await both.restart(node)
    await ask(both.arcadia, "confirm", peer=NAMES[1], words=words)
    await ask(both.borealis, "confirm", peer=NAMES[0], words=words)
    await both.up()


@on_strangers
async def test_words_that_nobody_confirms_in_ten_minutes_are_void(both: TwoNodes) -> None:
    words, _ = await exchange(*both.nodes, both.folder / "invitation")
    now_us = both.arcadia.introductions._now_us
    both.arcadia.introductions._now_us = lambda: now_us() + INVITATION_LIFE_US
    with pytest.raises(InvitationError, match="no pairing with"):
        await ask(both.arcadia, "confirm", peer=NAMES[1], words=words)


@on_strangers
async def test_an_invitation_of_ones_own_is_not_accepted(both: TwoNodes) -> None:
    file = both.folder / "invitation"
    await both.arcadia.introductions.invite(file, ("127.0.0.1:1",))
    with pytest.raises(InvitationError, match="this node's own"):
        await ask(both.arcadia, "accept", invitation=content(file))


@on_strangers
async def test_a_second_line_with_the_same_node_needs_the_first_frozen(both: TwoNodes) -> None:
    await pair(*both.nodes, both.folder / "first")
    await both.up()
    text = await invitation(both, known_to_borealis=False)
    waiting = asyncio.create_task(both.arcadia.introductions.wait_accepted(invited_line(text)))
    with pytest.raises(InvitationError, match=r"has a line .* already") as refused:
        await both.borealis.introductions.accept(text)
    assert refused.value.refusal is InvitationRefusal.LINE_EXISTS
    with pytest.raises(InvitationError, match="already"):  # nor does the inviter wait any longer
        await waiting
    with pytest.raises(InvitationError, match="already"):
        await ask(both.borealis, "accept", invitation=await invitation(both))
    for node in both.nodes:
        await ask(node, "freeze", peer=NAMES[node is both.arcadia], reason="anew")
    await pair(*both.nodes, both.folder / "second")
    await both.up()
    lines = (await ask(both.arcadia, "lines"))["lines"]
    assert [line["frozen"] for line in lines] == [True, False]
    old, new = sorted(both.arcadia.store.lines(), key=lambda one: one.confirmed_at_us)
    opened = json.loads(both.arcadia.store.stored_log(new.own_origin).entries(0, 1)[0])
    ended = both.arcadia.store.stored_log(old.own_origin)
    root = root_at(ended.size, ended.hash).hex()
    assert opened["previous"] == [old.own_origin, ended.size, root]


@on_strangers
async def test_a_line_is_renewed_by_one_command_and_the_new_log_goes_on_from_the_old(
    both: TwoNodes,
) -> None:
    await pair(*both.nodes, both.folder / "first")
    await both.up()
    file = both.folder / "second"
    keeper = PrivateKey.generate()
    text = format_keeper(keeper.reader).decode()
    await ask(both.arcadia, "keeper-add", peer=NAMES[1], keeper=text)
    renewing = asyncio.create_task(ask(both.arcadia, "renew", peer=NAMES[1], out=str(file)))
    (old,) = both.arcadia.store.lines()
    announced = both.borealis.store.stored_log(old.own_origin)
    await until(lambda: b'{"type":"line.frozen"' in announced.entries(announced.size - 1, 1)[0])
    theirs = await ask(both.borealis, "accept", invitation=content(file))
    ours = await renewing
    for node, name, words in ((both.arcadia, 1, theirs), (both.borealis, 0, ours)):
        await ask(node, "confirm", peer=NAMES[name], words=words["words"])
    await both.up()
    (opening,) = [one for _, one in announced.openings(announced.size - 1, 1)]
    assert invited_line(content(file)).encode() in opening.content
    for node in both.nodes:
        (new,) = (await ask(node, "lines"))["lines"][-1:]
        assert new["previous"]["broken"] is None
        assert new["previous"]["size"] == new["previous"]["held"] >= 2
    kept = (await ask(both.arcadia, "keeper-list"))["keepers"]
    lines = [line["line"] for line in (await ask(both.arcadia, "lines"))["lines"]]
    assert [one["line"] for one in kept] == lines, "who kept the old line's records keeps the new's"
    assert {one["id"] for one in kept} == {keeper.reader.id.hex()}
    cards = [(await ask(both.arcadia, "card", peer=peer))["hash"] for peer in (*lines, NAMES[1])]
    assert cards[0] != cards[1] == cards[2], "an id names an old line, a name the newest"
    with pytest.raises(StorageError, match="cannot be written"):
        nowhere = str(both.folder / "nowhere" / "invitation")
        await ask(both.arcadia, "renew", peer=NAMES[1], out=nowhere)
    assert not desk_of(both.arcadia).line.machine.fold.is_frozen  # nothing was announced


@on_strangers
async def test_a_frozen_line_is_not_renewed_but_paired_anew(both: TwoNodes) -> None:
    await pair(*both.nodes, both.folder / "first")
    await both.up()
    await ask(both.arcadia, "freeze", peer=NAMES[1], reason="no more")
    with pytest.raises(OperatorError, match="frozen already"):
        await ask(both.arcadia, "renew", peer=NAMES[1], out=str(both.folder / "second"))


@on_two_nodes
async def test_a_line_is_not_renewed_in_a_call(both: TwoNodes) -> None:
    rey, _, call = await both.call()
    file = both.folder / "renewal"
    with pytest.raises(OperatorError, match="would cut it"):
        await ask(both.arcadia, "renew", peer="borealis.example", out=str(file))
    assert not file.exists()
    await rey.do("hang-up", call=call)


async def invitation(both: TwoNodes, *, known_to_borealis: bool = True) -> str:
    """Return a new invitation by Arcadia; let Borealis forget that it knows Arcadia, if so."""
    file = both.folder / f"invitation-{known_to_borealis}"
    await both.arcadia.introductions.invite(file, (f"127.0.0.1:{both.arcadia.pairing_port}",))
    known = both.borealis._known if known_to_borealis else lambda: set[str]()
    both.borealis.introductions._known = known
    return content(file)


def invited_line(text: str) -> str:
    return parse_invitation_untrusted(text.encode()).line


@on_strangers
async def test_an_invitation_that_cannot_be_written_leaves_no_pairing(both: TwoNodes) -> None:
    with pytest.raises(StorageError, match="cannot be written"):
        await ask(both.arcadia, "invite", out=str(both.folder / "nowhere" / "invitation"))
    (left,) = both.arcadia.store.read(find_invitations)
    assert (left.log_seed, left.mirror_seed) == (b"", b"")


@on_strangers
async def test_confirming_stores_the_line_and_forgets_the_pairing(both: TwoNodes) -> None:
    await pair(*both.nodes, both.folder / "invitation")
    for node in both.nodes:
        assert node.store.read(find_invitations) == []
        assert len(node.store.lines()) == 1
