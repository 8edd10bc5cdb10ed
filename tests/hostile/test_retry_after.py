"""Rule 10: how long we are asked to wait, read without trust, clamped, and the clamp said."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain.ratelimit import RateWindow
from jobdeck.http.retry_after import find_in_body, parse_retry_after
from tests.unit.http.wire import NOON_DATE, NOON_US, answer, hog_target, serve, the_hog
from tests.unit.scheduling.world import World, job_key, running, scheduler

NOW = NOON_US / 1e6
IN_A_MINUTE = "Tue, 28 Apr 2026 12:01:00 GMT"


@pytest.mark.parametrize(
    ("value", "asked", "seconds"),
    [
        ("0", 0.0, 0.2),
        ("1", 1.0, 1.0),
        (" 12\t", 12.0, 12.0),
        ("900", 900.0, 900.0),
        ("3600", 3600.0, 900.0),
        ("999999999", 999999999.0, 900.0),
        (IN_A_MINUTE, 60.0, 60.0),
        ("Tue, 28 Apr 2026 11:00:00 GMT", 0.0, 0.2),
        ("120.5", 120.5, 120.5),
        ("0.25", 0.25, 0.25),
        ("99999999999999999999", 1e20, 900.0),
        (str(int(NOW) + 30), 30.0, 30.0),
        (str((int(NOW) + 30) * 1000), 30.0, 30.0),
        ("1234567890", 0.0, 0.2),
        ("2026-04-28T12:01:00Z", 60.0, 60.0),
        ("2026-04-28T14:01:00.5+02:00", 60.5, 60.5),
        ("PT1M30S", 90.0, 90.0),
        ("PT0.5S", 0.5, 0.5),
        ("P1D", 86_400.0, 900.0),
        ("30s", 30.0, 30.0),
        ("1m30.5s", 90.5, 90.5),
        ("800ms", 0.8, 0.8),
        ("5, 20", 20.0, 20.0),
        ("Tue Apr 28 12:01:00 2026", 60.0, 60.0),
        ("Tuesday, 28-Apr-26 12:01:00 GMT", 60.0, 60.0),
    ],
)
def test_seconds_and_dates_are_read_and_clamped(value: str, asked: float, seconds: float) -> None:
    wait = parse_retry_after(value, None, NOW)
    assert wait is not None
    assert (wait.requested, wait.seconds) == (asked, seconds)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            "-1",
            "+1",
            "1_000",
            "1e3",
            "nan",
            "inf",
            "٣",
            "３",
            "²",
            "1 2",
            "0x10",
            "soon",
            "12\n",
            ".5",
            "5.",
            "1,",
        ),
        *("5, soon", "P", "PT", "-30s", "30 s", "2026-04-28", "2026-13-28T12:00:00Z", "1" * 40, "5," * 200),
    ],
)
def test_what_is_neither_is_as_if_it_were_not_there(value: str) -> None:
    assert parse_retry_after(value, None, NOW) is None


def test_a_date_is_measured_against_the_answers_own_clock() -> None:
    wait = parse_retry_after(IN_A_MINUTE, NOON_DATE, NOW + 86_400)
    assert wait is not None
    assert wait.seconds == 60.0
    wait = parse_retry_after(IN_A_MINUTE, "no date", NOW + 30)
    assert wait is not None
    assert wait.seconds == 30.0


@given(st.text() | st.from_regex(r"[0-9]{1,12}"), st.none() | st.text(), st.floats(0, 4e9))
def test_no_header_makes_it_raise_or_leaves_the_bounds(value: str, date: str | None, now: float) -> None:
    wait = parse_retry_after(value, date, now)
    assert wait is None or 0.2 <= wait.seconds <= 900.0


@pytest.mark.parametrize(
    ("headers", "seconds", "note"),
    [
        ({"Retry-After": "30"}, 30.0, ""),
        ({"Retry-After": "3600"}, 900.0, " (asked to wait 3600 s, waiting 900 s)"),
        ({"Retry-After": "0"}, 0.2, " (asked to wait 0 s, waiting 0.2 s)"),
        ({"Retry-After": IN_A_MINUTE, "Date": NOON_DATE}, 60.0, ""),
        ({"Retry-After-poll": "10", "Retry-After-all": "20"}, 20.0, ""),
        ({"Retry-After": "5", "Retry-After-all": "20"}, 5.0, ""),
        ({"Retry-After-Ms": "1500"}, 1.5, ""),
        ({"Retry-After-Ms": "1500", "Retry-After": "2"}, 1.5, ""),
        ({"Retry-After-Ms": "soon", "Retry-After": "2"}, 2.0, ""),
        ({"X-Ms-Retry-After-Ms": "2500.5"}, 2.5005, ""),
        ({"X-Retry-After": "7"}, 7.0, ""),
        ({"X-RateLimit-Retry-After": "7"}, 7.0, ""),
        ({"X-Rate-Limit-Retry-After-Seconds": "7"}, 7.0, ""),
        ({"X-Rate-Limit-Retry-After-Milliseconds": "7000"}, 7.0, ""),
        ({"Retry-After-Ms": "86400000"}, 900.0, " (asked to wait 86400 s, waiting 900 s)"),
        ({"Retry-After": "Tue, 28 Apr 2026 11:00:00 GMT"}, 0.2, " (asked to wait 0 s, waiting 0.2 s)"),
        ({"Retry-After": "later", "X-Retry-After": "9"}, 9.0, ""),
        ({"Retry-After": "later"}, None, ""),
        ({}, None, ""),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_the_wait_is_in_the_reply_and_a_clamp_in_its_words(
    headers: dict[str, str], seconds: float | None, note: str, status: int
) -> None:
    async with serve(answer({"message": "slow down"}, status, headers)) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.poll(hog_target("op_1"))
    problem = reply.problem
    assert problem is not None
    assert reply.retry_after == seconds
    assert problem.message == f"slow down{note}"
    # Asked at noon, answered a quarter of a second later.
    expected = None if seconds is None else NOON_US + 250_000 + round(seconds * 1e6)
    assert problem.retry_at_us == expected


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({"retry_after": 1.25}, 1.25),
        ({"error": {"message": "slow down", "retryAfter": "30"}}, 30.0),
        ({"error": {"retryAfterMs": 1500}}, 1.5),
        ({"retry_after_seconds": 12}, 12.0),
        ({"parameters": {"retry_after": 35}}, 35.0),
        ({"error": {"details": [{"@type": "…/google.rpc.RetryInfo", "retryDelay": "3.5s"}]}}, 3.5),
        ({"error": {"details": [{"retryDelay": {"seconds": "3", "nanos": 500_000_000}}]}}, 3.5),
        ([{"retryAfter": "PT30S"}], 30.0),
        ({"retryAfter": "2026-04-28T12:01:00Z"}, 60.0),
        ({"retry_after": 1e300}, 1e300),
        ({"retry_after": True}, None),
        ({"retry_after": -4}, None),
        ({"retry_after": float("nan")}, None),
        ({"retry_after": "٣"}, None),
        ({"retry_after": 10**400}, None),
        ({"retries": 3, "delay": 30}, None),
    ],
)
def test_what_an_error_body_asks_for_is_found(body: object, asked: float | None) -> None:
    found = find_in_body(body, NOW)
    assert (None if found is None else found.requested) == asked


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["retry_after", "retryDelay", "seconds"]), inner),
)


@given(NESTED)
def test_no_error_body_makes_it_raise_or_leaves_the_bounds(body: object) -> None:
    found = find_in_body(body, NOW)
    assert found is None or 0.2 <= found.seconds <= 900.0


async def test_a_body_says_how_long_to_wait_where_no_header_does() -> None:
    body = {"error": {"code": "RATE_LIMITED", "message": "slow down", "retryAfter": 30}}
    for headers, seconds in (({}, 30.0), ({"Retry-After": "5"}, 5.0)):
        async with serve(answer(body, 429, headers)) as wire, the_hog(wire.base_url) as hog:
            reply = await hog.poll(hog_target("op_1"))
        assert (reply.retry_after, reply.retry_after_unclamped) == (seconds, seconds)


@pytest.mark.parametrize(
    "window",
    [
        RateWindow(remaining=0, reset_after=86_400.0),
        RateWindow(remaining=0, window=86_400.0),
        RateWindow(limit=60, remaining=0, reset_after=86_400.0, window=60.0),
        RateWindow(limit=1, window=86_400.0),
    ],
)
def test_no_announced_limit_silences_a_profile_for_more_than_fifteen_minutes(window: RateWindow) -> None:
    tested = scheduler(60)
    tested.add(job_key("j"), "search", 0.0)
    world = World(tested, lambda _, action: replace(running(action), windows=(window,)))
    world.run(7_200.0)
    times = world.times(job_key("j"))
    assert max(later - at for at, later in pairwise(times)) <= 901.0
    assert len(times) <= 12, "and is believed otherwise"
