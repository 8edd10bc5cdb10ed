"""Steps that most tests of the store take."""

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import JobKey, Observation, Target
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.store import POLL, Store
from jobdeck.store.records import Claim, Completed, Spent
from jobdeck.store.stored import wall
from tests.builders import START, make_observation

NOW = START.us
SECOND = 1_000_000
MINUTE = 60 * SECOND
KEY = JobKey("hog", None, "op_1")
PLENTY = 1_000_000


def an_exchange(
    at_us: int, problem: Problem | None = None, id_: str | None = "op_1", request_id: str | None = None
) -> Exchange:
    """Return an exchange sent at `at_us` that took 0.1 s; without an ID it is a list."""
    return Exchange(
        profile="hog",
        method="GET",
        url=f"https://developer.thehog.ai/api/operations/{id_ or ''}",
        started=wall(at_us),
        duration=0.1,
        job=None if id_ is None else JobKey("hog", None, id_),
        http_status=200 if problem is None else problem.http_status,
        request_id=request_id or f"request-{at_us}",
        size=120,
        problem=problem,
    )


def a_problem(kind: ProblemKind = ProblemKind.SERVER_ERROR, retry_at_us: int | None = None) -> Problem:
    return Problem(kind, "the server said no", http_status=500, retry_at_us=retry_at_us)


def claim(store: Store, at_us: int, key: JobKey = KEY, lease_seconds: float = 40.0) -> Claim:
    claimed = store.claim(key, at_us, lease_seconds)
    assert isinstance(claimed, Claim), claimed
    return claimed


def spend(store: Store, at_us: int, bucket: str = POLL) -> Spent:
    spent = store.spend("hog", bucket, at_us)
    assert isinstance(spent, Spent), spent
    return spent


def poll(
    store: Store,
    at_us: int,
    told: Observation | Problem | None = None,
    key: JobKey = KEY,
    request_id: str | None = None,
) -> Completed:
    """Claim a job, and complete the claim 0.1 s later with an observation (running) or a problem."""
    claimed = claim(store, at_us, key)
    told = told or make_observation(Phase.RUNNING, id_=key.id)
    problem = told if isinstance(told, Problem) else None
    observations = () if isinstance(told, Problem) else (told,)
    exchange = an_exchange(at_us, problem, key.id, request_id)
    return store.complete(claimed, exchange, observations, at_us + 5 * SECOND, at_us + SECOND // 10)


def list_page(store: Store, at_us: int, *observations: Observation) -> Completed:
    """Spend a request and complete it 0.1 s later with the rows of a list."""
    spent = spend(store, at_us)
    return store.complete(spent, an_exchange(at_us, id_=None), observations, None, at_us + SECOND // 10)


def listed(store: Store) -> tuple[Target, ...]:
    """Return the targets on the watch list, in its order."""
    return tuple(job.target for job in store.watched(START))
