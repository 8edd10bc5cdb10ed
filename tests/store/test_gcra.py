import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.store.gcra import MINUTE_US, Admitted, Delayed, Rate, admit, rescale

limits = st.integers(1, 700)


def grants(limit: int, moments: list[int], tat_us: int = 0) -> list[int]:
    rate, granted = Rate.of(limit), []
    for now_us in moments:
        match admit(tat_us, now_us, rate):
            case Admitted(after_us):
                tat_us = after_us
                granted.append(now_us)
            case Delayed():
                pass
    return granted


def most_in_a_minute(granted: list[int]) -> int:
    ordered = sorted(granted)
    return max((sum(start <= at <= start + MINUTE_US for at in ordered) for start in ordered), default=0)


@given(limits, st.lists(st.integers(0, 2_000_000), max_size=400))
def test_no_closed_minute_ever_holds_more_than_the_limit(limit: int, steps: list[int]) -> None:
    moments, now_us = [], 10**15
    for step in steps:
        now_us += step
        moments.append(now_us)
    assert most_in_a_minute(grants(limit, moments)) <= limit


@given(limits, st.lists(st.tuples(st.integers(0, 900_000), st.integers(0, 200_000)), max_size=300))
def test_clocks_that_are_apart_do_not_widen_the_window(limit: int, steps: list[tuple[int, int]]) -> None:
    moments, now_us = [], 10**15
    for step, behind in steps:
        now_us += step
        moments.append(now_us - behind)
    assert most_in_a_minute(grants(limit, moments)) <= limit


@given(limits)
def test_one_who_asks_again_when_told_gets_nearly_the_whole_limit(limit: int) -> None:
    rate, now_us, tat_us, count = Rate.of(limit), 10**15, 0, 0
    while now_us < 10**15 + 5 * MINUTE_US:
        match admit(tat_us, now_us, rate):
            case Admitted(after_us):
                tat_us, count = after_us, count + 1
            case Delayed(until_us):
                now_us = until_us
    kept_back = min(2 * rate.burst, limit - 1)
    assert count >= 5 * (limit - kept_back) - 1


def test_three_hundred_a_minute_are_a_rate_of_290_and_a_burst_of_5() -> None:
    rate = Rate.of(300)
    assert rate.burst == 5
    assert MINUTE_US // rate.interval_us == 289  # rounded up, the interval is a hair more than a 290th
    assert len(grants(300, [10**15] * 50)) == 5


@given(limits)
def test_a_refusal_names_the_moment_when_the_request_may_go(limit: int) -> None:
    rate, now_us, tat_us = Rate.of(limit), 10**15, 0
    while isinstance(verdict := admit(tat_us, now_us, rate), Admitted):
        tat_us = verdict.tat_us
    assert isinstance(admit(tat_us, verdict.until_us - 1, rate), Delayed)
    assert isinstance(admit(tat_us, verdict.until_us, rate), Admitted)


def test_a_clock_set_back_by_a_year_neither_blocks_nor_gives_another_burst() -> None:
    now_us = 10**15
    a_year_ahead = now_us + 365 * 24 * 60 * MINUTE_US
    granted = grants(300, [now_us + n * 10_000 for n in range(100)], a_year_ahead)
    assert granted[0] == now_us
    assert len(granted) == 1 + 1_000_000 // Rate.of(300).interval_us


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Rate.of(0)


def test_a_limit_that_is_raised_counts_what_was_used_by_its_own_rate() -> None:
    now_us, tat_us = 10**15, 0
    while isinstance(verdict := admit(tat_us, now_us, Rate.of(30)), Admitted):
        tat_us = verdict.tat_us
    raised = rescale(tat_us, now_us, Rate.of(30), Rate.of(300))
    assert len(grants(300, [now_us] * 9, raised)) == Rate.of(300).burst - Rate.of(30).burst
    assert not grants(300, [now_us] * 9, tat_us)


@given(limits, limits, st.integers(0, 1_000_000_000))
def test_a_limit_that_goes_to_and_fro_gives_nothing_away(one: int, other: int, ahead_us: int) -> None:
    now_us, low, high = 10**15, Rate.of(min(one, other)), Rate.of(max(one, other))
    ahead_us %= low.burst * low.interval_us
    again = rescale(rescale(now_us + ahead_us, now_us, low, high), now_us, high, low)
    assert now_us + ahead_us <= again <= now_us + ahead_us + -(-low.interval_us // high.interval_us)
