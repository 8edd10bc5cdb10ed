"""A team on one PostgreSQL: the cost of sharing a rate limit, and of everybody seeing what one polls."""

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

from benchmarks.goal import Goal, Number
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import JobKey, Observation, Target
from jobdeck.domain.phase import Phase
from jobdeck.domain.scope import Scope
from jobdeck.store import LIST, POLL, Store
from jobdeck.store.models import Answer, Denied, Grant, from_epoch, poll_request

POLLERS, VIEWERS, JOBS, PER_MINUTE = 20, 50, 300, 300
SECONDS = 90.0
WINDOW_US = 60_000_000
ROUND_TRIP = 0.060
BULK = 1_000_000
BULK_WRITERS = 4

SCOPES = {"hog": Scope("https://developer.thehog.ai", "acme", "thehog")}

OVERSHOOT = Goal(f"{POLLERS} pollers at {PER_MINUTE}/min: requests above the limit in any 60 s", 0.0, "requests")
TWICE = Goal("leases granted twice with one fence", 0.0, "times")
FAN_OUT = Goal(f"time until {VIEWERS} viewers see a change, p99", 300.0, "ms")
MISSED = Goal("updates missed by a viewer", 0.0, "updates")
LOAD = Goal(f"PostgreSQL with {POLLERS} pollers and {VIEWERS} viewers on {JOBS} jobs", 10.0, "% of a core")
DIED = Goal("takeover of a job after its client disconnects, p99", 1.5, "s")
STOPPED = Goal("takeover of a job after its client hangs, p99", 5.5, "s")
FAR = Goal(f"claims per second at a round trip of {ROUND_TRIP * 1e3:.0f} ms", 50.0, "/s", least=True)
LOG = Goal(f"changes lost of {BULK:,} with {BULK_WRITERS} writing at once", 0.0, "changes")
SIZE = Goal("a million unchanged observations in lists of 100", 60.0, "MB")
GOALS = (OVERSHOOT, TWICE, FAN_OUT, MISSED, LOAD, DIED, STOPPED, FAR, LOG, SIZE)


def measure() -> Iterator[Number]:
    """Run each measurement on a server of its own."""
    from tests.support.postgres import running_server

    with running_server() as server:
        if server.directory is None:
            raise SystemExit("the CPU time of a remote server cannot be measured: unset its variable")
        postmaster = int((server.directory / "data" / "postmaster.pid").read_text().split()[0])
        for part in (
            shared_budget(server.url, postmaster),
            take_over(server.url),
            far_away(server.url),
            bulk(server.url),
        ):
            yield from asyncio.run(collected(part))


async def collected(part: AsyncIterator[Number]) -> list[Number]:
    return [number async for number in part]


def key(number: int) -> JobKey:
    return JobKey("hog", None, f"op_{number:04d}")


def now_us() -> int:
    return time.time_ns() // 1_000


@asynccontextmanager
async def clients(url: str, count: int, name: str = "client") -> AsyncIterator[list[Store]]:
    from jobdeck.store.postgres import migrate, open_team_store
    from jobdeck.store.postgres.connect import ServerAddress

    await migrate(ServerAddress.parse(url), new=True)
    opened = [
        (await open_team_store(url, f"{name}-{n}-{now_us()}", user=f"u{n}", scopes=SCOPES, now_us=now_us)).store
        for n in range(count)
    ]
    try:
        yield list(opened)
    finally:
        for store in opened:
            await store.close()


def answer(grant: Grant, number: int, progress: float, rows: int = 1) -> Answer:
    job = grant.request.job
    exchange = Exchange("hog", "GET", "https://x", from_epoch(now_us()), 0.1, job, 200, f"r-{now_us()}", size=412)
    shown = tuple(Observation(key(number + n).id, "processing", Phase.RUNNING, progress) for n in range(rows))
    return Answer(grant, exchange, shown)


async def shared_budget(url: str, postmaster: int) -> AsyncIterator[Number]:
    async with clients(url, POLLERS, "poller") as pollers, clients(url, VIEWERS, "viewer") as viewers:
        await pollers[0].watch([Target(key(n), "thehog", "operation") for n in range(JOBS)])
        await pollers[0].set_limits("hog", {POLL: PER_MINUTE})
        answered: set[int] = set()
        leases: Counter[tuple[JobKey | None, int | None]] = Counter()
        seen: list[set[int]] = [set() for _ in viewers]
        delays: list[float] = []
        watching = [
            asyncio.create_task(view(viewer, seen[n], delays, await viewer.head())) for n, viewer in enumerate(viewers)
        ]
        await asyncio.sleep(2.0)
        begun, cpu = time.monotonic(), processor_seconds(postmaster)
        end = begun + SECONDS
        await asyncio.gather(*(poll(poller, n, end, answered, leases) for n, poller in enumerate(pollers)))
        used = (processor_seconds(postmaster) - cpu) / (time.monotonic() - begun)
        await asyncio.sleep(3.0)
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        sent = sorted(record.sent_us for record in await pollers[0].all_requests("hog", 100_000))
        most = max(sum(at <= other < at + WINDOW_US for other in sent) for at in sent)
        delays.sort()
        yield OVERSHOOT.found(max(0, most - PER_MINUTE), f"at most {most}, {len(sent)} in {SECONDS:.0f} s")
        yield TWICE.found(sum(count - 1 for count in leases.values()), f"of {len(leases)}")
        p99 = delays[int(len(delays) * 0.99)]
        yield FAN_OUT.found(p99 * 1e3, f"median {delays[len(delays) // 2] * 1e3:.0f} ms")
        yield MISSED.found(max(len(answered - some) for some in seen), f"of {len(answered)}")
        yield LOAD.found(used * 100)


async def poll(store: Store, number: int, end: float, answered: set[int], leases: "Counter[object]") -> None:
    """Poll random jobs until the end, like a scheduler that always has one due."""
    dice = Random(number)
    while time.monotonic() < end:
        job = dice.randrange(JOBS)
        (decided,) = await store.claim([poll_request(key(job))])
        if isinstance(decided, Denied):
            wait = (decided.until_us - now_us()) / 1e6 if decided.reason == "budget" else 0.05
            await asyncio.sleep(max(0.02, wait))
            continue
        leases[decided.request.job, decided.fence] += 1
        await asyncio.sleep(0.05)
        await store.complete([answer(decided, job, dice.random())])
        answered.add(decided.sequence)


async def view(store: Store, seen: set[int], delays: list[float], cursor: object) -> None:
    while True:
        await store.wait_for_change()
        changes, cursor = await store.changes(cursor)  # type: ignore[arg-type] - a cursor of this store
        now = now_us()
        delays += [(now - change.at_us) / 1e6 for change in changes]
        seen.update(change.sequence for change in changes if change.sequence is not None)


def processor_seconds(postmaster: int) -> float:
    """Return the processor time of all processes of a server, including ended ones."""
    ticks = 0
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(process.name) == postmaster:
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) == postmaster:
            ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


async def take_over(url: str) -> AsyncIterator[Number]:
    for goal, how in ((DIED, "kill"), (STOPPED, "stop")):
        took = [await one_take_over(url, how) for _ in range(5)]
        yield goal.found(max(took), f"longest of {len(took)}")


HOLDER = """
import asyncio, sys
from benchmarks.team import SCOPES, key, now_us
from jobdeck.store.models import poll_request
from jobdeck.store.postgres.opening import open_team_store

async def main():
    store = (await open_team_store(sys.argv[1], f"holder-{now_us()}", user="h", scopes=SCOPES, now_us=now_us)).store
    print(await store.claim([poll_request(key(0))]), flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


async def one_take_over(url: str, how: str) -> float:
    async with clients(url, 1) as (store,):
        await store.watch([Target(key(0), "thehog", "operation")])
        await store.set_limits("hog", {POLL: 1_000_000})
        holder = await asyncio.create_subprocess_exec(
            sys.executable, "-c", HOLDER, url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        assert holder.stdout is not None
        assert b"Grant" in await holder.stdout.readline()
        begun = time.monotonic()
        if how == "kill":
            holder.kill()
        else:
            os.kill(holder.pid, 19)
        while True:
            (decided,) = await store.claim([poll_request(key(0))])
            if isinstance(decided, Grant):
                took = time.monotonic() - begun
                break
            await asyncio.sleep(max(0.01, (decided.until_us - now_us()) / 1e6))
        await store.release([decided])
        if how != "kill":
            holder.kill()
        await holder.wait()
    return took


async def far_away(url: str) -> AsyncIterator[Number]:
    """Claim through a proxy that delays data by half a round trip in each direction."""
    host, _, port = url.rpartition("@")[2].partition("/")[0].partition(":")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        with suppress(asyncio.CancelledError):
            await asyncio.gather(delayed(reader, far_writer), delayed(far_reader, writer), return_exceptions=True)

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
    through = url.replace(f":{port}/", f":{proxy.sockets[0].getsockname()[1]}/")
    async with proxy, clients(through, 1) as (store,):
        await store.watch([Target(key(n), "thehog", "operation") for n in range(JOBS)])
        await store.set_limits("hog", {POLL: 1_000_000})
        count, begun = 0, time.monotonic()

        async def work(number: int) -> None:
            nonlocal count
            while time.monotonic() - begun < 10.0:
                (decided,) = await store.claim([poll_request(key(number))])
                if isinstance(decided, Grant):
                    count += 1
                    await store.complete([answer(decided, number, 0.5)])

        await asyncio.gather(*map(work, range(16)))
        yield FAR.found(count / (time.monotonic() - begun), "each completed, 16 at once")


async def delayed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Forward data, each piece half a round trip later."""
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def send() -> None:
        while True:
            at, data = await queue.get()
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            if not data:
                writer.close()
                return
            writer.write(data)
            await writer.drain()

    sending = asyncio.create_task(send())
    data = b"-"
    while data:
        data = await reader.read(65_536)
        queue.put_nowait((time.monotonic() + ROUND_TRIP / 2, data))
    await sending


async def bulk(url: str) -> AsyncIterator[Number]:
    import asyncpg

    async with clients(url, 1) as (store,):
        cursor, count, done = await store.head(), 0, False
        writers = [await asyncpg.connect(url) for _ in range(BULK_WRITERS)]
        scope = await writers[0].fetchval("SELECT max(id) FROM jobdeck.scopes WHERE budget IS NOT NULL")

        async def write(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
            for _ in range(BULK // BULK_WRITERS // 500):
                await connection.execute(
                    "SELECT jobdeck.log_change(1, 'answered', $1, '{}') FROM generate_series(1, 500)", scope, timeout=60
                )

        async def read() -> None:
            nonlocal cursor, count
            while True:
                changes, cursor = await store.changes(cursor, 2_000)
                count += len(changes)
                if not changes:
                    if done:
                        return
                    await asyncio.sleep(0.05)

        reading = asyncio.create_task(read())
        await asyncio.gather(*map(write, writers))
        done = True
        await reading
        yield LOG.found(BULK // BULK_WRITERS // 500 * 500 * BULK_WRITERS - count)
        for connection in writers:
            await connection.close()
        await store.watch([Target(key(n), "thehog", "operation") for n in range(JOBS)])
        await store.set_limits("hog", {LIST: 1_000_000})
        before, begun = (await store.health()).size, time.monotonic()
        rounds = 300
        for number in range(rounds):
            await list_page(store, number % 3 * 100)
        grown = (await store.health()).size - before
        rate = rounds * 100 / (time.monotonic() - begun)
        yield SIZE.found(grown / (rounds * 100), f"of {rounds * 100:,}, written at {rate:,.0f} per second")


async def list_page(store: Store, first: int) -> None:
    from jobdeck.store.models import OutgoingRequest

    (grant,) = await store.claim([OutgoingRequest("hog", "https://x/list", LIST)])
    assert isinstance(grant, Grant)
    await store.complete([answer(grant, first, 0.5, 100)])
