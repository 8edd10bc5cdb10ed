"""A recording at a moment of it: the same bytes whenever it is looked at. Each docstring says what one should see."""

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from jobdeck.tui.app import JobdeckApp
from tests.tui.drive import press_keys, wait_until
from tests.tui.recorded import app_of

Compare = Callable[..., bool]
SIZES = [(80, 24), (120, 36)]


def at_rest(*keys: str) -> Callable[[Pilot[int]], object]:
    """Wait for the first frame, then press keys."""

    async def run(pilot: Pilot[int]) -> None:
        app = pilot.app
        assert isinstance(app, JobdeckApp)
        await wait_until(pilot, lambda: app.deck.deck_state.table.total == 3)
        await press_keys(pilot, *keys)
        for _ in range(5):
            await pilot.pause()

    return run


@pytest.mark.parametrize("size", SIZES)
def test_a_recording_that_stands_still(snap_compare: Compare, tmp_path: Path, size: tuple[int, int]) -> None:
    """`REPLAY 20:27:45Z ×4 ▮▮`, the failed job with its error, one blind, one running; play and step in the footer."""
    app, _, _ = app_of(tmp_path, playing=False, at=65.0, speed=4.0)
    assert snap_compare(app, terminal_size=size, run_before=at_rest())


def test_a_recording_at_its_end(snap_compare: Compare, tmp_path: Path) -> None:
    """`■ end`, the timeline of the failed job, and `play again`."""
    app, _, _ = app_of(tmp_path, playing=False, at=100.0)
    assert snap_compare(app, terminal_size=(120, 36), run_before=at_rest(*["right_square_bracket"] * 3))
