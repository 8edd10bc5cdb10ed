"""A recording at a moment of it: the same text whenever it is looked at. What one should see stands above each."""

from pathlib import Path

from tests.snapshots.conftest import Album
from tests.tui.recorded import replaying


async def test_a_recording_that_stands_still(album: Album, tmp_path: Path) -> None:
    async with replaying(tmp_path, playing=False, at=65.0, speed=4.0) as (run, _):
        await run.until(lambda: run.app.deck.deck_state.table.total == 3)
        # The moment, the speed and that it stands; the failed job with its error, one blind, one running.
        await album.take(run, "a recording that stands still", ((80, 24), (120, 36)))


async def test_a_recording_at_its_end(album: Album, tmp_path: Path) -> None:
    async with replaying(tmp_path, playing=False, at=100.0) as (run, _):
        await run.until(lambda: run.app.deck.deck_state.table.total == 3)
        await run.press(*["right_square_bracket"] * 3)
        # `■ end`, the timeline of the failed job, and `play again`.
        await album.take(run, "a recording at its end", ((120, 36),))
