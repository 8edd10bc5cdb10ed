"""What announced windows make us keep free for others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain.ratelimit import RateWindow
from jobdeck.scheduling.bucket import BLIND_PACE, Bucket
from jobdeck.scheduling.budget import Budget
from jobdeck.scheduling.limits import Limit
from jobdeck.scheduling.windows import LARGEST_RESERVE, Announced


def tell(known: Announced | None, now: float, left: int, reset: float, limit: int = 30) -> Announced:
    return Announced.of(RateWindow(limit, left, reset), known, now, 0)


def sliding(sent: tuple[float, ...] = ()) -> Announced:
    """Return a window whose reset moves on, from which others have just taken ten at once."""
    window = tell(None, 0.0, 45, 10.0, 60)
    window = tell(window, 5.0, 45, 20.0, 60)
    return Announced.of(RateWindow(60, 35, 20.0), window, 6.0, 0, sent)


def test_what_others_take_at_once_is_kept_free_and_more_of_it_where_it_does_not_come_back_evenly() -> None:
    window = sliding()
    assert window.moving
    assert window.shared
    assert not window.fills
    assert window.reserve() == pytest.approx(2.0 * window.deepest)
    ours = tuple(number / 10 for number in range(50))
    filling = sliding(ours)
    assert filling.fills, "35 are left of 60 after 50 were sent"
    assert filling.reserve() == pytest.approx(1.5 * filling.deepest)


def test_a_window_opens_again_when_others_have_left_too_little() -> None:
    window = tell(sliding(), 7.0, 5, 20.0, 60)
    assert 7.0 < window.opens(7.0) <= 67.0


def test_a_sliding_window_is_known_by_a_reset_that_brings_little() -> None:
    window = tell(None, 0.0, 20, 3.0)
    for second in range(1, 12):
        window = tell(window, float(second), 20 - second, 2.0)
    assert window.moving


def test_a_fixed_window_is_known_by_a_reset_that_brings_all_and_opens_no_earlier() -> None:
    window = tell(None, 0.0, 20, 10.0)
    window = tell(window, 13.0, 29, 57.0)
    assert not window.moving
    window = tell(window, 20.0, 11, 50.0)
    assert window.opens(20.0) == pytest.approx(70.0), "others took eighteen, and may do so again"


def test_on_old_news_one_request_goes_alone_until_it_is_answered() -> None:
    bucket = Bucket(Limit(60))
    bucket.ready(0.0)
    bucket.announce(0.0, [RateWindow(60, 59, 60.0)], 0)
    assert bucket.ready(30.0) == pytest.approx(30.0)
    bucket.take(30.0)
    assert bucket.ready(30.0) > 30.5
    bucket.announce(30.2, [RateWindow(60, 58, 60.0)], 0)
    assert bucket.ready(30.2) == pytest.approx(30.2)


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
        assert 0.0 <= window.reserve() <= LARGEST_RESERVE * limit + 1e-9
        assert window.rate(now) >= 0.0
        opens = window.opens(now)
        assert now <= opens <= max(now + window.length, window.resets)
        assert not window.live(opens) or window.opens(opens) <= opens + 1e-6
