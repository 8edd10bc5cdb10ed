"""Opening a result of 10 MB: the longest time that the event loop is blocked."""

import asyncio
import json
from collections.abc import Iterator
from time import perf_counter

from tests.tui.drive import press_keys, wait_until
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.world import clock_at_noon, job

from benchmarks.goal import Goal, Number
from jobdeck.domain.phase import Phase
from jobdeck.tui.app import JobdeckApp
from jobdeck.tui.render.tabs import Tab
from jobdeck.tui.widgets.detail import Detail

ROUNDS = 3
BYTES = 10_000_000
HELD = Goal("opening a 10 MB result: longest block of the event loop", 50.0, "ms")
READ = Goal("opening a 10 MB result: time to show the tree", 3.0, "s")
GOALS = (HELD, READ)


def measure() -> Iterator[Number]:
    """Open it a few times and take the best, because other processes only ever add time."""
    person = {"name": "Ada Lovelace", "mail": "ada@example.com", "tags": ["a", "b"], "company": {"id": 7, "n": None}}
    one = json.dumps(person)
    result = "[" + ",".join([one] * (BYTES // (len(one) + 1))) + "]"
    rounds = [asyncio.run(_open(result)) for _ in range(ROUNDS)]
    yield HELD.found(min(held for held, _ in rounds) * 1e3, f"{len(result) / 1e6:.1f} MB")
    yield READ.found(min(took for _, took in rounds))


async def _open(result: str) -> tuple[float, float]:
    clock = clock_at_noon()
    engine = FakeEngine(clock, [job("op_1", Phase.SUCCEEDED, result=result)])
    engine.bodies = {key: result.encode() for key in engine.jobs}
    app = JobdeckApp(FakeSession(engine))
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_until(lambda: app.deck.deck_state.table.total == 1)
        detail = app.deck.query_one(Detail)
        await pilot.pause(0.3)
        worst, beating = 0.0, True

        async def beat() -> None:
            nonlocal worst
            while beating:
                begun = perf_counter()
                await asyncio.sleep(0.001)
                worst = max(worst, perf_counter() - begun - 0.001)

        heart = asyncio.create_task(beat())
        begun = perf_counter()
        await press_keys(pilot, "right_square_bracket")
        assert detail.tab is Tab.RESULT
        await wait_until(lambda: detail.json_tree is not None)
        took = perf_counter() - begun
        await asyncio.sleep(0.1)
        beating = False
        await heart
        return worst, took
