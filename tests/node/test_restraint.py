"""What strangers can cause at will is written in bursts and counted after; all else always."""

import pytest

from telcon.node.audit import AuditEvent
from telcon.node.restraint import AT_WILL, BURST, REFILL_S, Restraint


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def restrained() -> tuple[Restraint, Clock, list[dict[str, object]]]:
    written: list[dict[str, object]] = []
    clock = Clock()

    def write(event: str, /, **fields: object) -> None:
        written.append({"event": event, **fields})

    return Restraint(write, clock), clock, written


def test_a_burst_is_written_and_the_rest_is_counted_in_the_next_one() -> None:
    audit, clock, written = restrained()
    for number in range(BURST + 100):
        audit.event(AuditEvent.PEER_MISBEHAVED, reason=f"{number}")
    assert len(written) == BURST
    clock.now += REFILL_S
    audit.event(AuditEvent.PEER_MISBEHAVED, reason="again")
    assert written[-1] == {
        "event": AuditEvent.PEER_MISBEHAVED,
        "reason": "again",
        "left_out": 100,
    }


def test_one_kind_does_not_use_up_another() -> None:
    audit, _, written = restrained()
    for _ in range(BURST + 1):
        audit.event(AuditEvent.WRONG_HOST, host="evil.example")
    audit.event(AuditEvent.WRONG_ORIGIN, origin="evil.example")
    assert written[-1]["event"] == AuditEvent.WRONG_ORIGIN


def test_what_the_operator_does_is_always_written() -> None:
    audit, _, written = restrained()
    for _ in range(10 * BURST):
        audit.event(AuditEvent.LINK_MADE)
    assert len(written) == 10 * BURST


def test_after_silence_there_is_room_for_a_burst_and_no_more() -> None:
    audit, clock, written = restrained()
    audit.event(AuditEvent.FORK_FOUND)
    for _ in range(2):
        clock.now += 1_000 * REFILL_S
        for _ in range(2 * BURST):
            audit.event(AuditEvent.ACT_REFUSED)
    assert len(written) == 1 + 2 * BURST


@pytest.mark.parametrize(
    "event",
    [AuditEvent.WRONG_SEEN, AuditEvent.INVITATION_REUSED, AuditEvent.INVITATION_EXPIRED],
)
def test_what_the_other_side_can_cause_without_end_is_held_back(event: AuditEvent) -> None:
    assert event in AT_WILL
