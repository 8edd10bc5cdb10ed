"""Frames: each moves time by the same step, so that they are the same every time and at every pace of the reader."""

import asyncio
from pathlib import Path

import pytest

from jobdeck.engine.batch import Batch
from jobdeck.wiring import replaying
from jobdeck.wiring.replaying import Replay
from tests.tui.recorded import FAILS, recording


async def played(folder: Path, speed: float, pause: float) -> list[tuple[float, Batch]]:
    """Every frame with its place, read by somebody who takes `pause` seconds over each."""
    replay = Replay(recording(folder), speed=speed)
    frames: list[tuple[float, Batch]] = []
    async for batch in replay.subscribe():
        frames.append((replay.position, batch))
        if replay.over and not replay.playing:
            return frames
        await asyncio.sleep(pause)
    return frames


async def test_frames_are_the_same_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = Replay(recording(tmp_path), speed=60.0)
    monkeypatch.setattr(replaying.Replay, "PACE", 0.001)
    first, again = await played(tmp_path, 60.0, 0.0), await played(tmp_path, 60.0, 0.01)
    assert first == again
    assert [place for place, _ in first[:3]] == [0.0, 6.0, 12.0]
    assert first[0][1].fresh
    assert not any(batch.fresh for _, batch in first[1:])
    one, other = await played(tmp_path, 16.0, 0.0), await played(tmp_path, 240.0, 0.0)
    assert len(one) > len(first) > len(other)
    assert sum(len(batch.events) for _, batch in one) == sum(len(batch.events) for _, batch in other)
    assert quick.position == 0.0


async def test_what_comes_next_is_known(tmp_path: Path) -> None:
    replay = Replay(recording(tmp_path), at=12.0, playing=False)
    frames = aiter(replay.subscribe())
    assert (await anext(frames)).fresh
    plan = replay.plan(FAILS.key)
    assert plan is not None
    assert plan.due == 20.0
    replay.seek(99.0)
    await anext(frames)
    assert replay.plan(FAILS.key) is None
    assert replay.now().us == recording(tmp_path).header.started_us + 99_000_000
    await replay.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(frames)
