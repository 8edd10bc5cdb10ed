"""The clipboard of the terminal in front of a person: the ways there, wherever the program runs, and what is said."""

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
from jobdeck.tui.cell_text import clip
from jobdeck.tui.export import Save, save
from jobdeck.tui.multiplexer import in_gnu_screen, passed_through

TOOL_SECONDS = 2.0

OSC52_BYTES = 60_000
"""What every terminal with OSC 52 takes: some drop all of a sequence longer than 100,000 characters of base 64."""

TOOL_BYTES = 500_000
"""What a tool is given: of 700 kB through tmux all arrived, of 900 kB nothing."""

ClipboardWriter = Callable[[str], Awaitable[str]]
"""Sends one text to the clipboard and returns by what; raises `ClipboardError` when it cannot."""

Find = Callable[[str], str | None]
"""Finds a program by its name."""


class ClipboardError(Exception):
    """The text did not leave: the message says why, in one line."""


class TooBigError(ClipboardError):
    """The text is more than a clipboard takes on this way."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that takes a text for the clipboard on its standard input."""

    name: str
    argv: tuple[str, ...]
    encoding: str = "utf-8"


TMUX = Tool("tmux", ("tmux", "load-buffer", "-w", "-"))


def osc52(text: str) -> str:
    """Return the sequence that asks a terminal to set its clipboard; BEL ends it, which more terminals know."""
    return f"\x1b]52;c;{base64.b64encode(text.encode()).decode('ascii')}\a"


def over_ssh(environ: Mapping[str, str]) -> bool:
    """Whether the person sits at another machine than this one."""
    return any(environ.get(name) for name in ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"))


def native_tool(environ: Mapping[str, str], find: Find = shutil.which, platform: str = sys.platform) -> Tool | None:
    """Return the program that sets the clipboard of this desktop, None where nobody sits at it.

    Over SSH the clipboard that counts is at the other end, and a display that is forwarded may be anyone's.
    """
    if over_ssh(environ):
        return None
    candidates: list[tuple[bool, Tool]] = [
        (platform == "darwin", Tool("pbcopy", ("pbcopy",))),
        # Windows' own program takes UTF-16 for what it is only when a byte order mark says so.
        (platform == "win32" or bool(environ.get("WSL_DISTRO_NAME")), Tool("clip.exe", ("clip.exe",), "utf-16")),
        (bool(environ.get("WAYLAND_DISPLAY")), Tool("wl-copy", ("wl-copy", "--type", "text/plain;charset=utf-8"))),
        (bool(environ.get("DISPLAY")), Tool("xclip", ("xclip", "-selection", "clipboard", "-in"))),
        (bool(environ.get("DISPLAY")), Tool("xsel", ("xsel", "--clipboard", "--input"))),
    ]
    return next((tool for wanted, tool in candidates if wanted and find(tool.argv[0])), None)


def tools(environ: Mapping[str, str], find: Find = shutil.which, platform: str = sys.platform) -> tuple[Tool, ...]:
    """Return the programs that a text is given to, none where OSC 52 is the way.

    Inside tmux it goes to tmux, which hands it to whichever terminal is attached, near or far, and drops an
    application's own OSC 52 without a word; to the desktop's clipboard as well, for terminals that know no OSC 52.
    """
    native = native_tool(environ, find, platform)
    return ((TMUX,) if environ.get("TMUX") else ()) + ((native,) if native is not None else ())


def described(environ: Mapping[str, str], platform: str = sys.platform) -> str:
    """Return in words how a text would leave."""
    found = " and ".join(" ".join(tool.argv) for tool in tools(environ, platform=platform))
    return found or "OSC 52 (the terminal does not confirm copies)"


def clipboard(
    write: Callable[[str], object], environ: Mapping[str, str] | None = None, platform: str = sys.platform
) -> ClipboardWriter:
    """Return how to reach the clipboard: by the programs that lead there, else by OSC 52 through `write`."""
    environ = os.environ if environ is None else environ
    found = tools(environ, platform=platform)

    async def put(text: str) -> str:
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
        # Inside tmux without its program, the sequence itself is all there is: tmux reads it, as a terminal does.
        write(passed_through(osc52(text), environ) if in_gnu_screen(environ) else osc52(text))
        return f"OSC 52, because {errors[0]}" if errors else "OSC 52"

    return put


async def give(tool: Tool, text: str) -> None:
    """Give `text` to a program; raises `ClipboardError` when it does not take it.

    It gets a session of its own: those that keep the selection go on after this program has ended.
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
    # pbcopy reads its input as what the locale says, which in a bare environment is not UTF-8.
    env = {**os.environ, "LC_CTYPE": "UTF-8"} if name == "pbcopy" else None
    try:
        return await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.PIPE, stdout=silent, stderr=silent, start_new_session=True, env=env
        )
    except OSError as error:
        raise ClipboardError(f"could not start {name}") from error


SHOWN = 160
"""Characters of a text that are repeated when it has been sent."""

_READABLE = "" if sys.platform == "win32" else ", mode 0600"
"""On Windows the folder decides who reads its files."""

Say = Callable[[str, bool], None]
"""Tells a person something, as a warning or not."""


@dataclass(frozen=True, slots=True)
class CopiedText:
    """A text that was meant for the clipboard, and what it is."""

    text: str
    what: str


class ClipboardService:
    """Puts texts on the clipboard and says so: "sent", because a terminal never tells whether it took one."""

    def __init__(self, put: ClipboardWriter, clock: Clock, say: Say, save: Save = save) -> None:
        self._put = put
        self._save = save
        self._clock = clock
        self._say = say
        self._busy = asyncio.Lock()
        self.last: CopiedText | None = None

    async def send(self, text: str, what: str) -> bool:
        """Send a text; one that is too big for the clipboard becomes a file. Returns whether it was sent.

        Those that are asked for meanwhile follow in their order.
        """
        self.last = CopiedText(text, what)
        async with self._busy:
            return await self._send(text, what)

    async def _send(self, text: str, what: str) -> bool:
        try:
            way = await self._put(text)
        except TooBigError as error:
            self._say(f"{what} not sent to the clipboard: {error}", True)
            await self.keep(text, what)
            return False
        except ClipboardError as error:
            self._say(f"{what} not sent to the clipboard: {error}\n{_shown(text)}\nC to view", True)
            return False
        self._say(f"{_shown(text)}\n{what} sent to clipboard ({way}) · C to view", False)
        return True

    async def keep(self, text: str, what: str) -> Path | None:
        """Write a text to a file, and say where it is."""
        try:
            path = await self._save(text, what, self._clock.now().us)
        except PrivateFileError as error:
            self._say(str(error), True)
            return None
        self._say(f"{path}\n{what} saved, {humanize.format_size(len(text.encode()))}{_READABLE}", False)
        return path


def safe_text(text: str) -> str:
    """Return somebody else's text fit for a clipboard, whose next stop may be a shell: nothing in it acts on one."""
    return clean(text.replace("\r\n", "\n").expandtabs(4), lines=True)


def _shown(text: str) -> str:
    first, *rest = text.strip().split("\n", 1)
    return (
        f"{clip(first.lstrip('# '), 60)} … {humanize.format_size(len(text.encode()))}" if rest else clip(first, SHOWN)
    )
