"""The store's throughput, its size on disk, and four processes that write concurrently."""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sized
from pathlib import Path
from statistics import median
from time import perf_counter, process_time, time_ns

from benchmarks.goal import Goal, Number
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import JobKey, Observation, Target
from jobdeck.domain.phase import Phase
from jobdeck.store import LIST, POLL, Store, open_store
from jobdeck.store.models import Answer, Grant, OutgoingRequest, from_epoch, poll_request

PLENTY = 1_000_000
JOBS = 10_000
WORKERS = 4
TASKS = 8
"""Concurrent requests: like an engine with many profiles."""

WORKER = """
import asyncio, sys
from pathlib import Path
from benchmarks.store import work
asyncio.run(work(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
"""


UNCHANGED = Goal(f"claim and complete, {TASKS} in flight, nothing new", 5_000.0, "/s", least=True)
CHANGED = Goal("claim and complete, 8 in flight, each a change", 2_000.0, "/s", least=True)
BUSY = Goal(f"SQLITE_BUSY errors of {WORKERS} processes writing at once", 0.0, "errors")
LOST = Goal(f"rows lost by {WORKERS} processes writing at once", 0.0, "rows")
GROWN = Goal("a million unchanged observations: growth of the database", 50.0, "MB")
EACH = Goal("each of these rows, with its share of ledger and change log", 30.0, "bytes")
ALONE = Goal("each of these rows alone", 30.0, "bytes")
NEWEST = Goal("the 100 newest requests of a job among a million", 5.0, "ms")
GOALS = (UNCHANGED, CHANGED, BUSY, LOST, GROWN, EACH, ALONE, NEWEST)


def measure() -> Iterator[Number]:
    """Run each measurement on a new file."""
    for some in (claims, processes, million):
        with tempfile.TemporaryDirectory() as folder:
            yield from asyncio.run(collect(some(Path(folder) / "jobdeck.db")))


async def collect(numbers: AsyncIterator[Number]) -> list[Number]:
    return [number async for number in numbers]


async def opened(path: Path, client: str = "benchmark", jobs: int = 100) -> Store:
    store = open_store(path, client, fallback=False).store
    await store.watch([Target(key(n), "thehog", "operation") for n in range(jobs)])
    await store.set_limits("hog", {POLL: PLENTY, LIST: PLENTY})
    return store


def key(number: int) -> JobKey:
    return JobKey("hog", None, f"op_01HZ9K2QW3RV4M5N6P7Q{number:06d}")


def observation(number: int, progress: float = 0.25) -> Observation:
    return Observation(key(number).id, "processing", Phase.RUNNING, progress)


def exchange(at_us: int, number: int | None) -> Exchange:
    job = None if number is None else key(number)
    url = f"https://developer.thehog.ai/api/operations/{job.id if job else '?limit=100'}"
    request_id = f"3f7a1c2e-88b4-4d0e-a1f5-{at_us % 10**12:012d}"
    return Exchange("hog", "GET", url, from_epoch(at_us), 0.1, job, 200, request_id, size=412)


async def poll(store: Store, number: int, progress: float = 0.25) -> bool:
    """Claim and complete once; returns False if another process has the lease."""
    (decided,) = await store.claim([poll_request(key(number))])
    if not isinstance(decided, Grant):
        assert decided.reason == "leased", decided
        return False
    observed = (observation(number, progress),)
    await store.complete([Answer(decided, exchange(time_ns() // 1_000, number), observed)])
    return True


async def claims(path: Path) -> AsyncIterator[Number]:
    store = await opened(path)
    count = 10_000
    for goal, progress in ((UNCHANGED, lambda _: 0.25), (CHANGED, lambda n: n / count)):
        alone, _ = await poll_all(store, count // 5, 1, progress)
        rate, spent = await poll_all(store, count, TASKS, progress)
        yield goal.found(rate, f"{spent * 1e6:.0f} µs of CPU time each; one at a time {alone:,.0f}/s")
    await store.close()


async def poll_all(store: Store, count: int, tasks: int, progress: Callable[[int], float]) -> tuple[float, float]:
    """Poll `count` times with `tasks` concurrent requests; returns polls per second, and processor time per poll."""
    numbers = iter(range(count))

    async def poll_some() -> None:
        for n in numbers:
            await poll(store, n % 100, progress(n))

    begun, cpu = perf_counter(), process_time()
    await asyncio.gather(*(poll_some() for _ in range(tasks)))
    return count / (perf_counter() - begun), (process_time() - cpu) / count


async def work(path: Path, client: str, count: int) -> None:
    """Poll `count` times in its own process; prints how often it waited longer than the busy timeout."""
    from jobdeck.store.sqlite import database

    busy = 0
    leave_file = database.Database._leave_file

    def counted(self: database.Database, error: Exception) -> None:
        nonlocal busy
        busy += 1
        leave_file(self, error)

    database._BUSY_TRIES = 1
    database.Database._leave_file = counted  # type: ignore[method-assign] - every SQLITE_BUSY comes by here
    store = open_store(path, client, fallback=False).store
    print("ready", flush=True)
    sys.stdin.readline()
    done = sum([await poll(store, n % 100) for n in range(count)])
    print(done, busy, flush=True)
    await store.close()


def start_workers(path: Path, count: int) -> list[subprocess.Popen[str]]:
    """Start processes that each poll `count` times after a signal."""
    pipe = subprocess.PIPE
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(path), f"worker {n}", str(count)], stdin=pipe, stdout=pipe, text=True
        )
        for n in range(WORKERS)
    ]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    return workers


async def processes(path: Path) -> AsyncIterator[Number]:
    store = await opened(path)
    workers = start_workers(path, 3_000)
    begun = perf_counter()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    answers = [worker.communicate()[0].split() for worker in workers]
    rate = sum(int(done) for done, _ in answers) / (perf_counter() - begun)
    busy = sum(int(failed) for _, failed in answers)
    recorded = (await store.health()).rows["exchanges"]
    lost = sum(int(done) for done, _ in answers) - recorded
    await store.close()
    yield BUSY.found(busy, f"{rate:,.0f} claim and complete per second in total")
    yield LOST.found(lost, f"of {recorded:,}")


async def million(path: Path) -> AsyncIterator[Number]:
    """Write a million unchanged observations in lists of 100, then a million exchanges, and read some."""
    store = await opened(path, jobs=JOBS)
    begun_us = now_us = time_ns() // 1_000
    for first in range(0, JOBS, 100):
        now_us += 10_000
        await list_page(store, now_us, first)
    before, table_before = await size_of(store, path), table_size(path, "observations")
    started = perf_counter()
    rounds = 1_000_000 // JOBS
    for _ in range(rounds):
        for first in range(0, JOBS, 100):
            now_us += 10_000
            await list_page(store, now_us, first)
    took = perf_counter() - started
    rows = rounds * JOBS
    grown, table = await size_of(store, path) - before, table_size(path, "observations") - table_before
    fill_ledger(path, begun_us, 1_000_000)
    numbers = range(0, JOBS, 37)
    newest = [await timed(store.requests(key(n), 100)) for n in numbers]
    found = sum(count for _, count in newest) / len(newest)
    worst, middle = max(ms for ms, _ in newest), median(ms for ms, _ in newest)
    await store.close()
    yield GROWN.found(grown / 1e6, f"written at {rows / took:,.0f} rows per second, in lists of 100")
    yield EACH.found(grown / rows)
    yield ALONE.found(table / rows)
    yield NEWEST.found(middle, f"worst {worst:.2f} ms, {found:.0f} rows")


async def list_page(store: Store, at_us: int, first: int) -> None:
    (grant,) = await store.claim([OutgoingRequest("hog", "https://developer.thehog.ai/api/operations", LIST)])
    assert isinstance(grant, Grant), grant
    rows = tuple(observation(n) for n in range(first, first + 100))
    await store.complete([Answer(grant, exchange(at_us, None), rows)])


async def size_of(store: Store, path: Path) -> int:
    import apsw

    connection = apsw.Connection(str(path))
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    connection.close()
    return (await store.health()).size


def table_size(path: Path, table: str) -> int:
    import apsw

    connection = apsw.Connection(str(path))
    (size,) = connection.execute("SELECT sum(pgsize) FROM dbstat WHERE name = ?", (table,)).fetchone() or (0,)
    connection.close()
    return int(size or 0)


def fill_ledger(path: Path, at_us: int, rows: int) -> None:
    """Insert polls by SQL: a hundred per job, alternating between jobs."""
    import apsw

    connection = apsw.Connection(str(path))
    connection.execute(
        "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < ?1 - 1)"
        " INSERT INTO exchanges (scope, profile, client, job, bucket, state, sent_us, started_us, duration_us, method,"
        " url, http_status, request_id, size) SELECT 1, 1, 1, 1 + n % ?2, 'poll', 'answered', ?3 + n, ?3 + n,"
        " 100000, 'GET', 'https://developer.thehog.ai/api/operations/op_01HZ9K2QW3RV4M5N6P7Q8R9S0T', 200,"
        " hex(randomblob(18)), 412 FROM n",
        (rows, JOBS, at_us),
    )
    connection.close()


async def timed(asked: Awaitable[Sized]) -> tuple[float, int]:
    begun = perf_counter()
    count = len(await asked)
    return (perf_counter() - begun) * 1e3, count
