"""What announced windows make us keep free for others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain.ratelimit import RateWindow
from jobdeck.scheduling.bucket import NO_HEADER_UTILIZATION, Bucket, Limit
from jobdeck.scheduling.budget import Budget
from jobdeck.scheduling.server_window import MAX_RESERVE, ServerWindow


def tell(known: ServerWindow | None, now: float, left: int, reset: float, limit: int = 30) -> ServerWindow:
    return ServerWindow.from_headers(RateWindow(limit, left, reset), known, now, 0)


def asked(bucket: Bucket, start: int, left: int, count: int, every: float = 2.0) -> float:
    """Send `count` requests from `start` on, none of which comes back yet; return when the last was answered."""
    now = float(start)
    for number in range(count):
        now = start + every * number
        bucket.ready(now)
        bucket.acquire(now)
        bucket.update_from_headers(now, [RateWindow(30, left - number - 1, 60.0 - now if now < 60.0 else 3.0)], 0)
    return now


def test_in_a_window_that_slides_what_others_hold_is_not_kept_free_again() -> None:
    bucket = Bucket(Limit(30))
    now = asked(bucket, 0, 20, 10)
    window = next(iter(bucket._windows.values()))
    assert window.left == 10
    assert window.reserve() == pytest.approx(2.0)
    assert bucket.rate(now) * 60 == pytest.approx(10 + 10 - window.reserve()), "others hold ten of thirty"


def test_our_own_requests_come_back_when_they_are_a_minute_old() -> None:
    window = ServerWindow.from_headers(RateWindow(30, 1, 2.0), None, 40.0, 0, [float(at) for at in range(10, 39)])
    window.most_left = 30.0
    window.fixed = False
    assert window.reserve() == pytest.approx(3.0)
    # Nobody else holds any, so nothing but our own can come back: three of them must.
    assert 70.0 < window.opens_at(40.0) <= 72.0


def test_what_others_take_within_seconds_is_kept_free_and_what_they_take_slowly_is_not() -> None:
    slow = tell(None, 0.0, 29, 50.0)
    for second in range(4, 44, 4):
        slow = tell(slow, float(second), 29 - second // 4, 50.0 - second)
    assert slow.largest < 3.0
    fast = tell(tell(None, 0.0, 29, 50.0), 1.0, 19, 49.0)
    assert fast.reserve() == pytest.approx(10.0)
    later = tell(fast, 3_601.0, 19, 40.0)
    assert later.reserve() < 4.0, "an hour ago"


def test_a_bucket_that_holds_less_than_its_limit_is_used() -> None:
    bucket = Bucket(Limit(300))
    tokens, sent, now = 30.0, 0, 0.0
    while now < 120.0:
        if bucket.ready(now) <= now:
            bucket.acquire(now)
            tokens -= 1.0
            sent += 1
            assert tokens >= 0.0
            bucket.update_from_headers(now, [RateWindow(300, int(tokens), 6.0)], 0)
        now += 0.1
        tokens = min(30.0, tokens + 0.5)
    assert sent >= 400


def test_a_window_opens_again_when_others_have_left_too_little() -> None:
    window = tell(tell(None, 6.0, 35, 20.0, 60), 7.0, 5, 20.0, 60)
    assert 7.0 < window.opens_at(7.0) <= 67.0


def test_a_window_that_slides_is_known_by_a_reset_that_moves_on_or_comes_again_too_soon() -> None:
    moved = tell(tell(None, 0.0, 20, 30.0), 10.0, 20, 30.0)
    assert moved.fixed is False
    again = tell(tell(None, 0.0, 20, 10.0), 11.0, 20, 5.0)
    assert again.fixed is False


def test_a_fixed_window_is_known_by_a_reset_that_a_sliding_one_could_not_tell_and_opens_no_earlier() -> None:
    window = tell(None, 0.0, 20, 10.0)
    assert window.fixed is None
    window = ServerWindow.from_headers(RateWindow(30, 29, 57.0), window, 13.0, 0, [1.0, 13.0])
    assert window.fixed
    window = tell(window, 20.0, 2, 50.0)
    assert window.opens_at(20.0) == pytest.approx(70.0)


def test_the_moment_of_a_reset_is_told_until_it_is_known_to_mean_nothing() -> None:
    bucket = Bucket(Limit(30))
    bucket.ready(0.0)
    bucket.update_from_headers(0.0, [RateWindow(30, 20, 30.0)], 0)
    assert bucket.resets(0.0) == pytest.approx(30.0)
    bucket.update_from_headers(10.0, [RateWindow(30, 20, 30.0)], 0)
    assert bucket.resets(10.0) is None


def test_nothing_left_is_believed_until_the_reset_while_the_kind_of_window_is_not_known() -> None:
    window = tell(None, 0.0, 0, 20.0)
    assert window.opens_at(0.1) == pytest.approx(20.0)


def test_on_old_news_one_request_goes_alone_until_it_is_answered() -> None:
    bucket = Bucket(Limit(60))
    bucket.ready(0.0)
    bucket.update_from_headers(0.0, [RateWindow(60, 59, 60.0)], 0)
    assert bucket.ready(30.0) == pytest.approx(30.0)
    bucket.acquire(30.0)
    assert bucket.ready(30.0) > 30.5
    bucket.update_from_headers(30.2, [RateWindow(60, 58, 60.0)], 0)
    assert bucket.ready(30.2) == pytest.approx(30.2)


def test_after_a_refusal_the_first_request_goes_alone() -> None:
    bucket = Bucket(Limit(300))
    bucket.ready(0.0)
    bucket.on_rate_limited(1.0, 0.9, quiet=60.0)
    first = bucket.ready(61.0)
    assert first > 61.0
    bucket.acquire(first)
    assert bucket.ready(first) >= first + 0.25


def test_a_documented_limit_that_no_answer_speaks_of_is_supposed_to_be_shared() -> None:
    budget = Budget(Limit(60))
    budget.ready(0.0)
    assert budget.rate(0.0) == pytest.approx(0.8)
    for _ in range(3):
        budget.update_from_headers(0.0, (), 0, page=False)
    assert budget.rate(0.0) == pytest.approx(NO_HEADER_UTILIZATION)
    budget.update_from_headers(0.0, [RateWindow(60, 59, 30.0)], 0, page=False)
    assert budget.rate(0.0) > NO_HEADER_UTILIZATION


told = st.tuples(st.floats(0.0, 30.0), st.integers(0, 60), st.floats(0.0, 120.0))


@given(st.lists(told, min_size=1, max_size=30), st.integers(1, 60))
def test_a_window_always_opens_again_and_never_reserves_more_than_half(
    answers: list[tuple[float, int, float]], limit: int
) -> None:
    window: ServerWindow | None = None
    now = 0.0
    for wait, left, reset in answers:
        now += wait
        window = tell(window, now, min(left, limit), reset, limit)
        assert 0.0 <= window.reserve() <= MAX_RESERVE * limit + 1e-9
        assert window.rate(now) >= 0.0
        opens = window.opens_at(now)
        assert now <= opens <= max(now + window.length, window.resets)
        assert not window.is_live(opens) or window.opens_at(opens) <= opens + 1e-6
