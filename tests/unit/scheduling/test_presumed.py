"""Refusals that nothing explains: a limit that nobody told, or chance."""

from collections import deque
from collections.abc import Callable

from jobdeck.scheduling.bucket import Bucket
from jobdeck.scheduling.limits import Limit, LimitSource
from jobdeck.scheduling.presumed import Presumed

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
        bucket.take(now)
        allowed = lets_through(now)
        now += 0.2
        bucket.announce(now, (), 0)
        if allowed:
            bucket.let_through(now)
            good += 1
        else:
            bucket.refuse(now, now - 0.2, QUIET)
            now += QUIET
            refused += 1
    return good * 60.0 / (end - start), refused


def configured(limit: int) -> Bucket:
    return Bucket(Limit(limit, LimitSource.CONFIGURED))


def test_a_true_limit_is_run_into_twice_and_then_kept() -> None:
    for server in (sliding, token_bucket):
        pace, refused = saturate(configured(300), server(60), 0.0, 1_200.0)
        assert refused <= 2
        assert pace >= 0.6 * 60
        _, refused = saturate(configured(300), server(60), 0.0, 4 * HOUR)
        assert refused <= 4


def test_an_unknown_limit_is_run_into_no_more_often() -> None:
    for limit in (20, 60, 300):
        _, refused = saturate(Bucket(Limit(30, LimitSource.UNKNOWN)), sliding(limit), 0.0, 1_200.0)
        assert refused <= 2


def test_refusals_by_chance_leave_most_of_the_pace() -> None:
    # What is silent for ten seconds after each refusal could send 143 a minute of 240, and 21 of 30.
    pace, _ = saturate(configured(240), every(97), 0.0, HOUR)
    assert pace >= 80
    pace, _ = saturate(configured(30), every(97), 0.0, HOUR)
    assert pace >= 12
    pace, _ = saturate(configured(30), every(19), 0.0, HOUR)
    assert pace >= 10


def test_a_limit_that_is_lowered_is_found_again() -> None:
    bucket = configured(300)
    saturate(bucket, sliding(300), 0.0, HOUR)
    pace, refused = saturate(bucket, sliding(75), HOUR, HOUR + 1_800.0)
    assert refused <= 20
    assert pace >= 40


def test_what_is_sure_to_be_allowed_is_asked_for_and_a_refusal_there_is_chance() -> None:
    tested = Presumed()
    for second in range(300):
        tested.let_through(float(second), min(second + 1, 60))
    assert tested.refuse(300.0, 60)
    assert 30 < tested.limit < 50, "five minutes tell more than one, which a bucket of 30 would let through"
    for second in range(310, 370):
        tested.let_through(float(second), 30)
    assert not tested.refuse(370.0, 30)
    assert not tested.active


def test_a_higher_rate_that_goes_through_disproves_a_limit() -> None:
    tested = Presumed()
    for number in range(60):
        tested.let_through(number / 10, number + 1)
    assert tested.refuse(6.0, 60)
    for number in range(120):
        tested.let_through(30.0 + number / 4, number + 1)
    assert tested.active
    tested.let_through(61.0, 121)
    assert not tested.active


def test_refusals_one_after_the_other_have_one_cause() -> None:
    tested = Presumed()
    for number in range(60):
        tested.let_through(number / 10, number + 1)
    assert tested.refuse(6.0, 60)
    limit = tested.limit
    assert tested.refuse(16.0, 20)
    assert tested.limit == limit, "nothing went through in between, so it tells nothing new"


def test_against_a_server_that_tells_of_room_only_a_row_of_refusals_at_our_highest_rate_is_another_limit() -> None:
    tested = Presumed()
    verdicts = []
    for round_ in range(6):
        for number in range(60):
            tested.let_through(round_ * 100.0 + number, number + 1)
        verdicts.append(tested.refuse(round_ * 100.0 + 60.0, 60, room=True))
    assert verdicts == [False] * 5 + [True]
    assert tested.limit <= 30
