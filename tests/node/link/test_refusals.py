from telcon.node.link.refusals import BURST, REFILL_S, RefusalReport


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def report_to(seen: list[str], clock: Clock) -> RefusalReport:
    return RefusalReport(lambda reason, fingerprint, address: seen.append(reason), clock)


def test_a_burst_is_reported_in_full_and_a_flood_is_not() -> None:
    seen: list[str] = []
    report = report_to(seen, Clock())
    for number in range(BURST + 1_000):
        report(str(number), None, "192.0.2.1:1")
    assert seen == [str(number) for number in range(BURST)]


def test_the_next_report_says_how_many_were_left_out() -> None:
    seen: list[str] = []
    clock = Clock()
    report = report_to(seen, clock)
    for _ in range(BURST + 7):
        report("flood", None, "192.0.2.1:1")
    clock.now_s = REFILL_S
    report("key", None, "192.0.2.1:1")
    report("key", None, "192.0.2.1:1")
    assert seen[BURST:] == ["key (and 7 more before it)"]


def test_after_a_quiet_time_a_burst_is_reported_again_and_not_more() -> None:
    seen: list[str] = []
    clock = Clock()
    report = report_to(seen, clock)
    for now_s in (0.0, 1_000_000.0):
        clock.now_s = now_s
        for _ in range(BURST * 2):
            report("flood", None, "192.0.2.1:1")
    assert len(seen) == 2 * BURST
