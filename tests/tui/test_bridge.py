import asyncio
import time
from itertools import pairwise

from jobdeck.engine.batch import Batch
from jobdeck.engine.subscription import Subscription
from jobdeck.tui.bridge import bridge
from tests.tui.world import job


async def test_many_changes_become_few_frames_that_lose_nothing() -> None:
    subscription = Subscription((), lambda _: None)
    frames: list[tuple[float, Batch]] = []

    async def draw(batch: Batch) -> None:
        frames.append((time.monotonic(), batch))

    task = asyncio.create_task(bridge(subscription, draw, 0.05))
    for version in range(200):
        subscription.put([job(f"op_{version % 20}", version=version)])
        await asyncio.sleep(0.001)
    while not any(one.version == 199 for _, batch in frames for one in batch.jobs):
        await asyncio.sleep(0.001)
    task.cancel()
    gaps = [after - before for (before, _), (after, _) in pairwise(frames)]
    assert all(gap >= 0.049 for gap in gaps)
    assert len(frames) < 40
    newest = {one.key: one.version for _, batch in frames for one in batch.jobs}
    assert sorted(newest.values()) == list(range(180, 200))


async def test_a_slow_screen_gets_fewer_and_larger_batches() -> None:
    subscription = Subscription((), lambda _: None)
    frames: list[Batch] = []
    free = asyncio.Event()

    async def draw(batch: Batch) -> None:
        frames.append(batch)
        await free.wait()

    task = asyncio.create_task(bridge(subscription, draw, 0.0))
    await asyncio.sleep(0)
    while not frames:
        await asyncio.sleep(0)
    for number in range(50):
        subscription.put([job(f"op_{number}")])
        await asyncio.sleep(0)
    assert len(frames) == 1
    free.set()
    while len(frames) < 2:
        await asyncio.sleep(0)
    task.cancel()
    assert [len(batch.jobs) for batch in frames] == [0, 50]
