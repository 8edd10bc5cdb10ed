"""Starting with 10,000 saved jobs, in a real pty: until it is usable, until all are loaded, and the memory.

Usable: the first rows are shown, and a key moves the cursor.
"""

import asyncio
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.goal import Goal, Number
from benchmarks.startup import command
from benchmarks.terminal import Terminal, environment

JOBS = 10_000
ROUNDS = 5
BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("open" + "ing")
Bare().run()
"""
USABLE = Goal("usable with 10,000 saved jobs: CPU time", 2.2, "×", "a bare Textual app's first frame")
FILLED = Goal("from then until all 10,000 rows are shown", 1.0, "s")
MEMORY = Goal("memory with 10,000 jobs", 90.0, "MB")
GOALS = (USABLE, FILLED, MEMORY)


def measure() -> Iterator[Number]:
    """Start both apps alternately."""
    bares: list[tuple[float, float]] = []
    usables: list[tuple[float, float]] = []
    rows: list[tuple[float, float]] = []
    sizes: list[float] = []
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        env = environment(Path(folder), port)
        fill(Path(folder) / "data", port)
        for _ in range(ROUNDS):
            with Terminal([sys.executable, "-c", BARE], env) as terminal:
                bares.append((terminal.until(rb"opening"), terminal.cpu))
            with Terminal(command(), env) as terminal:
                terminal.until(rb"op_[0-9]{5}")
                terminal.type(b"j")
                usables.append((terminal.until("▸".encode()), terminal.cpu))
                # All are counted.
                filled = terminal.until("● ?10000[^0-9]".encode())
                rows.append((filled - usables[-1][0], terminal.cpu - usables[-1][1]))
                terminal.drain(3.0)
                sizes.append(terminal.megabytes)
    (bare, bare_cpu), (usable, usable_cpu) = (tuple(map(min, zip(*each, strict=True))) for each in (bares, usables))
    yield USABLE.found(
        usable_cpu / bare_cpu, f"{usable_cpu:.2f} s of {bare_cpu:.2f} s; elapsed {usable:.2f} of {bare:.2f} s"
    )
    filled, filled_cpu = map(min, zip(*rows, strict=True))
    yield FILLED.found(filled, f"{filled_cpu:.2f} s of CPU time")
    yield MEMORY.found(median(sizes))


def fill(folder: Path, port: int) -> None:
    """Save jobs of the profile of `environment`, each polled once."""
    from jobdeck.domain.exchange import Exchange
    from jobdeck.domain.instant import Instant
    from jobdeck.domain.job import JobKey, Observation, Stage, Target
    from jobdeck.domain.phase import Phase
    from jobdeck.domain.scope import Scope
    from jobdeck.store import LIST, open_store
    from jobdeck.store.models import Answer, Grant, OutgoingRequest

    folder.mkdir(mode=0o700)
    scopes = {"hog": Scope(f"http://127.0.0.1:{port}", "hog", "thehog")}
    names = [f"op_{number:05d}" for number in range(JOBS)]
    stages = (Stage("import", "succeeded", Phase.SUCCEEDED, 1.0), Stage("enrichment", "running", Phase.RUNNING, 0.4))
    now_us = time.time_ns() // 1_000 - 200_000_000

    async def write() -> None:
        nonlocal now_us
        store = open_store(folder / "jobdeck.db", "benchmark", scopes=scopes, now_us=lambda: now_us).store
        await store.watch([Target(JobKey("hog", None, name), "thehog", "operation") for name in names])
        await store.set_limits("hog", {LIST: 1_000})
        for start in range(0, JOBS, 100):
            rows = [Observation(name, "processing", Phase.RUNNING, 0.5, stages) for name in names[start : start + 100]]
            now_us += 1_000_000
            (grant,) = await store.claim([OutgoingRequest("hog", "https://x/api/operations", LIST)])
            assert isinstance(grant, Grant)
            exchange = Exchange("hog", "GET", "https://x/api/operations", Instant(now_us, 1.0), 0.1)
            await store.complete([Answer(grant, exchange, tuple(rows))])
        await store.close()

    asyncio.run(write())
