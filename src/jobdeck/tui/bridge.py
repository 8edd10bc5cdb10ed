"""From the engine's stream to the screen, at the pace of the screen."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from jobdeck.engine.batch import Batch
    from jobdeck.tui.session import Changes

FRAME_SECONDS = 0.1
"""At most ten frames a second: a person reads no more, and 500 changes a second then cost 13–15 % of a core."""


async def bridge(
    changes: Changes, draw: Callable[[Batch], Awaitable[None]], frame_seconds: float = FRAME_SECONDS
) -> None:
    """Hand every batch to `draw`, at most one in `frame_seconds`, until the stream ends.

    The first change after a quiet time is drawn at once. The stream merges what comes in while `draw` is awaited
    or the pause lasts, so a slow terminal gets fewer and larger batches instead of a growing queue.
    """
    async for batch in changes:
        await draw(batch)
        await asyncio.sleep(frame_seconds)
