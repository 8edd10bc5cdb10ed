"""Real processes on one file."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from jobdeck.store import POLL, Store, open_store
from jobdeck.store.actors import has_gone, new_actor
from jobdeck.store.aio import AsyncStore
from jobdeck.store.records import ChangeKind, Claim, LedgerState, Refused
from tests.builders import make_target
from tests.store.doing import KEY, NOW, PLENTY, SECOND
from tests.support.forked import Piped

JOBS = 8

BEGIN = """
import sys, time
from pathlib import Path
from jobdeck.domain.job import JobKey
from jobdeck.store import open_store
from jobdeck.store.records import Claim
from jobdeck.store.sqlite import database
from tests.builders import make_observation
from tests.store.doing import an_exchange
database._BUSY_TRIES = 1  # a single SQLITE_BUSY shows
store = open_store(Path(sys.argv[1]), sys.argv[2], fallback=False).store
def poll(n):
    key = JobKey("hog", None, f"op_{n % 8}")
    now_us = time.time_ns() // 1000
    claimed = store.claim(key, now_us, 40.0)
    if not isinstance(claimed, Claim):
        # Who waits for the lock for a second asks with a time from before what the other was granted meanwhile.
        assert claimed.reason in {"leased", "budget"}, claimed
        return None
    exchange = an_exchange(now_us, id_=key.id, request_id=f"{sys.argv[2]}-{n}")
    store.complete(claimed, exchange, [make_observation(id_=key.id)], None, now_us)
    return exchange.request_id
"""

WRITE_A_LOT = (
    BEGIN
    + """
print("ready", flush=True)
sys.stdin.readline()
done = sum(poll(n) is not None for n in range(400))
assert store.degraded is None, store.degraded
print(done)
"""
)

WRITE_FOR_EVER = (
    BEGIN
    + """
for n in range(10**9):
    print(poll(n), flush=True)
"""
)

WRITE_WHEN_TOLD = (
    BEGIN
    + """
print("ready", flush=True)
for line in sys.stdin:
    store.annotate(JobKey("hog", None, "op_1"), now_us=1, note=line)
    print(time.monotonic(), flush=True)
"""
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "jobdeck.db"
    store = reopened(path)
    store.watch([make_target(f"op_{n}") for n in range(JOBS)], NOW)
    store.set_limit("hog", POLL, PLENTY, NOW)
    store.close()
    return path


@pytest.fixture
def processes() -> Iterator[list[Piped]]:
    begun: list[Piped] = []
    yield begun
    for process in begun:
        process.close()


def reopened(path: Path) -> Store:
    return open_store(path, "the test", fallback=False).store


def begin(script: str, path: Path, actor: str) -> Piped:
    return Piped(str(path), actor, env={}, code=script)


def test_processes_that_write_at_once_are_never_refused_the_lock(path: Path, processes: list[Piped]) -> None:
    processes += [begin(WRITE_A_LOT, path, name) for name in ("me", "you")]
    for process in processes:
        assert process.line() == "ready"
    for process in processes:
        process.tell("go")
    done = [int(process.line()) for process in processes]
    assert [process.wait(150) for process in processes] == [0, 0]
    store = reopened(path)
    health = store.health(check=True)
    assert health.check == "ok"
    assert health.rows["exchanges"] == sum(done)
    assert all(job.lease_owner is None for job in store.jobs())
    store.close()


def test_nothing_acknowledged_is_lost_when_a_process_is_killed(path: Path, processes: list[Piped]) -> None:
    acknowledged: set[str] = set()
    for run in range(4):
        processes += [begin(WRITE_FOR_EVER, path, f"run {run}{half}") for half in "ab"]
        acknowledged.update(processes[-1].line() for _ in range(50 + 13 * run))
        for process in processes[-2:]:
            process.kill()
            # A last line that is cut off says nothing.
            acknowledged.update(process.stdout.read().rpartition("\n")[0].splitlines())
    store = reopened(path)
    assert store.health(check=True).check == "ok"
    answered = {
        entry.request_id
        for n in range(JOBS)
        for entry in store.exchanges(make_target(f"op_{n}").key, 100_000)
        if entry.state is LedgerState.ANSWERED
    }
    assert acknowledged - {"None"} <= answered
    # Of the 278 lines that are read, those without a claim say nothing; how many there are is a matter of moments.
    assert len(answered) > 100
    store.close()


async def test_a_change_of_another_process_is_noticed_within_a_third_of_a_second(
    path: Path, processes: list[Piped]
) -> None:
    store = AsyncStore(reopened(path))
    processes.append(begin(WRITE_WHEN_TOLD, path, "the other"))
    other = processes[0]
    assert other.line() == "ready"
    feed = store.watch_changes(await store.head())
    delays = []
    for n in range(5):
        other.tell(f"note {n}")
        changes = await anext(feed)
        noticed = monotonic()
        delays.append(noticed - float(other.line()))
        assert [(change.kind, change.actor, change.keys) for change in changes] == [
            (ChangeKind.ANNOTATED, "the other", (KEY,))
        ]
        assert (await store.annotations([KEY]))[KEY].note == f"note {n}\n"
    # The machine may be busy with other things once, not five times in a row.
    assert min(delays) <= 0.3, delays
    await feed.aclose()
    assert await store.close()


DIE = """
import sys
from pathlib import Path
from jobdeck.store import open_store
from jobdeck.store.actors import new_actor
from tests.store.doing import KEY, NOW
from tests.builders import make_target
store = open_store(Path(sys.argv[1]), new_actor(), now_us=NOW, fallback=False).store
store.watch([make_target()], NOW)
print(type(store.claim(KEY, NOW, 45.0)).__name__, flush=True)
sys.stdin.read()
"""


def test_the_lease_of_a_process_that_was_killed_ends_with_it(path: Path, processes: list[Piped]) -> None:
    processes.append(begin(DIE, path, "a process"))
    assert processes[0].line() == "Claim"
    store = reopened(path)
    assert store.claim(KEY, NOW + SECOND, 45.0) == Refused("leased", NOW + 45 * SECOND), "it lives"
    processes[0].kill()
    processes[0].wait()
    assert isinstance(store.claim(KEY, NOW + SECOND, 45.0), Claim)
    store.close()


def test_only_of_processes_here_is_it_known_that_they_are_gone() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    here, _, _ = new_actor().rpartition(":")
    assert has_gone(f"{here}:{gone.pid}-0123abcd")
    assert not has_gone(new_actor())
    assert not has_gone(f"{here}:1-0123abcd")
    assert not has_gone(f"{here}:9999999999-0123abcd")
    assert not has_gone(f"elsewhere:{gone.pid}-0123abcd")
    for name in ("me", f"{here}:-1-0123abcd", f"{here}:0x1-0123abcd", ""):
        assert not has_gone(name)
