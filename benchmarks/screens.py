"""The programs that `tui_terminal` and `serve` measure, run as a module: the screen, and a DataTable."""

import asyncio
import os
import random
import sys
import time
from dataclasses import replace

from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.world import clock_at_noon, job
from textual.app import App, ComposeResult
from textual.widgets import DataTable

from benchmarks.terminal import cpu_seconds, megabytes
from jobdeck.app.viewers import ReadOnlySession, ViewerGroup
from jobdeck.domain.instant import Instant
from jobdeck.engine.clock import SystemClock
from jobdeck.tui.app import JobdeckApp
from jobdeck.tui.remote import RemoteView

ROWS = 10_000
STEPS = 50
"""Batches of changes per second."""

CURSOR_COLOUR = (1, 2, 3)
HEADINGS = ("STATE", "JOB", "KIND", "STAGE", "PROGRESS", "ELAPSED", "ETA", "SEEN")


def deck(rate: int, among: int, *, standing: bool) -> None:
    """Run the screen with `rate` changes per second among the first rows; `standing` stops the clock."""
    clock = clock_at_noon() if standing else SystemClock()
    now = clock.now()

    def seen(number: int) -> Instant:
        return now.later(-1 - (ROWS - number) / 1_000)

    jobs = [
        job(f"op_{number:05d}", observed=now, added=now, changed=seen(number), created_us=now.us - 60_000_000)
        for number in range(ROWS)
    ]

    class Busy(FakeEngine):
        async def run(self) -> None:
            version = 1
            if rate == 0:
                await asyncio.Event().wait()
            while True:
                version += 1
                for one in random.sample(jobs[-among:], min(among, max(1, rate // STEPS))):
                    self.put(replace(one, progress=random.random(), version=version, observed=self.clock.now()))
                await asyncio.sleep(max(1, rate // STEPS) / rate)

    JobdeckApp(FakeSession(Busy(clock, jobs))).run()  # type: ignore[arg-type] - real time instead of a frozen one


def table(rate: int) -> None:
    """Run a DataTable with the same number of rows and columns, of which `rate` change per second."""

    class TableApp(App[None]):
        CSS = f"DataTable > .datatable--cursor {{ background: rgb{CURSOR_COLOUR}; }}"

        def compose(self) -> ComposeResult:
            yield DataTable(cursor_type="row")

        def on_mount(self) -> None:
            found = self.query_one(DataTable)
            found.add_columns(*HEADINGS)
            for number in range(ROWS):
                row = ("● run", f"op_{number:05d}", "operation", "–", "━━━━", "1m00s", "?", "1s")
                found.add_row(*row, key=str(number))
            self._column = list(found.columns)[4]
            self.set_interval(1 / STEPS, self._change)

        def _change(self) -> None:
            found = self.query_one(DataTable)
            for number in random.sample(range(ROWS), rate // STEPS):
                found.update_cell(str(number), self._column, f"{random.random():.2f}")

    TableApp().run()


async def viewers(count: int) -> None:
    """Show 100 jobs to several viewers; prints the percentage of a core and the megabytes used."""
    clock = SystemClock()
    now = clock.now()
    output, pid = sys.stdout, os.getpid()
    jobs = [job(f"op_{number:05d}", observed=now, added=now, created_us=now.us) for number in range(100)]
    engine = FakeEngine(clock, jobs)  # type: ignore[arg-type] - real time instead of a frozen one
    viewers = ViewerGroup(engine, engine)
    views = [RemoteView(ReadOnlySession(FakeSession(engine), viewers), lambda _: None, 120, 40) for _ in range(count)]
    running = [asyncio.ensure_future(view.run()) for view in views]
    await asyncio.sleep(3.0)
    begun, before = time.perf_counter(), cpu_seconds(pid)
    await asyncio.sleep(5.0)
    spent = (cpu_seconds(pid) - before) / (time.perf_counter() - begun)
    output.write(f"{spent * 100} {megabytes(pid)}\n")
    for view in views:
        await view.close()
    await asyncio.gather(*running)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["viewers", count]:
            asyncio.run(viewers(int(count)))
        case ["table", rate]:
            table(int(rate))
        case ["deck", rate, among, standing]:
            deck(int(rate), int(among), standing=standing == "standing")
