"""Frames: each moves time by the same step, so that they are the same every time and at every pace of the reader."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain.attention import Rank
from jobdeck.domain.job import JobKey
from jobdeck.engine.subscription import ChangeSet
from jobdeck.recording import entries as e
from jobdeck.recording import replay as replaying
from jobdeck.recording.entries import Entry
from jobdeck.recording.replay import ReplayEngine
from jobdeck.recording.replay_state import FrameChanges, ReplayState
from jobdeck.tui.job_table import JobTable
from tests.recording.making import HEADER, at
from tests.recording.strategies import values
from tests.support.examples import examples
from tests.tui.recorded import BLIND, FAILS, GOES_ON, LENGTH, recording


async def played(folder: Path, speed: float, pause: float) -> list[tuple[float, ChangeSet]]:
    """Every frame with its place, read by somebody who takes `pause` seconds over each."""
    replay = ReplayEngine(recording(folder), speed=speed)
    frames: list[tuple[float, ChangeSet]] = []
    async for batch in replay.subscribe():
        frames.append((replay.position, batch))
        if replay.finished and not replay.playing:
            return frames
        await asyncio.sleep(pause)
    return frames


async def test_frames_are_the_same_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = ReplayEngine(recording(tmp_path), speed=60.0)
    monkeypatch.setattr(replaying.ReplayEngine, "PACE", 0.001)
    first, again = await played(tmp_path, 60.0, 0.0), await played(tmp_path, 60.0, 0.01)
    assert first == again
    assert [place for place, _ in first[:3]] == [0.0, 6.0, 12.0]
    assert first[0][1].fresh
    assert not any(batch.fresh for _, batch in first[1:])
    one, other = await played(tmp_path, 16.0, 0.0), await played(tmp_path, 240.0, 0.0)
    assert len(one) > len(first) > len(other)
    assert sum(len(batch.events) for _, batch in one) == sum(len(batch.events) for _, batch in other)
    assert quick.position == 0.0


async def test_jobs_stand_in_one_order_by_whatever_frames_they_come(tmp_path: Path) -> None:
    def order(batches: list[tuple[float, ChangeSet]], replay: ReplayEngine) -> list[tuple[JobKey, Rank]]:
        model = JobTable()
        for _, batch in batches:
            model.update(batch.jobs, batch.removed, replay.now(), batch.ranks)
        return [(row.job.key, row.rank) for row in map(model.row_at, range(len(model)))]

    told = recording(tmp_path)
    orders = []
    for speed in (16.0, 240.0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(replaying.ReplayEngine, "PACE", 0.001)
            orders.append(order(await played(tmp_path, speed, 0.0), ReplayEngine(told)))
    end = ReplayEngine(told, at=LENGTH, playing=False)
    jumped = await anext(aiter(end.subscribe()))
    orders.append(order([(LENGTH, jumped)], end))
    assert orders[0] == orders[1] == orders[2]
    # Both have run since the first look, though something changed in one of them since.
    began = -at(10).us
    assert [(key, rank[:2]) for key, rank in orders[0][1:]] == [(GOES_ON.key, (4, began)), (BLIND.key, (4, began))]


async def test_what_comes_next_is_known(tmp_path: Path) -> None:
    replay = ReplayEngine(recording(tmp_path), at=12.0, playing=False)
    frames = aiter(replay.subscribe())
    assert (await anext(frames)).fresh
    plan = replay.next_poll(FAILS.key)
    assert plan is not None
    assert plan.due == 20.0
    replay.seek(99.0)
    await anext(frames)
    assert replay.next_poll(FAILS.key) is None
    assert replay.now().us == recording(tmp_path).header.started.us + 99_000_000
    replay.close()
    with pytest.raises(StopAsyncIteration):
        await anext(frames)


async def test_going_back_begins_from_a_state_on_the_way_and_comes_to_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "CHECKPOINT_ENTRIES", 5)
    applied: list[Entry] = []
    apply = ReplayState.apply

    def counted(state: ReplayState, entry: Entry, changes: FrameChanges) -> None:
        applied.append(entry)
        apply(state, entry, changes)

    monkeypatch.setattr(ReplayState, "apply", counted)
    told = recording(tmp_path)
    one = ReplayEngine(told, at=LENGTH, playing=False)
    frames = aiter(one.subscribe())
    await anext(frames)
    for place in (95.0, 31.0, 30.0, 62.5, 5.0, 88.0, 0.0, LENGTH):
        applied.clear()
        one.seek(place)
        batch = await anext(frames)
        assert len(applied) <= 5 + 4, place
        anew = ReplayEngine(told, at=place, playing=False)
        assert batch == await anext(aiter(anew.subscribe())), place
        assert one.now() == anew.now()
        for key in one.jobs:
            assert one.exchanges(key) == anew.exchanges(key)
            assert one.timeline(key) == anew.timeline(key)
            assert one.progress_history(key) == anew.progress_history(key)
            assert (one.newest_content(key), one.previous(key)) == (anew.newest_content(key), anew.previous(key))


@examples(12)
@given(st.lists(values(e.Entry) | values(e.Replied), max_size=12), st.lists(st.floats(0, 4_000), max_size=3))
def test_any_entries_can_be_played_and_searched(entries: list[Entry], places: list[float]) -> None:
    """Whoever wrote them may not have known what an engine does: a poll, a list of jobs that were never added."""
    timed = [e.TimedEntry(entry.at.mono, entry) for entry in sorted(entries, key=lambda entry: entry.at.mono)]
    told = e.Recording(HEADER, tuple(timed), 4_000.0)

    async def play() -> None:
        replay = ReplayEngine(told, playing=False)
        frames = aiter(replay.subscribe())
        for place in [*places, 4_000.0, 0.0]:
            replay.seek(place)
            anew = ReplayEngine(told, at=place, playing=False)
            assert await anext(frames) == await anext(aiter(anew.subscribe()))

    asyncio.run(play())
