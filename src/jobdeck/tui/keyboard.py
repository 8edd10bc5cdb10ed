"""What comes from the keyboard faster than a hand: pastes without brackets, and what one key leaves to be done.

Keys come together on a slow line, from a macro, by typing ahead. Each is carried out before the next, so that what is
meant for an input which the first one opens goes there.
"""

import asyncio
import re
from collections.abc import Collection, Container
from contextlib import suppress

from textual import events
from textual.app import App
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import TextArea

from jobdeck.tui.terminal import Burst

SETTLE_SECONDS = 1.0
"""So long at most a key waits for what those before it have left to be done."""

FEW = 3
"""So many characters may come together from a hand: a roll over the keys, or a line that stalled."""

MANY_KEYS = 8
DIFFERENT_KEYS = 6
"""Of `MANY_KEYS` or more keys that came together, so many different ones are text: a key that is held down is one, and
a hand that moves about a list presses three or four."""

_HEX = re.compile(r"[0-9a-f-]{8,}")
_MOVES = frozenset("jkgG")


async def settled(widget: Widget) -> None:
    """Wait until a widget, and all around it, have taken in what was sent to them."""
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_SECONDS):
            for node in widget.ancestors_with_self:
                done = asyncio.Event()
                if not isinstance(node, App) and node.call_later(done.set):
                    await done.wait()


def is_pasted(text: str, bound: Container[str], *, openers: Collection[str] = (), names: Collection[str] = ()) -> bool:
    """Return whether a burst on a screen without an input was pasted, and is no keys.

    Keys do come together: one that is held down while the screen is busy, what was typed ahead, `tmux send-keys Yy`, a
    macro `/text`. What tells them apart: keys are `bound`, and an ID has characters that are not (digits, `_`, `-`), or
    it comes after one of the `openers`, which ask for a text. `names` are those of the profiles, which may begin a
    target (`acme:op_1`) as well as a letter may.
    """
    if len(text) <= FEW or len(set(text)) == 1:
        return False
    keys = text.lstrip("".join(_MOVES)) if text[0] not in openers else text
    if keys and keys[0] in openers:
        return _is_target(keys, names)
    if any(char not in bound for char in text if char not in "\r\n\t"):
        return True
    return len(text) >= MANY_KEYS and len(set(text)) >= DIFFERENT_KEYS


def _is_target(text: str, names: Collection[str]) -> bool:
    """Return whether a text that begins like a key which asks for a text is nevertheless a target."""
    first = text.split(maxsplit=1)[0]
    if first[0] == "/":
        return first.count("/") > 1
    return any(first.startswith((f"{name}:", f"{name}/")) for name in names) or _HEX.fullmatch(first) is not None


def events_of_burst(burst: Burst, target: Widget) -> list[events.Key | events.Paste]:
    """Return a burst as what it was: a paste, keys, or one and then the other; `target` has the focus."""
    screen = target.screen
    bound = _bound_characters(screen, burst)
    if not takes_text(target):
        openers, names = getattr(screen, "TEXT_KEYS", ""), getattr(screen, "profile_names", ())
        if is_pasted(burst.text, bound, openers=openers, names=names):
            return [_paste(burst.text)]
        return [*burst.keys]
    text, keys = for_input(burst.text, bound, lines=isinstance(target, TextArea))
    return [*([_paste(text)] if text else []), *(burst.keys[len(burst.keys) - len(keys) :] if keys else ())]


def takes_text(target: Widget) -> bool:
    """Whether letters are text to a widget."""
    return target.check_consume_key("a", "a")


def _bound_characters(screen: Screen[object], burst: Burst) -> frozenset[str]:
    active = screen.active_bindings
    return frozenset(key.character for key in burst.keys if key.character is not None and key.key in active)


def _paste(text: str) -> events.Paste:
    return events.Paste(text.replace("\r\n", "\n").replace("\r", "\n"))


def for_input(text: str, bound: Container[str], *, lines: bool) -> tuple[str, str]:
    """Divide a burst on an input into what is put into it as one, and what follows as keys.

    Where it has several `lines` all goes into it. In one line the first end of a line is a key, unless what follows it
    was pasted too.
    """
    if lines:
        return text, ""
    first, end, rest = re.match(r"([^\r\n]*)([\r\n]*)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    return (text, "") if rest and is_pasted(rest, bound) else (first, end + rest)
