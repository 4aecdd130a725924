"""A line that was stopped, as the page is told of it: whether another takes its place."""

from fakes.two_nodes import TwoNodes, desk_of, on_two_nodes, until
from node.test_renewal import known, renewed
from telcon.core.renewal import announcement
from telcon.node.line_desk import LineDesk

NEW = "ab" * 16


def named(desk: LineDesk) -> str | None:
    found: str | None = desk.view()["renewed_by"]
    return found


@on_two_nodes
async def test_a_renewed_line_names_the_one_that_takes_its_place(both: TwoNodes) -> None:
    await known(both)
    olds = [desk_of(node) for node in both.nodes]
    assert [named(old) for old in olds] == [None, None]
    new = await renewed(both)
    for node, old in zip(both.nodes, olds, strict=True):
        assert named(old) == new
        lines = node.desk.snapshot("page")["lines"]
        assert [one["line"] for one in lines] == [old.line.identity.line, new]
        assert named(desk_of(node)) is None


@on_two_nodes
async def test_a_line_frozen_for_another_reason_by_either_side_names_none(both: TwoNodes) -> None:
    await both.up()
    ours, theirs = map(desk_of, both.nodes)
    await theirs.freeze(announcement(NEW, bytes(32)))
    await until(lambda: named(ours) == NEW)
    await ours.freeze("We trust it no more")
    await until(lambda: named(theirs) is None)
    assert named(ours) is None


@on_two_nodes
async def test_words_that_only_resemble_an_announcement_name_none(both: TwoNodes) -> None:
    await both.up()
    ours = desk_of(both.arcadia)
    await ours.freeze(announcement(NEW, bytes(32)) + " Perhaps.")
    assert ours.view()["frozen"]
    assert named(ours) is None
