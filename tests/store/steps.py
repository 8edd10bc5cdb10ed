"""Steps that most tests of a store take; those that are given a time set the clock of the store to it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import JobKey, Observation, Target
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.store import POLL, Store
from jobdeck.store.models import Answer, Completed, Denied, Grant, OutgoingRequest, SavedJob, from_epoch, poll_request
from jobdeck.store.protocol import LEASE_SECONDS
from jobdeck.store.sqlite.store import SqliteStore
from tests.builders import START, make_observation, make_target
from tests.store.engines import Clock

NOW = START.us
SECOND = 1_000_000
MINUTE = 60 * SECOND
LEASE = round(LEASE_SECONDS * SECOND)
KEY = JobKey("hog", None, "op_1")
PLENTY = 1_000_000
PATIENCE = 100.0
"""Seconds after which something that must happen has not."""


def an_exchange(
    at_us: int, problem: Problem | None = None, id_: str | None = "op_1", request_id: str | None = None
) -> Exchange:
    """Return an exchange sent at `at_us` that took 0.1 s; without an ID it is a list."""
    return Exchange(
        profile="hog",
        method="GET",
        url=f"https://developer.thehog.ai/api/operations/{id_ or ''}",
        started=from_epoch(at_us),
        duration=0.1,
        job=None if id_ is None else JobKey("hog", None, id_),
        http_status=200 if problem is None else problem.http_status,
        request_id=request_id or f"request-{at_us}",
        size=120,
        problem=problem,
    )


def a_problem(kind: ProblemKind = ProblemKind.SERVER_ERROR, retry_at_us: int | None = None) -> Problem:
    return Problem(kind, "the server said no", http_status=500, retry_at_us=retry_at_us)


def a_list(bucket: str = POLL, profile: str = "hog") -> OutgoingRequest:
    """Return a request for a list, which is about no job."""
    return OutgoingRequest(profile, "https://developer.thehog.ai/api/operations", bucket)


def assert_leased(decided: Grant | Denied, until_us: int) -> None:
    """Check that another's lease keeps a job until a moment; who looks whether that client lives may ask earlier."""
    assert isinstance(decided, Denied), decided
    assert decided.reason == "leased"
    assert decided.until_us <= until_us


async def prepare(store: Store) -> Store:
    """Watch `op_1` with a budget that no test uses up."""
    await store.watch([make_target()])
    await store.set_limits("hog", {POLL: PLENTY})
    return store


async def ask(store: Store, clock: Clock, at_us: int, request: OutgoingRequest) -> Grant | Denied:
    """Ask for leave to send one request."""
    await clock.set(at_us)
    (decided,) = await store.claim([request])
    return decided


async def claim(store: Store, clock: Clock, at_us: int, key: JobKey = KEY) -> Grant:
    """Claim a poll that must be granted."""
    grant = await ask(store, clock, at_us, poll_request(key))
    assert isinstance(grant, Grant), grant
    assert grant.fence is not None
    return grant


@dataclass(frozen=True)
class Lease:
    """The newest lease on a job; nobody owns one that has ended."""

    fence: int
    owner: str | None
    until_us: int | None


async def lease_of(store: Store, key: JobKey = KEY) -> Lease:
    """Read a job's lease from the database, for no store shows it."""
    query = (
        "SELECT j.fence, c.name, j.lease_until_us FROM {0}jobs j LEFT JOIN {0}clients c ON c.id = j.lease_owner"
        " WHERE j.account_group = {1} AND j.job_id = {2}"
    )
    place = (key.account_group or "", key.id)
    if isinstance(store, SqliteStore):
        rows = await store._read(lambda connection: list(connection.execute(query.format("", "?", "?"), place)))
    else:
        rows = await store._server.rows(query.format("jobdeck.", "$1", "$2"), *place)  # type: ignore[attr-defined]
    return Lease(*rows[0])


async def claim_list(store: Store, clock: Clock, at_us: int, bucket: str = POLL, profile: str = "hog") -> Grant:
    """Claim a list that must be granted."""
    grant = await ask(store, clock, at_us, a_list(bucket, profile))
    assert isinstance(grant, Grant), grant
    return grant


async def answer(
    store: Store, clock: Clock, at_us: int, grant: Grant, exchange: Exchange, *observations: Observation
) -> Completed:
    """Complete one request."""
    await clock.set(at_us)
    (completed,) = await store.complete([Answer(grant, exchange, observations)])
    return completed


async def poll(
    store: Store,
    clock: Clock,
    at_us: int,
    said: Observation | Problem | None = None,
    key: JobKey = KEY,
    *,
    request_id: str | None = None,
) -> Completed:
    """Claim a job, and complete that 0.1 s later with an observation (running) or a problem."""
    grant = await claim(store, clock, at_us, key)
    said = said or make_observation(Phase.RUNNING, id_=key.id)
    problem, observations = (said, ()) if isinstance(said, Problem) else (None, (said,))
    exchange = an_exchange(at_us, problem, key.id, request_id)
    return await answer(store, clock, at_us + SECOND // 10, grant, exchange, *observations)


async def list_page(store: Store, clock: Clock, at_us: int, *observations: Observation) -> Completed:
    """Claim a list, and complete it 0.1 s later with its rows."""
    grant = await claim_list(store, clock, at_us)
    return await answer(store, clock, at_us + SECOND // 10, grant, an_exchange(at_us, id_=None), *observations)


async def saved(store: Store, key: JobKey = KEY) -> SavedJob:
    """Return a job that must be known."""
    return (await store.load([key]))[key]


async def listed(store: Store) -> tuple[Target, ...]:
    """Return the targets on the watch list, in its order."""
    return tuple(job.target for job in await store.watched(START))


async def watched_ids(store: Store) -> list[str]:
    return [target.key.id for target in await listed(store)]


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE):
        while not await holds():
            await asyncio.sleep(0.001)


def ids(keys: Iterable[JobKey]) -> list[str]:
    return [key.id for key in keys]
