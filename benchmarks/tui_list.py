"""The cost of the list within the process: sorting and painting, a row, a frame of 50 changes among 10,000 rows."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from statistics import median
from time import process_time

from tests.tui.test_job_list import ListApp
from tests.tui.world import NOON, ago, job, stage

from benchmarks.goal import Goal, Number, middle_of, seconds_of
from jobdeck.domain.phase import Phase
from jobdeck.tui.job_table import Order
from jobdeck.tui.render.columns import Name, columns_for
from jobdeck.tui.render.row import live_cells, live_spans, static_spans

ROWS = 10_000
SORTED = Goal("sort 10,000 rows and paint", 30.0, "ms")
VISIBLE = Goal("a frame of 50 changes among 10,000 rows, in view", 25.0, "ms")
HIDDEN = Goal("a frame of 50 changes among 10,000 rows, out of view", 5.0, "ms")
SPANS = Goal("laying out one row", 60.0, "µs")
TICKING = Goal("updating its ticking cells", 15.0, "µs")
GOALS = (SORTED, VISIBLE, HIDDEN, SPANS, TICKING)


def measure() -> Iterator[Number]:
    """Drive the list in this process."""

    async def all_of() -> list[Number]:
        return [number async for number in _measure()]

    yield from asyncio.run(all_of())


async def _measure() -> AsyncIterator[Number]:
    stages = (stage("import", Phase.RUNNING, 0.5, 9),)
    jobs = [
        job(f"op_{number:05d}", progress=number * 7919 % 101 / 101, changed=ago(ROWS - number), stages=stages)
        for number in range(ROWS)
    ]
    app = ListApp()
    async with app.run_test(size=(120, 80)) as pilot:
        app.put(*jobs)
        await pilot.pause()
        orders = (Order(Name.PROGRESS), Order(Name.JOB), Order(Name.KIND, reverse=True), Order())
        slowest = max(seconds_of(lambda order=order: _sort(app, order)) for order in orders)
        yield SORTED.found(slowest * 1e3, "the slowest of four orders")
        visible = [app.model.row_at(index).job for index in range(min(50, app.jobs.size.height))]
        version = 1
        for goal, some in ((VISIBLE, visible), (HIDDEN, jobs[:50])):
            spent = []
            for _ in range(30):
                version += 1
                changed = [replace(one, progress=version % 100 / 100, version=version) for one in some]
                begun = process_time()
                app.put(*changed)
                await pilot._wait_for_screen()
                app.screen._on_timer_update()
                spent.append(process_time() - begun)
            yield goal.found(median(spent) * 1e3)
        row, columns = app.model.row_at(0), columns_for(120)
        yield SPANS.found(middle_of(lambda: static_spans(row, columns, "op_01H…8R9S0T")) * 1e6)
        yield TICKING.found(middle_of(lambda: live_spans(live_cells(row.job, NOON), columns)) * 1e6)


def _sort(app: ListApp, order: Order) -> None:
    app.model.set_order(order, NOON)
    app.jobs.sync(NOON)
    app.jobs.post_order()
    app.screen._on_timer_update()
