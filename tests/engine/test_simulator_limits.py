from email.utils import parsedate_to_datetime

import pytest

from jobdeck.simulator.limits import Limiter, Verdict
from jobdeck.simulator.scenario import Algorithm, Api, JobScript, RateLimit, ResetForm, Resource, Scenario
from tests.simulator_fixture import START, playing


def limiter(limit: RateLimit) -> Limiter:
    return Limiter(Scenario(limits=(limit,)))


def drain(tested: Limiter, now: float) -> tuple[int, Verdict]:
    passed = 0
    while (verdict := tested.acquire(Api.THEHOG, "general", now)).allowed:
        passed += 1
    return passed, verdict


def test_a_bucket_gives_its_burst_and_then_refills_steadily() -> None:
    tested = limiter(RateLimit(Api.THEHOG, 60, burst=5))
    passed, refused = drain(tested, START)
    assert passed == 5
    assert dict(refused.headers) == {
        "X-RateLimit-Limit": "60",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "5",
        "Retry-After": "1",
    }
    assert not tested.acquire(Api.THEHOG, "general", START + 0.5).allowed
    assert drain(tested, START + 3)[0] == 3


@pytest.mark.parametrize("algorithm", Algorithm)
def test_waiting_as_long_as_retry_after_says_is_enough(algorithm: Algorithm) -> None:
    tested = limiter(RateLimit(Api.THEHOG, 7, window=60.0, algorithm=algorithm))
    now = START + 0.123
    for _ in range(30):
        _, refused = drain(tested, now)
        now += int(dict(refused.headers)["Retry-After"])
        assert tested.acquire(Api.THEHOG, "general", now).allowed


def test_a_fixed_window_refills_all_at_once() -> None:
    tested = limiter(RateLimit(Api.THEHOG, 10, window=60.0, algorithm=Algorithm.FIXED_WINDOW))
    assert drain(tested, START)[0] == 10
    assert drain(tested, START + 59)[0] == 0
    assert drain(tested, START + 60)[0] == 10
    assert drain(tested, START + 200)[0] == 10
    assert drain(tested, START + 239)[0] == 0
    assert drain(tested, START + 240)[0] == 10


def test_what_others_spend_is_missing() -> None:
    alone, shared = limiter(RateLimit(Api.THEHOG, 60)), limiter(RateLimit(Api.THEHOG, 60, others=30))
    for tested in (alone, shared):
        drain(tested, START)
    assert (drain(alone, START + 20)[0], drain(shared, START + 20)[0]) == (20, 10)


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        (ResetForm.DELTA, "1"),
        (ResetForm.EPOCH_SECONDS, "1750000001"),
        (ResetForm.EPOCH_MILLISECONDS, "1750000001000"),
    ],
)
def test_reset_is_told_in_the_unit_that_the_scenario_names(form: ResetForm, shown: str) -> None:
    verdict = limiter(RateLimit(Api.THEHOG, 60, reset=form)).acquire(Api.THEHOG, "general", START)
    assert dict(verdict.headers)["X-RateLimit-Reset"] == shown


def test_headers_may_have_a_suffix_a_date_or_be_absent() -> None:
    _, dated = drain(limiter(RateLimit(Api.THEHOG, 1, suffix="-poll", retry_after_date=True)), START)
    headers = dict(dated.headers)
    assert headers["X-RateLimit-Remaining-poll"] == "0"
    assert parsedate_to_datetime(headers["Retry-After"]).timestamp() == START + 60
    _, silent = drain(limiter(RateLimit(Api.THEHOG, 1, headers=False)), START)
    assert [name for name, _ in silent.headers] == ["Retry-After"]


async def test_polls_and_lists_are_counted_in_buckets_of_their_own() -> None:
    limits = (RateLimit(Api.THEHOG, 2, bucket="polling"), RateLimit(Api.THEHOG, 3))
    jobs = (JobScript(id="op_a"), JobScript(id="s", api=Api.SONARLY, resource=Resource.PROSPECTING))
    async with playing(Scenario(jobs=jobs, limits=limits)) as play:
        polls = [(await play.get("/api/operations/op_a")).status_code for _ in range(3)]
        lists = [(await play.get("/api/operations")).status_code for _ in range(4)]
        assert polls == [200, 200, 429]
        assert lists == [200, 200, 200, 429]
        assert (await play.get("/v1/accounts")).headers["X-RateLimit-Limit"] == "60"
        stats = play.server.stats
        assert stats.by_bucket == {"thehog/polling": 3, "thehog/general": 4, "sonarly/general": 1}
        assert stats.refused == {"thehog/polling": 1, "thehog/general": 1}
        assert stats.by_status == {200: 6, 429: 2}
        assert [record.refused for record in play.server.requests].count(True) == 2


async def test_requests_are_counted_in_real_time_whatever_the_speed() -> None:
    scenario = Scenario(speed=100.0, jobs=(JobScript(id="op_a"),), limits=(RateLimit(Api.THEHOG, 1, bucket="polling"),))
    async with playing(scenario) as play:
        assert (await play.get("/api/operations/op_a")).status_code == 200
        play.clock.advance(30.0)
        assert (await play.get("/api/operations/op_a")).headers["Retry-After"] == "30"


async def test_a_request_without_credentials_costs_nothing() -> None:
    async with playing(Scenario()) as play:
        del play.client.headers["Authorization"]
        response = await play.get("/api/operations")
        assert response.status_code == 401
        assert "X-RateLimit-Limit" not in response.headers
        assert play.server.stats.by_bucket == {}
