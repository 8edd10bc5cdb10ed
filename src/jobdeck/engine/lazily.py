"""Tasks that begin in the loop's next round, under whatever task factory."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def lazily(work: Coroutine[Any, Any, None]) -> None:
    """Do `work`, but not at once.

    Textual has tasks begin where they are made, from Python 3.12 on. A task that fails before its first wait then
    makes its group refuse the next one, and leaves a cancellation behind that ends whatever is waited for later.
    """
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        work.close()
        raise
    await work
