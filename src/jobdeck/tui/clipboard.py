"""The clipboard of the user's terminal: the ways to reach it, and the messages about it."""

import asyncio
import base64
import os
import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobdeck.app.private_file import PrivateFileError
from jobdeck.domain import humanize
from jobdeck.domain.instant import Clock
from jobdeck.domain.text import clean
from jobdeck.tui.cell_text import truncate
from jobdeck.tui.export import Save, save
from jobdeck.tui.multiplexer import in_gnu_screen, passed_through

TOOL_SECONDS = 2.0

OSC52_BYTES = 60_000
"""Accepted by every terminal with OSC 52: some drop a sequence longer than 100,000 base64 characters entirely."""

TOOL_BYTES = 500_000
"""The most that is given to a tool: through tmux, 700 kB arrived in full, 900 kB not at all."""

ClipboardWriter = Callable[[str], Awaitable[str]]
"""Sends a text to the clipboard and returns the name of the way taken; raises `ClipboardError` on failure."""

Find = Callable[[str], str | None]
"""Returns the path of a program, or None."""


class ClipboardError(Exception):
    """The text was not sent; the message says why, in one line."""


class TooBigError(ClipboardError):
    """The text is too large for this way to the clipboard."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that reads text for the clipboard from stdin."""

    name: str
    argv: tuple[str, ...]
    encoding: str = "utf-8"


TMUX = Tool("tmux", ("tmux", "load-buffer", "-w", "-"))


def osc52(text: str) -> str:
    """Return the OSC 52 sequence that sets the clipboard. It ends with BEL, which more terminals support than ST."""
    return f"\x1b]52;c;{base64.b64encode(text.encode()).decode('ascii')}\a"


def over_ssh(environ: Mapping[str, str]) -> bool:
    """Whether the user is at another machine."""
    return any(environ.get(name) for name in ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"))


def native_tool(environ: Mapping[str, str], find: Find = shutil.which, platform: str = sys.platform) -> Tool | None:
    """Return the program that sets the clipboard of this desktop, or None if the user is elsewhere.

    Over SSH the relevant clipboard is at the other end, and a forwarded display may be anyone's.
    """
    if over_ssh(environ):
        return None
    candidates: list[tuple[bool, Tool]] = [
        (platform == "darwin", Tool("pbcopy", ("pbcopy",))),
        # clip.exe recognizes UTF-16 only by a byte order mark.
        (platform == "win32" or bool(environ.get("WSL_DISTRO_NAME")), Tool("clip.exe", ("clip.exe",), "utf-16")),
        (bool(environ.get("WAYLAND_DISPLAY")), Tool("wl-copy", ("wl-copy", "--type", "text/plain;charset=utf-8"))),
        (bool(environ.get("DISPLAY")), Tool("xclip", ("xclip", "-selection", "clipboard", "-in"))),
        (bool(environ.get("DISPLAY")), Tool("xsel", ("xsel", "--clipboard", "--input"))),
    ]
    return next((tool for wanted, tool in candidates if wanted and find(tool.argv[0])), None)


def tools(environ: Mapping[str, str], find: Find = shutil.which, platform: str = sys.platform) -> tuple[Tool, ...]:
    """Return the programs that get the text; empty if OSC 52 is to be used.

    In tmux that is tmux itself, which passes the text to whichever terminal is attached, local or remote, and silently
    drops an application's own OSC 52; and also the desktop's clipboard, for terminals without OSC 52.
    """
    native = native_tool(environ, find, platform)
    return ((TMUX,) if environ.get("TMUX") else ()) + ((native,) if native is not None else ())


def describe_clipboard(environ: Mapping[str, str], platform: str = sys.platform) -> str:
    """Return a description of how a text would reach the clipboard."""
    found = " and ".join(" ".join(tool.argv) for tool in tools(environ, platform=platform))
    return found or "OSC 52 (the terminal does not confirm copies)"


def clipboard(
    write: Callable[[str], object], environ: Mapping[str, str] | None = None, platform: str = sys.platform
) -> ClipboardWriter:
    """Return a writer that uses the programs found, or else OSC 52 through `write`."""
    environ = os.environ if environ is None else environ
    found = tools(environ, platform=platform)

    async def write_text(text: str) -> str:
        taken: list[str] = []
        errors: list[ClipboardError] = []
        for tool in found:
            try:
                await give(tool, text)
                taken.append(tool.name)
            except ClipboardError as error:
                errors.append(error)
        if taken:
            return " and ".join(taken)
        if any(isinstance(error, TooBigError) for error in errors):
            raise errors[0]
        if len(text.encode()) > OSC52_BYTES:
            raise TooBigError(f"{len(text.encode())} bytes is more than a terminal accepts")
        # In tmux without a working `tmux` command, the sequence is the only way left; tmux reads it as a terminal
        # would.
        write(passed_through(osc52(text), environ) if in_gnu_screen(environ) else osc52(text))
        return f"OSC 52, because {errors[0]}" if errors else "OSC 52"

    return write_text


async def give(tool: Tool, text: str) -> None:
    """Pass `text` to a program; raises `ClipboardError` when it fails.

    It gets a session of its own: tools that hold the selection keep running after jobdeck ends.
    """
    data = text.encode(tool.encoding)
    if len(data) > TOOL_BYTES:
        raise TooBigError(f"{len(data)} bytes is too large for {tool.name}")
    process = await _start(tool.name, tool.argv)
    try:
        async with asyncio.timeout(TOOL_SECONDS):
            await process.communicate(data)
    except TimeoutError as error:
        raise ClipboardError(f"{tool.name} did not respond within {TOOL_SECONDS:.0f} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise ClipboardError(f"{tool.name} failed with code {process.returncode}")


async def _start(name: str, argv: Sequence[str]) -> asyncio.subprocess.Process:
    silent = asyncio.subprocess.DEVNULL
    # pbcopy decodes its input by the locale, which is not UTF-8 in a bare environment.
    env = {**os.environ, "LC_CTYPE": "UTF-8"} if name == "pbcopy" else None
    try:
        return await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.PIPE, stdout=silent, stderr=silent, start_new_session=True, env=env
        )
    except OSError as error:
        raise ClipboardError(f"could not start {name}") from error


SHOWN = 160
"""Characters of the sent text that the message repeats."""

_READABLE = "" if sys.platform == "win32" else ", mode 0600"
"""On Windows the folder determines who can read its files."""

Say = Callable[[str, bool], None]
"""Shows a message; the flag makes it a warning."""


@dataclass(frozen=True, slots=True)
class CopiedText:
    """A text that was sent to the clipboard, and what it is."""

    text: str
    what: str


class ClipboardService:
    """Sends texts to the clipboard and reports it as "sent", because a terminal never confirms that it took one."""

    def __init__(self, write: ClipboardWriter, clock: Clock, say: Say, save: Save = save) -> None:
        self._write = write
        self._save = save
        self._clock = clock
        self._say = say
        self._busy = asyncio.Lock()
        self.last: CopiedText | None = None

    async def send(self, text: str, what: str) -> bool:
        """Send a text, or save it to a file if it is too large. Returns whether it was sent.

        Calls that overlap are served in order.
        """
        self.last = CopiedText(text, what)
        async with self._busy:
            return await self._send(text, what)

    async def _send(self, text: str, what: str) -> bool:
        try:
            way = await self._write(text)
        except TooBigError as error:
            self._say(f"{what} not sent to the clipboard: {error}", True)
            await self.save(text, what)
            return False
        except ClipboardError as error:
            self._say(f"{what} not sent to the clipboard: {error}\n{_shown(text)}\nC to view", True)
            return False
        self._say(f"{_shown(text)}\n{what} sent to clipboard ({way}) · C to view", False)
        return True

    async def save(self, text: str, what: str) -> Path | None:
        """Write a text to a file, and say where it is."""
        try:
            path = await self._save(text, what, self._clock.now().us)
        except PrivateFileError as error:
            self._say(str(error), True)
            return None
        self._say(f"{path}\n{what} saved, {humanize.format_size(len(text.encode()))}{_READABLE}", False)
        return path


def safe_text(text: str) -> str:
    """Return text from outside with nothing a shell would act on, because it may be pasted into one."""
    return clean(text.replace("\r\n", "\n").expandtabs(4), lines=True)


def _shown(text: str) -> str:
    first, *rest = text.strip().split("\n", 1)
    return (
        f"{truncate(first.lstrip('# '), 60)} … {humanize.format_size(len(text.encode()))}"
        if rest
        else truncate(first, SHOWN)
    )
