"""What makes a picture the same on every machine, and takes several of one running app.

A picture is the text of the screen with what is painted in which style; a few are whole ones, with every cell's place
and the borders, as somebody would see them.
"""

import os
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import pytest
from pytest_textual_snapshot import SVGImageExtension
from rich.style import Style
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual.strip import Strip

from tests.tui.drive import Driven

SIZES = ((80, 24), (120, 40), (200, 50))
"""One for each way the panes are laid out."""

WHOLE = {
    *("every state 80x24", "every state 120x40", "every state 200x50", "problems 120x40", "stopped 120x40"),
    *("jobdeck-light 120x40", "jobdeck-safe 120x40", "jobdeck-safe-light 120x40", "result 120x40"),
    *("help 120x40", "palette 120x40", "ticket 120x40"),
}


class ScreenText(SingleFileSnapshotExtension):
    """A screen as text, in a file of its own."""

    _file_extension = "txt"
    _write_mode = WriteMode.TEXT


def dump(strips: Iterable[Strip]) -> str:
    """Return the lines of a screen, then each style with what is painted in it."""
    lines: list[str] = []
    painted: dict[str, list[str]] = {}
    for strip in strips:
        lines.append("".join(segment.text for segment in strip).rstrip())
        alike = groupby(strip, key=lambda segment: words_of(segment.style))
        for style, segments in alike:
            pieces = painted.setdefault(style, [])
            text = "".join(segment.text for segment in segments).strip()
            if text and text not in pieces:
                pieces.append(text)
    styles = [
        f"{style}\n" + "".join(f"    {one}\n" for one in pieces) for style, pieces in sorted(painted.items()) if pieces
    ]
    return "\n".join([*lines, "", *styles])


def words_of(style: Style | None) -> str:
    """Return a style in words: its colours, and what else makes letters stand out."""
    if style is None:
        return "plain"
    fore, back = (color.get_truecolor().hex if color else "default" for color in (style.color, style.bgcolor))
    other = [name for name in ("bold", "dim", "italic", "underline", "reverse") if getattr(style, name)]
    return " ".join([f"{fore} on {back}", *other])


@pytest.fixture(autouse=True)
def _the_same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "NO_COLOR" not in os.environ, "snapshots are in colour: run with `env -u NO_COLOR`, as `make test` does"
    monkeypatch.setattr("textual.constants.TEXTUAL_ANIMATIONS", "none")


class Album:
    """Takes pictures of an app that runs, resized from one to the next: starting an app takes half a second."""

    def __init__(self, snapshot: SnapshotAssertion, folder: Path) -> None:
        self._whole, self._text = snapshot.use_extension(SVGImageExtension), snapshot.use_extension(ScreenText)
        self._folder = folder
        self.wrong: list[str] = []

    async def take(self, run: Driven, name: str, sizes: Iterable[tuple[int, int]] = SIZES) -> None:
        """Compare the screen as it is, once it stands still, at each size with its stored picture."""
        for width, height in sizes:
            if run.app.size != (width, height):
                await run.resize(width, height)
            title = f"{name} {width}x{height}"
            strips = await self._still(run)
            whole = title in WHOLE
            picture = run.app.export_screenshot() if whole else dump(strips)
            if (self._whole if whole else self._text)(name=title) != picture:
                path = self._folder / f"{title}.{'svg' if whole else 'txt'}"
                path.write_text(picture, "utf-8")
                self.wrong.append(f"{title}: now as in {path}")

    async def _still(self, run: Driven) -> list[Strip]:
        before: list[Strip] = []
        # What lies behind a sheet is laid out only when something asks for it.
        for screen in run.app.screen_stack:
            screen.refresh(layout=True)
        while True:
            await run.pilot.pause()
            await run.pilot.pause()
            now = run.app.screen._compositor.render_strips()
            if now == before:
                return now
            before = now


@pytest.fixture
def album(snapshot: SnapshotAssertion, tmp_path: Path) -> Iterator[Album]:
    album = Album(snapshot, tmp_path)
    yield album
    assert not album.wrong, "\n".join(album.wrong)
