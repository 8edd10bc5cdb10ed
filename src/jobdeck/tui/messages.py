"""What the engine's worker tells the screen."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from jobdeck.engine.batch import Batch
    from jobdeck.tui.session import Engine


class EngineOpened(Message):
    """The engine is there; its first batch follows."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine = engine


class FrameReady(Message):
    """Changes to draw. The bridge sends the next ones only after `drawn` is set."""

    def __init__(self, batch: Batch) -> None:
        super().__init__()
        self.batch = batch
        self.drawn = asyncio.Event()


class MouseLent(Message):
    """A sheet lends the mouse to the terminal, which can then select text with it, or wants it back."""

    def __init__(self, *, lent: bool) -> None:
        super().__init__()
        self.lent = lent
