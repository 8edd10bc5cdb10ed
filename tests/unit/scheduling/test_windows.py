"""What announced windows make us keep free for others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain.ratelimit import RateWindow
from jobdeck.scheduling.bucket import BLIND_PACE, Bucket
from jobdeck.scheduling.budget import Budget
from jobdeck.scheduling.limits import Limit
from jobdeck.scheduling.windows import LARGEST_RESERVE, RESERVE, Announced


def tell(known: Announced | None, now: float, left: int, reset: float, limit: int = 30) -> Announced:
    return Announced.of(RateWindow(limit, left, reset), known, now, 0)


def sliding() -> Announced:
    """Return a window whose reset moves on, from which others have just taken eight at once."""
    window = tell(None, 0.0, 20, 10.0)
    window = tell(window, 5.0, 20, 20.0)
    return tell(window, 6.0, 12, 20.0)


def test_the_largest_burst_of_others_is_kept_free_and_more() -> None:
    window = sliding()
    assert window.moving
    assert window.reserve(6.0) == pytest.approx(12.0)
    assert window.opens(6.0) > 6.0
    assert window.opens(6.0) <= 66.0


def test_a_sliding_window_is_known_by_a_reset_that_brings_little() -> None:
    window = tell(None, 0.0, 20, 3.0)
    for second in range(1, 12):
        window = tell(window, float(second), 20 - second, 2.0)
    assert window.moving
    assert not window.turned


def test_a_fixed_window_is_known_by_a_reset_that_brings_all_and_is_used_up_towards_its_end() -> None:
    window = tell(None, 0.0, 20, 10.0)
    window = tell(window, 13.0, 29, 57.0)
    assert window.turned
    assert not window.moving
    assert window.reserve(65.0) < window.reserve(20.0)
    assert window.reserve(69.9) == pytest.approx(RESERVE * 30)


def test_after_a_refusal_the_first_request_goes_alone() -> None:
    bucket = Bucket(Limit(300))
    bucket.ready(0.0)
    bucket.refuse(1.0, 0.9, quiet=60.0)
    first = bucket.ready(61.0)
    assert first > 61.0
    bucket.take(first)
    assert bucket.ready(first) >= first + 0.25


def test_a_documented_limit_that_no_answer_speaks_of_is_supposed_to_be_shared() -> None:
    budget = Budget(Limit(60))
    budget.ready(0.0)
    assert budget.rate(0.0) == pytest.approx(0.8)
    for _ in range(3):
        budget.announce(0.0, (), 0, page=False)
    assert budget.rate(0.0) == pytest.approx(BLIND_PACE)
    budget.announce(0.0, [RateWindow(60, 59, 30.0)], 0, page=False)
    assert budget.rate(0.0) > BLIND_PACE


told = st.tuples(st.floats(0.0, 30.0), st.integers(0, 60), st.floats(0.0, 120.0))


@given(st.lists(told, min_size=1, max_size=30), st.integers(1, 60))
def test_a_window_always_opens_again_and_never_reserves_more_than_half(
    answers: list[tuple[float, int, float]], limit: int
) -> None:
    window: Announced | None = None
    now = 0.0
    for wait, left, reset in answers:
        now += wait
        window = tell(window, now, min(left, limit), reset, limit)
        assert 0.0 <= window.reserve(now) <= LARGEST_RESERVE * limit + 1e-9
        assert window.rate(now) >= 0.0
        opens = window.opens(now)
        assert now <= opens <= max(now + window.length, window.resets)
        assert not window.live(opens) or window.opens(opens) <= opens + 1e-6
