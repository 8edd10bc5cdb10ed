"""What a screen reads is found by an index in a database that has filled up: no table that grows is read as a whole."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from jobdeck.domain.job import JobKey
from jobdeck.domain.scope import Scope, format_scope
from jobdeck.store.models import Cursor
from jobdeck.store.postgres.connect import Server
from jobdeck.store.postgres.opening import open_team_store
from jobdeck.store.postgres.store import PostgresStore
from tests.builders import START
from tests.store.postgres.database import new_database

SCOPE = Scope("https://developer.thehog.ai", "acme", "thehog")
GROWING = {"jobs", "exchanges", "states", "timeline", "change_log", "observations"}
JOBS, EXCHANGES, WATCHED = 20_000, 20_000, 300
KEY = JobKey("hog", None, "op_77")
SOME = [JobKey("hog", None, f"op_{number}") for number in range(100)]

FILL = f"""
INSERT INTO jobdeck.scopes (name) SELECT 'other ' || n FROM generate_series(1, 4) n;
INSERT INTO jobdeck.jobs (scope, profile, account_group, job_id, provider, resource, kind, added_us, active_us,
                          accepted_request_id, accepted_trace_id, observed_us, facts, first_shown, last_shown)
  SELECT (SELECT array_agg(id ORDER BY id) FROM jobdeck.scopes)[1 + n % 2], 'hog', '', 'op_' || n, 'thehog',
         'operation', 'operation', n, n, 'accepted-' || n, 'traced-' || n, n,
         '[]' || repeat(' ', 300), n, n + 1
  FROM generate_series(1, {JOBS}) n;
INSERT INTO jobdeck.exchanges (scope, profile, client, job, bucket, state, sent_us, started_us, duration_us, method,
                               url, http_status, request_id, trace_id, body_request_id, problem)
  SELECT (SELECT array_agg(id ORDER BY id) FROM jobdeck.scopes)[1 + n % 2], 'hog', 1,
         CASE WHEN n % 3 > 0 THEN 1 + n % {JOBS} END, 'poll', 'answered', n, n, 1, 'GET', 'https://x/' || n, 200,
         'r-' || n, 't-' || n, 'b-' || n,
         CASE WHEN n % 20 = 7 THEN '{{"kind": "timeout", "message": "no response"}}' END
  FROM generate_series(1, {EXCHANGES}) n;
INSERT INTO jobdeck.observations SELECT n, ARRAY(SELECT 1 + (n + i * 31) % {JOBS} FROM generate_series(1, 20) i)
  FROM generate_series(3, {EXCHANGES}, 3) n;
INSERT INTO jobdeck.states (job, exchange, at_us, fields) SELECT 1 + n % {JOBS}, n, n, '{{}}'
  FROM generate_series(1, {EXCHANGES}) n;
INSERT INTO jobdeck.timeline (job, exchange, at_us, kind, words) SELECT 1 + n % {JOBS}, n, n, 'phase', 'running'
  FROM generate_series(1, {EXCHANGES}) n;
INSERT INTO jobdeck.watches (job, user_name, profile, since_us)
  SELECT n, CASE WHEN n % 4 < 2 THEN 'ann' ELSE 'bob' END, 'hog', n FROM generate_series(1, {WATCHED}) n;
INSERT INTO jobdeck.annotations SELECT n, 'ann', true, 'noted', n FROM generate_series(1, {JOBS}, 10) n;
INSERT INTO jobdeck.change_log SELECT n, n, 2, 1, 'answered', ARRAY[1 + n % {JOBS}], ARRAY[]::bigint[], n
  FROM generate_series(1, {EXCHANGES}) n;
UPDATE jobdeck.change_counter SET newest = {EXCHANGES};
"""

Read = Callable[[PostgresStore], Awaitable[object]]


async def read_changes(store: PostgresStore) -> object:
    database = (await store.head()).partition(":")[0]
    changes, _ = await store.changes(Cursor(f"{database}:{EXCHANGES - 50}"))
    return changes


READS: dict[str, Read] = {
    "load": lambda store: store.load(SOME),
    "requests of a job": lambda store: store.requests(KEY),
    "all requests": lambda store: store.all_requests(),
    "all requests of a profile": lambda store: store.all_requests("hog"),
    "failures": lambda store: store.failures("hog", EXCHANGES // 2, EXCHANGES),
    "a request ID": lambda store: store.find_request("r-77"),
    "a trace ID": lambda store: store.find_request("t-77"),
    "an ID in a body": lambda store: store.find_request("b-77"),
    "an accepting ID": lambda store: store.find_request("accepted-77"),
    "records": lambda store: store.records(range(100, 150)),
    "evidence": lambda store: store.phase_evidence(KEY),
    "timeline": lambda store: store.timeline(KEY),
    "watched": lambda store: store.watched(START),
    "the first watched": lambda store: store.watched(START, 100),
    "watched of some": lambda store: store.watched(START, of=SOME),
    "how many are watched": lambda store: store.count_watched(),
    "annotations": lambda store: store.annotations(SOME),
    "changes": read_changes,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def filled() -> AsyncIterator[str]:
    """A database that has filled up, with the scope of ours the first of several."""
    async with new_database() as url:
        connection = await asyncpg.connect(url)
        for name in (format_scope(SCOPE.budget), format_scope(SCOPE)):
            await connection.execute("INSERT INTO jobdeck.scopes (name) VALUES ($1)", name)
        await connection.execute(FILL)
        await connection.execute("VACUUM ANALYZE")
        await connection.close()
        yield url


def scans(plan: dict[str, Any]) -> list[str]:
    """Return the tables of ours that a plan reads as a whole."""
    below = [table for child in plan.get("Plans", ()) for table in scans(child)]
    return [plan["Relation Name"], *below] if "Seq Scan" in plan["Node Type"] else below


@pytest.mark.parametrize("everyone", [False, True], ids=["own", "team"])
@pytest.mark.parametrize("name", READS)
async def test_no_table_that_grows_is_read_as_a_whole(
    filled: str, monkeypatch: pytest.MonkeyPatch, name: str, everyone: bool
) -> None:
    plans: dict[str, dict[str, Any]] = {}
    rows = Server.rows

    async def explained(self: Server, statement: str, *values: Any) -> list[asyncpg.Record]:
        ((text,),) = await rows(self, f"EXPLAIN (FORMAT JSON) {statement}", *values)
        plans[statement] = json.loads(text)[0]["Plan"]
        return await rows(self, statement, *values)

    opened = await open_team_store(
        filled, "me", user="ann", scopes={"hog": SCOPE}, now_us=lambda: time.time_ns() // 1_000, everyone=everyone
    )
    try:
        with monkeypatch.context() as patch:
            patch.setattr(Server, "rows", explained)
            assert await READS[name](opened.store), "there is something to be found"
    finally:
        await opened.store.close()
    assert plans
    for statement, plan in plans.items():
        assert not GROWING.intersection(scans(plan)), f"{statement}\n{json.dumps(plan, indent=1)}"
