import pytest

from jobdeck.domain.ratelimit import RateWindow
from jobdeck.scheduling.bucket import Bucket, Limit, LimitSource
from jobdeck.scheduling.budget import Budget
from tests.unit.scheduling.world import most_in_a_window


def spend(bucket: Bucket, start: float, end: float, *, silent_answers: bool = False) -> list[float]:
    times = []
    now = start
    while now < end:
        ready = bucket.ready(now)
        if ready > now:
            now = max(ready, now + 0.01)
            continue
        bucket.acquire(now)
        times.append(now)
        if silent_answers:
            bucket.update_from_headers(now + 0.001, (), 0)
            bucket.on_success(now + 0.001)
    return times


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), float("inf")])
def test_a_limit_is_a_positive_number(limit: float) -> None:
    with pytest.raises(ValueError, match="requests a minute"):
        Limit(limit)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 7, 30, 60, 300, 600])
def test_even_the_smallest_limit_is_kept_and_used(limit: int) -> None:
    times = spend(Bucket(Limit(limit, LimitSource.CONFIGURED)), 0.0, 600.0, silent_answers=True)
    assert most_in_a_window(times) <= limit
    assert len(times) >= 0.75 * limit * 10


def test_a_refusal_halves_the_pace_once_per_round_trip_and_wears_off() -> None:
    bucket = Bucket(Limit(60))
    bucket.ready(0.0)
    full = bucket.rate(0.0)
    bucket.on_rate_limited(1.0, sent=0.5)
    bucket.on_rate_limited(1.1, sent=0.6)
    assert bucket.rate(1.1) == pytest.approx(full / 2)
    bucket.on_rate_limited(2.0, sent=1.5)
    assert bucket.rate(2.0) == pytest.approx(full / 4)
    spend(bucket, 2.0, 12.1)
    bucket.ready(12.1)
    assert bucket.rate(12.1) == pytest.approx(full * 0.35)
    spend(bucket, 12.1, 3_600.0)
    assert bucket.rate(3_600.0) == pytest.approx(full)


def test_an_unknown_limit_is_searched_from_below_and_what_refused_is_tried_again() -> None:
    bucket = Bucket(Limit(30, LimitSource.UNKNOWN))
    spend(bucket, 0.0, 300.0, silent_answers=True)
    bucket.ready(300.0)
    let_through = bucket.used(300.0)
    assert let_through > 60
    bucket.on_rate_limited(300.0, sent=299.9)
    assert bucket.rate(300.0) * 60.0 <= 0.8 * let_through
    assert len(spend(bucket, 300.0, 305.0)) <= 2
    spend(bucket, 305.0, 1_000.0, silent_answers=True)
    assert bucket.limit > let_through


def test_a_limit_configured_too_high_is_found_by_one_refused_request() -> None:
    bucket = Bucket(Limit(600, LimitSource.CONFIGURED))
    sent = spend(bucket, 0.0, 20.0, silent_answers=True)[:61]
    bucket = Bucket(Limit(600, LimitSource.CONFIGURED))
    for at in sent:
        bucket.ready(at)
        bucket.acquire(at)
        bucket.update_from_headers(at, (), 0)
        bucket.on_success(at)
    assert bucket.ready(20.0) == 20.0
    bucket.acquire(20.0)
    assert bucket.ready(20.0) > 20.5, "as many as never before in a minute: one at a time"
    bucket.update_from_headers(20.1, (), 0)
    bucket.on_rate_limited(20.1, sent=20.0)
    assert bucket.limit <= 61
    again = spend(bucket, 20.2, 80.0, silent_answers=True)
    assert all(sum(first - 60.0 < at <= first for at in [*sent, *again]) <= 61 for first in again)


def test_a_first_refusal_after_a_handful_of_requests_is_the_doing_of_others() -> None:
    bucket = Bucket(Limit(60, LimitSource.CONFIGURED))
    assert 1 <= len(spend(bucket, 0.0, 1.0, silent_answers=True)) <= 10
    bucket.on_rate_limited(1.0, sent=0.9)
    assert bucket.limit == 60


def test_a_refusal_that_a_header_explains_tells_nothing_of_the_limit() -> None:
    bucket = Bucket(Limit(60))
    spend(bucket, 0.0, 30.0, silent_answers=True)
    bucket.update_from_headers(30.0, [RateWindow(60, 0, 20.0)], 0)
    bucket.on_rate_limited(30.0, sent=29.9)
    assert bucket.limit == 60


def test_an_unknown_limit_is_searched_one_request_at_a_time() -> None:
    bucket = Bucket(Limit(600, LimitSource.UNKNOWN))
    bucket.ready(0.0)
    bucket.acquire(0.0)
    assert bucket.ready(0.5) >= 1.0, "the first is not answered yet"
    bucket.update_from_headers(0.5, (), 0)
    assert bucket.ready(0.5) == pytest.approx(0.5)


def test_what_others_take_is_yielded_to_them() -> None:
    bucket = Bucket(Limit(60))
    bucket.ready(0.0)
    bucket.update_from_headers(0.0, [RateWindow(60, 50, 60.0)], 0)
    alone = bucket.rate(0.0)
    bucket.update_from_headers(1.0, [RateWindow(60, 20, 59.0)], 0)
    assert bucket.rate(1.0) < alone / 2


def test_the_tightest_of_several_windows_wins() -> None:
    bucket = Bucket(Limit(600))
    bucket.ready(0.0)
    bucket.update_from_headers(0.0, [RateWindow(600, 599, 60.0), RateWindow(30, 29, 60.0, name="poll")], 0)
    assert bucket.limit == 30
    assert bucket.rate(0.0) <= 0.4


def test_a_long_window_is_counted_by_the_minute() -> None:
    bucket = Bucket(Limit(60))
    bucket.ready(0.0)
    bucket.update_from_headers(0.0, [RateWindow(3600, 3000, 1800.0, window=3600.0)], 0)
    assert bucket.limit == pytest.approx(60.0)


def test_absurd_windows_do_no_harm() -> None:
    bucket = Bucket(Limit(60))
    bucket.ready(0.0)
    strange = [RateWindow(0, -5, -1.0), RateWindow(None, None, float("nan"), float("inf"), "x")]
    bucket.update_from_headers(0.0, strange, 3)
    assert bucket.ready(100_000.0) >= 100_000.0
    bucket.update_from_headers(1.0, [RateWindow(10, 10, 60.0, name=str(name)) for name in range(10_000)], 0)
    assert len(bucket._windows) <= 16


def test_two_limits_are_believed_in_when_the_headers_say_so_twice() -> None:
    budget = Budget(Limit(30))
    budget.ready(0.0)
    for _ in range(2):
        budget.update_from_headers(0.0, [RateWindow(30, 20, 60.0)], 0, page=False)
        budget.update_from_headers(0.0, [RateWindow(600, 590, 60.0)], 0, page=True)
    assert budget.has_list_bucket
    assert budget.limit == 30
    budget.update_from_headers(0.0, [RateWindow(30, 20, 60.0)], 0, page=True)
    assert not budget.has_list_bucket


def test_a_configured_limit_is_for_everything_that_is_sent() -> None:
    budget = Budget(Limit(30, LimitSource.CONFIGURED))
    budget.ready(0.0)
    for _ in range(3):
        budget.update_from_headers(0.0, [RateWindow(30, 20, 60.0)], 0, page=False)
        budget.update_from_headers(0.0, [RateWindow(600, 590, 60.0)], 0, page=True)
    assert not budget.has_list_bucket


def test_after_a_refusal_that_no_header_explains_one_request_is_under_way_at_once() -> None:
    bucket = Bucket(Limit(300, LimitSource.CONFIGURED))
    now = 0.0
    for _ in range(60):
        now = bucket.ready(now)
        bucket.acquire(now)
        bucket.update_from_headers(now, (), 0)
        bucket.on_success(now)
    assert bucket.ready(now + 120.0) == now + 120.0
    bucket.acquire(now + 120.0)
    assert bucket.ready(now + 120.0) == now + 120.0, "so many went through in a minute before"
    bucket.on_rate_limited(now + 120.1, now + 120.0, quiet=10.0)
    bucket.update_from_headers(now + 120.1, (), 0)
    at = bucket.ready(now + 240.0)
    bucket.acquire(at)
    assert bucket.ready(at) > at
