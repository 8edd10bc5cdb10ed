"""The way to the clipboard of the terminal in front of a person, wherever the program runs."""

import asyncio
import base64
import os
from collections.abc import Awaitable, Callable, Mapping

TMUX_SECONDS = 2.0

Put = Callable[[str], Awaitable[None]]
"""Sends one text to the clipboard; raises `ClipboardError` when it cannot."""


class ClipboardError(Exception):
    """The text did not leave: the message says why, in one line."""


def osc52(text: str) -> str:
    """Return the sequence that asks a terminal to set its clipboard; BEL ends it, which more terminals know."""
    return f"\x1b]52;c;{base64.b64encode(text.encode()).decode('ascii')}\a"


def clipboard(write: Callable[[str], object], environ: Mapping[str, str] | None = None) -> Put:
    """Return how to reach the clipboard: through tmux inside tmux, else by OSC 52 through `write`.

    tmux with its default `set-clipboard external` drops an application's OSC 52 without a word.
    """
    inside_tmux = bool((os.environ if environ is None else environ).get("TMUX"))

    async def put(text: str) -> None:
        if inside_tmux:
            await load_tmux_buffer(text)
        else:
            write(osc52(text))

    return put


async def load_tmux_buffer(text: str, *command: str) -> None:
    """Give `text` to tmux, which passes it on to the terminal; `command` stands in for tmux in tests."""
    argv = command or ("tmux", "load-buffer", "-w", "-")
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError as error:
        raise ClipboardError(f"{argv[0]} could not be started") from error
    try:
        async with asyncio.timeout(TMUX_SECONDS):
            await process.communicate(text.encode())
    except TimeoutError as error:
        raise ClipboardError(f"{argv[0]} did not answer in {TMUX_SECONDS:.0f} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise ClipboardError(f"{argv[0]} load-buffer failed with code {process.returncode}")
