"""What makes a picture the same on every machine, and takes several of one running app."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from pytest_textual_snapshot import SVGImageExtension
from syrupy.assertion import SnapshotAssertion
from textual.strip import Strip

from tests.tui.drive import Driven

SIZES = ((80, 24), (120, 40), (200, 50))
"""One for each way the panes are laid out."""


@pytest.fixture(autouse=True)
def _the_same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "NO_COLOR" not in os.environ, "snapshots are in colour: run with `env -u NO_COLOR`, as `make test` does"
    monkeypatch.setattr("textual.constants.TEXTUAL_ANIMATIONS", "none")


class Album:
    """Takes pictures of an app that runs, resized from one to the next: starting an app takes half a second."""

    def __init__(self, snapshot: SnapshotAssertion, folder: Path) -> None:
        self._snapshot = snapshot.use_extension(SVGImageExtension)
        self._folder = folder
        self.wrong: list[str] = []

    async def take(self, run: Driven, name: str, sizes: Iterable[tuple[int, int]] = SIZES) -> None:
        """Compare the screen as it is, once it stands still, at each size with its stored picture."""
        for width, height in sizes:
            if run.app.size != (width, height):
                await run.resize(width, height)
            title = f"{name} {width}x{height}"
            picture = await self._still(run)
            if self._snapshot(name=title) != picture:
                path = self._folder / f"{title}.svg"
                path.write_text(picture, "utf-8")
                self.wrong.append(f"{title}: now as in {path}")

    async def _still(self, run: Driven) -> str:
        before: list[Strip] = []
        # What lies behind a sheet is laid out only when something asks for it.
        for screen in run.app.screen_stack:
            screen.refresh(layout=True)
        while True:
            await run.pilot.pause()
            await run.pilot.pause()
            now = run.app.screen._compositor.render_strips()
            if now == before:
                return run.app.export_screenshot()
            before = now


@pytest.fixture
def album(snapshot: SnapshotAssertion, tmp_path: Path) -> Iterable[Album]:
    album = Album(snapshot, tmp_path)
    yield album
    assert not album.wrong, "\n".join(album.wrong)
