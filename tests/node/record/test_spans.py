"""Spans of indexes against a plain set of them."""

from hypothesis import given
from hypothesis import strategies as st

from telcon.node.record.spans import APART, FOREVER, Spans


def spans_of(*indexes: int) -> Spans:
    spans = Spans()
    for index in indexes:
        spans.add(index)
    return spans


@given(st.lists(st.integers(0, 20 * APART), max_size=40))
def test_all_that_was_added_is_held_and_nothing_far_from_it(indexes: list[int]) -> None:
    spans = spans_of(*indexes)
    assert all(index in spans for index in indexes)
    for index in range(0, 21 * APART, 37):
        assert index not in spans or any(abs(index - one) < APART for one in indexes)
    assert list(spans) == sorted(spans)


def test_what_lies_close_is_one_span() -> None:
    assert list(spans_of(*range(100, 200), 150, 90)) == [(90, 199)]
    assert list(spans_of(100, 100 + APART)) == [(100, 100), (100 + APART, 100 + APART)]


def test_a_span_without_end_holds_all_that_follows() -> None:
    spans = spans_of(5)
    spans.append(1_000, FOREVER)
    assert 5 in spans
    assert 999 not in spans
    assert 1 << 48 in spans
