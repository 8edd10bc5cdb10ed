"""The decks that pictures are taken of, in frozen time."""

import json
from dataclasses import replace

from jobdeck.domain.job import Job
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.timeline import TimelineEvent, TimelineEventKind
from jobdeck.scheduling.outlook import NextPoll, QuotaSnapshot
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.test_tabs import FACTS, MOMENTS
from tests.tui.world import NOON, ago, clock_at_noon, deck_of_every_state, exchange, problem


def frozen(jobs: list[Job] | None = None) -> FakeSession:
    """Every state, each job with some looks."""
    jobs = deck_of_every_state() if jobs is None else jobs
    looks = []
    for one in jobs:
        if one.observed is not None:
            rest = {"http_status": one.http_status, "problem": one.problem} if one.problem else {}
            looks += [exchange(one.key.id, 4, one.key.profile, **rest)]
            looks += [exchange(one.key.id, 4 + 5 * number, one.key.profile) for number in range(1, 6)]
    engine = FakeEngine(clock_at_noon(), jobs, looks)
    engine.budget = {"hog": QuotaSnapshot(60, 38), "sonarly": QuotaSnapshot(60, 12)} if jobs else {}
    engine.plans = {one.key: NextPoll(NOON.mono + 6, 5, one.failures) for one in jobs if not one.terminal}
    return FakeSession(engine)


def triage() -> FakeSession:
    """Every state; running jobs with an outlook, an acknowledged one, and everything the tabs show of the first."""
    jobs = [with_outlook(one) for one in deck_of_every_state()]
    people = [{"name": "Ada", "title": "CTO", "companyMatchEvidence": "company_page", "score": 0.92}]
    body = {"id": jobs[0].key.id, "status": "failed", "progress": 66, "result": {"data": people, "more": None}}
    jobs[0] = replace(jobs[0], result=json.dumps({"data": people * 30, "meta": {"pages": 3}}), facts=FACTS)
    jobs[4] = replace(jobs[4], acknowledged=True)
    session = frozen(jobs)
    engine = session.engine
    first = jobs[0].key
    engine.samples[first] = tuple((NOON.mono - 110 + 8 * step, step / 16) for step in range(11))
    engine.timelines[first] = MOMENTS
    engine.before[first] = replace(jobs[0], status="processing", phase=Phase.RUNNING, progress=0.6, observed=ago(31),
                                   error=None, result=None)  # fmt: skip
    engine.bodies[first] = json.dumps(body).encode()
    return session


def with_outlook(one: Job) -> Job:
    return one if one.terminal or one.observed is None else replace(one, eta=(24.0, 49.0), stall_after=180.0)


def troubled() -> FakeSession:
    """A deck whose first job failed after every kind of trouble on the way."""
    session = frozen()
    engine = session.engine
    failed = deck_of_every_state()[0]
    id_ = failed.key.id
    limited = problem(ProblemKind.RATE_LIMIT, "Rate limit exceeded.", http_status=429, retry_at_us=NOON.later(11).us)
    refused = problem(ProblemKind.AUTH, "Invalid API key", http_status=401)
    lost = problem(ProblemKind.TIMEOUT, "no response in 30 s")
    end = "3f7a1c2e-88b4-4d0e-a1f5-000000000end"
    engine._exchanges[:0] = [
        exchange(id_, -3, http_status=429, problem=limited),
        exchange(id_, 1, http_status=401, problem=refused),
        exchange(id_, 2, request_id=end, body_request_id="in-the-body"),
        exchange(id_, 3, http_status=None, request_id=None, duration=30.0, problem=lost),
    ]
    engine.timelines = {
        failed.key: (TimelineEvent(NOON.us, TimelineEventKind.PHASE, "failed", None, "running", "failed", end),)
    }
    engine.budget = {
        "hog": QuotaSnapshot(300, 38, resets=NOON.mono + 22, pages=15, covered=57, alone=3),
        "sonarly": QuotaSnapshot(60, 60, blocked_until=NOON.mono + 11, covered=4),
    }
    return session
