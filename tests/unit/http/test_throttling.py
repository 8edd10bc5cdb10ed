"""Refusals that are a rate limit in words only."""

import json

import pytest

from jobdeck.domain.problem import ProblemKind
from jobdeck.http.problems import kind_of_status, read_error
from jobdeck.http.throttling import RateLimitWords, is_throttled
from tests.unit.http.wire import answer, hog_target, serve, sonarly, sonarly_target, the_hog

NO_WORDS = RateLimitWords()
SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}


def throttled(status: int, body: object, words: RateLimitWords = NO_WORDS) -> bool:
    said = read_error(json.dumps(body).encode())
    return is_throttled(kind_of_status(status) or ProblemKind.PROTOCOL, said.value, said.message, words)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, SECONDARY),
        (403, {"message": "API rate limit exceeded for 203.0.113.7."}),
        (400, {"__type": "com.amazon.coral.availability#ThrottlingException", "message": "Rate exceeded"}),
        (400, {"__type": "ThrottlingException"}),
        (400, {"Code": "Throttling.User", "Message": "Request was denied due to user flow control."}),
        (503, {"Error": {"Code": "RequestLimitExceeded", "Message": "Request limit exceeded."}}),
        (503, {"error": {"code": "SlowDown", "message": "Please reduce your request rate."}}),
        (403, {"error": {"code": 403, "errors": [{"reason": "userRateLimitExceeded"}], "message": "Limit"}}),
        (403, {"error": {"status": "RESOURCE_EXHAUSTED", "message": "Quota"}}),
        (200, {"ok": False, "error": "ratelimited"}),
        (200, {"error": {"code": "TooManyRequests"}}),
        (400, {"errors": [{"message": "Too many requests, please slow down"}]}),
        (400, {"code": "RATE_LIMIT_EXCEEDED"}),
        (400, [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]),
    ],
)
def test_usual_codes_and_messages_are_known_anywhere(status: int, body: object) -> None:
    assert throttled(status, body)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, {"message": "Resource not accessible by integration"}),
        (403, {"error": {"code": "FORBIDDEN", "message": "Your plan does not allow a higher rate limit"}}),
        (401, SECONDARY),
        (404, SECONDARY),
        (402, {"code": "RATE_LIMITED"}),
        (503, {"message": "too many requests"}),
        (400, {"code": 4, "message": "Application limit"}),
        (403, "too many requests"),
        (403, None),
        (400, {"retry": {"limit": 3}}),
    ],
)
def test_other_refusals_stay_what_they_are(status: int, body: object) -> None:
    assert not throttled(status, body)


def test_an_apis_page_knows_more_codes_and_messages() -> None:
    words = RateLimitWords(frozenset({"4", "QUOTA"}), ("reduce the amount", "calm down"))
    assert throttled(400, {"error": {"code": 4, "message": "Application limit"}}, words)
    assert throttled(403, {"code": "QUOTA"}, words)
    assert throttled(403, {"message": "Please Reduce The Amount of requests"}, words)
    assert throttled(503, {"message": "calm down"}, words)
    assert not throttled(403, {"code": "quota"}, words)


async def test_both_apis_pause_and_quit_nothing_when_throttled_by_words() -> None:
    for status in (400, 403):
        async with serve(answer(SECONDARY, status)) as wire, the_hog(wire.base_url) as hog:
            found = [(await hog.poll(hog_target("op_1"))).problem]
        async with serve(answer(SECONDARY, status)) as wire, sonarly(wire.base_url) as prospects:
            found.append((await prospects.poll(sonarly_target("job1"))).problem)
        for problem in found:
            assert problem is not None
            assert (problem.kind, problem.http_status) == (ProblemKind.RATE_LIMIT, status)
            assert "secondary rate limit" in problem.message


async def test_a_good_status_with_a_throttling_code_is_no_answer_about_the_job() -> None:
    body = {"__type": "ThrottlingException", "message": "Rate exceeded", "retryAfter": 30}
    async with serve(answer(body)) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.poll(hog_target("op_1"))
    assert reply.problem is not None
    assert (reply.problem.kind, reply.problem.message) == (ProblemKind.RATE_LIMIT, "Rate exceeded")
    assert (reply.retry_after, reply.observations) == (30.0, ())


@pytest.mark.parametrize("status", [200, 429])
async def test_a_date_in_a_body_counts_from_the_date_of_the_answer(status: int) -> None:
    ahead = {"Date": "Tue, 28 Apr 2026 12:10:00 GMT"}
    body = {"code": "ThrottlingException", "message": "Rate exceeded", "retryAfter": "Tue, 28 Apr 2026 12:10:30 GMT"}
    async with serve(answer(body, status, ahead)) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.poll(hog_target("op_1"))
    assert reply.problem is not None
    assert (reply.problem.kind, reply.retry_after) == (ProblemKind.RATE_LIMIT, 30.0)


async def test_a_job_that_failed_of_a_rate_limit_is_a_failed_job() -> None:
    error = {"code": "RATE_LIMITED", "message": "LinkedIn throttled us: too many requests"}
    job = {"id": "op_1", "status": "failed", "error": error}
    async with serve(answer(job)) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.poll(hog_target("op_1"))
    assert reply.problem is None
    assert [one.status for one in reply.observations] == ["failed"]
