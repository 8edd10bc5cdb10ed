"""Refusals that nothing explains: a limit that nobody states, or chance."""

import random
from collections import deque
from collections.abc import Callable

import pytest

from jobdeck.scheduling.bucket import Bucket, Limit, LimitSource
from jobdeck.scheduling.inferred_limit import InferredLimit

HOUR = 3_600.0
QUIET = 10.0


def sliding(limit: int) -> Callable[[float], bool]:
    """Return a server that lets `limit` requests through in any minute."""
    times: deque[float] = deque()

    def lets_through(now: float) -> bool:
        while times and times[0] <= now - 60.0:
            times.popleft()
        if len(times) >= limit:
            return False
        times.append(now)
        return True

    return lets_through


def token_bucket(limit: int) -> Callable[[float], bool]:
    """Return a server that lets `limit` requests through at once, and as many again in each minute."""
    state = [float(limit), 0.0]

    def lets_through(now: float) -> bool:
        state[0] = min(limit, state[0] + (now - state[1]) * limit / 60.0)
        state[1] = now
        if state[0] < 1.0:
            return False
        state[0] -= 1.0
        return True

    return lets_through


def clock(limit: int, phase: float) -> Callable[[float], bool]:
    """Return a server that lets `limit` requests through in each minute of its clock."""
    state = [-1, 0]

    def lets_through(now: float) -> bool:
        minute = int((now + phase) // 60.0)
        state[:] = [minute, state[1] if minute == state[0] else 0]
        if state[1] >= limit:
            return False
        state[1] += 1
        return True

    return lets_through


def by_chance(share: float, seed: int) -> Callable[[float], bool]:
    """Return a server that refuses a share of all requests for no reason."""
    chance = random.Random(seed)
    return lambda _: chance.random() >= share


def every(count: int) -> Callable[[float], bool]:
    """Return a server that refuses each request that comes `count` after the last that it refused."""
    asked = [0]

    def lets_through(_: float) -> bool:
        asked[0] += 1
        return asked[0] % count != 0

    return lets_through


def saturate(bucket: Bucket, lets_through: Callable[[float], bool], start: float, end: float) -> tuple[float, int]:
    """Send all that may be sent, each answered after 0.2 s; return requests let through a minute, and refusals."""
    now, good, refused = start, 0, 0
    while now < end:
        ready = bucket.ready(now)
        if ready > now:
            now = max(ready, now + 0.01)
            continue
        bucket.acquire(now)
        allowed = lets_through(now)
        now += 0.2
        bucket.update_from_headers(now, (), 0)
        if allowed:
            bucket.on_success(now)
            good += 1
        else:
            bucket.on_rate_limited(now, now - 0.2, QUIET)
            now += QUIET
            refused += 1
    return good * 60.0 / (end - start), refused


def configured(limit: int) -> Bucket:
    return Bucket(Limit(limit, LimitSource.CONFIGURED))


@pytest.mark.parametrize("server", [sliding(60), token_bucket(60), clock(60, 0.0), clock(60, 17.0)])
def test_a_true_limit_is_run_into_twice_and_then_kept(server: Callable[[float], bool]) -> None:
    bucket = configured(300)
    pace, refused = saturate(bucket, server, 0.0, 1_200.0)
    assert refused <= 2
    assert pace >= 0.75 * 60
    _, refused = saturate(bucket, server, 1_200.0, 4 * HOUR)
    assert refused <= 3


def test_an_unknown_limit_is_run_into_no_more_often() -> None:
    for limit in (30, 60, 300):
        _, refused = saturate(Bucket(Limit(30, LimitSource.UNKNOWN)), sliding(limit), 0.0, 1_200.0)
        assert refused <= 2


@pytest.mark.parametrize(
    ("limit", "share", "least"), [(30, 0.01, 18), (30, 0.05, 11), (240, 0.01, 80), (240, 0.05, 22)]
)
def test_refusals_by_chance_cost_their_pauses_and_infer_no_limit(limit: int, share: float, least: float) -> None:
    paces = [saturate(configured(limit), by_chance(share, seed), 0.0, HOUR)[0] for seed in range(2)]
    assert min(paces) >= least


def test_refusals_in_a_steady_rhythm_leave_most_of_the_pace() -> None:
    # What is silent for ten seconds after each refusal could send 143 a minute of 240, and 21 of 30.
    for limit, count, least in ((240, 97, 80), (30, 97, 12), (30, 19, 9)):
        pace, _ = saturate(configured(limit), every(count), 0.0, HOUR)
        assert pace >= least


def test_a_limit_that_is_lowered_is_found_again() -> None:
    bucket = configured(300)
    saturate(bucket, sliding(300), 0.0, HOUR)
    pace, refused = saturate(bucket, sliding(75), HOUR, HOUR + 1_800.0)
    assert refused <= 20
    assert pace >= 40


def test_a_limit_that_is_raised_is_used_after_a_while() -> None:
    bucket = configured(300)
    saturate(bucket, sliding(60), 0.0, HOUR)
    pace, _ = saturate(bucket, sliding(300), 2 * HOUR, 3 * HOUR)
    assert pace >= 120


def refused_at(tested: InferredLimit, count: int, now: float) -> bool:
    """Send `count` requests within a minute, then one that is refused; return the verdict."""
    for number in range(count):
        tested.on_success(now + number * 50.0 / count)
    return tested.on_rate_limited(now + 50.0)


def test_a_second_refusal_at_the_same_level_is_a_limit_s() -> None:
    tested = InferredLimit()
    assert not refused_at(tested, 60, 0.0)
    for number in range(60):
        tested.on_success(120.0 + number * 50.0 / 60)
    assert not tested.active, "the first is heeded for a minute"
    assert tested.on_rate_limited(170.0)
    assert 30 <= tested.limit <= 60, "the lowest of what would explain both"


def test_what_goes_through_above_the_level_disproves_it() -> None:
    tested = InferredLimit()
    assert not refused_at(tested, 60, 0.0)
    for number in range(70):
        tested.on_success(120.0 + number * 50.0 / 70)
    assert not refused_at(tested, 60, 240.0)


def test_a_refusal_below_the_level_counts_against_it() -> None:
    tested = InferredLimit()
    refused_at(tested, 60, 0.0)
    assert refused_at(tested, 60, 120.0)
    for number in range(3):
        refused_at(tested, 20 + 3 * number, 240.0 + 120.0 * number)
    assert not tested.active


def test_use_that_is_always_the_same_makes_no_limit_of_chance() -> None:
    tested = InferredLimit()
    for number in range(600):
        if number % 100 == 99:
            assert not tested.on_rate_limited(number * 10.0)
        else:
            tested.on_success(number * 10.0)


def test_refusals_one_after_the_other_have_one_cause() -> None:
    tested = InferredLimit()
    refused_at(tested, 60, 0.0)
    tested.on_rate_limited(60.0)
    tested.on_rate_limited(70.0)
    assert tested.limit == 60, "nothing went through in between, so they tell nothing new"
    refused_at(tested, 70, 120.0)
    assert not tested.active
