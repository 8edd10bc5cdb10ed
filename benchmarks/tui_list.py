"""What the list costs in process: a row, a frame of 50 changes among 10,000 rows, a cursor move, a rebuilt order."""

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from tests.tui.test_job_list import ListApp
from tests.tui.world import NOON, ago, job, stage

from jobdeck.domain.phase import Phase
from jobdeck.tui.draw.columns import columns_for
from jobdeck.tui.draw.row import steady_spans, ticking_spans, ticks
from jobdeck.tui.model import Model
from jobdeck.tui.wall import Wall

ROWS = 10_000
# Microseconds, on a shared core; each about twice what was measured.
BUDGETS = {
    "the spans of one row": 60.0,
    "the ticking cells of one row": 15.0,
    "50 changes taken into 10,000 rows": 2_500.0,
    "a frame of 50 changes, all in view, painted": 25_000.0,
    "a frame of 50 changes out of view": 5_000.0,
    "10,000 rows put in order": 250_000.0,
    "the wall on one row": 5.0,
}


def main() -> bool:
    """Print each figure beside its budget; true when one is missed."""
    missed = False
    for name, us in asyncio.run(_measure()).items():
        over = us > BUDGETS[name]
        missed = missed or over
        sys.stdout.write(f"  {name:<46} {us:>10.1f} us  (budget {BUDGETS[name]:,.0f}){'  MISSED' if over else ''}\n")
    return missed


def _time(run: Callable[[], object], rounds: int = 200) -> float:
    spent = []
    for _ in range(rounds):
        begun = time.perf_counter()
        run()
        spent.append(time.perf_counter() - begun)
    return statistics.median(spent) * 1e6


async def _measure() -> dict[str, float]:
    stages = (stage("import", Phase.RUNNING, 0.5, 9),)
    jobs = [
        job(f"op_{number:05d}", progress=number % 100 / 100, changed=ago(ROWS - number), stages=stages)
        for number in range(ROWS)
    ]
    found: dict[str, float] = {}
    app = ListApp()
    async with app.run_test(size=(120, 80)) as pilot:
        begun = time.perf_counter()
        app.put(*jobs)
        found["10,000 rows put in order"] = (time.perf_counter() - begun) * 1e6
        await pilot.pause()
        row, columns = app.model.row_at(0), columns_for(120)
        found["the spans of one row"] = _time(lambda: steady_spans(row, columns, "op_01H…8R9S0T"))
        found["the ticking cells of one row"] = _time(lambda: ticking_spans(ticks(row.job, NOON), columns))
        strip = app.jobs.render_line(0)
        wall, background = Wall(), app.jobs.background_colors[1]
        found["the wall on one row"] = _time(lambda: wall.apply(list(strip), background))
        visible = [app.model.row_at(index).job for index in range(min(50, app.jobs.size.height))]
        hidden = jobs[:50]
        version = 1
        for name, some in (("all in view, painted", visible), ("out of view", hidden)):
            spent = []
            for _ in range(30):
                version += 1
                changed = [replace(one, progress=version % 100 / 100, version=version) for one in some]
                begun = time.perf_counter()
                app.put(*changed)
                await pilot._wait_for_screen()
                app.screen._on_timer_update()
                spent.append(time.perf_counter() - begun)
            found[f"a frame of 50 changes, {name}" if "," in name else f"a frame of 50 changes {name}"] = (
                statistics.median(spent) * 1e6
            )
    model = Model()
    model.update(jobs, (), NOON)
    steps = iter(range(2, 1_000))

    def take() -> None:
        version = next(steps)
        model.update([replace(one, progress=0.5, version=version) for one in hidden], (), NOON)

    found["50 changes taken into 10,000 rows"] = _time(take, 100)
    return found


if __name__ == "__main__":
    sys.exit(int(main()))
