"""Keys and pastes that arrive faster than a hand types.

The way of a key, from the terminal to an action:

1. `TerminalDriver.run_input_thread` (terminal.py; `RemoteDriver.type` in a browser) reads bytes.
2. `InputSplitter.feed` (input_splitter.py) splits them into typed characters, pastes and sequences.
3. `KeyReader` (terminal.py) turns these into Textual's events; characters that arrive together become one `Burst`.
4. `JobdeckApp.on_event` (app.py) replaces a burst by the keys and pastes of `events_of_burst` (here), and handles one
   event after the other.
5. `JobdeckApp._type` gives printable keys and pastes to a focused input. For any other key it waits until earlier ones
   took effect (`settled`, here), and looks up the binding.
6. `JobdeckApp.run_action` pins the job that the action is about (`Deck.pin_selection`) and runs `action_NAME` of the
   deck, the dialog or the widget that has the binding.

Keys arrive together over a slow line, from a macro, or when the user types ahead. Each takes effect before the next, so
that text for an input that the first key opens goes into that input.
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
"""The longest a key waits for the effects of earlier ones."""

FEW = 3
"""A hand may produce this many characters at once: rolling over the keys, or a line that stalled."""

MANY_KEYS = 8
DIFFERENT_KEYS = 6
"""A burst of `MANY_KEYS` or more with at least this many different characters is pasted text: a held key repeats one,
and hands moving in a list use three or four."""

_HEX = re.compile(r"[0-9a-f-]{8,}")
_MOVES = frozenset("jkgG")


async def settled(widget: Widget) -> None:
    """Wait until a widget and its ancestors have processed the messages sent to them."""
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_SECONDS):
            for node in widget.ancestors_with_self:
                done = asyncio.Event()
                if not isinstance(node, App) and node.call_later(done.set):
                    await done.wait()


def is_pasted(text: str, bound: Container[str], *, openers: Collection[str] = (), names: Collection[str] = ()) -> bool:
    """Whether a burst of characters, with no input focused, is pasted text rather than keys.

    Keys may arrive together: a held key while the screen is busy, keys typed ahead, `tmux send-keys Yy`, a macro
    `/text`. But keys are `bound`, while an ID contains characters that are not (digits, `_`, `-`), or follows one of
    the `openers`, keys that open an input. `names` are the profiles: a target like `acme:op_1` may start with the
    letter of a key.
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
    """Whether a text that starts with the key of an input is a target nevertheless."""
    first = text.split(maxsplit=1)[0]
    if first[0] == "/":
        return first.count("/") > 1
    return any(first.startswith((f"{name}:", f"{name}/")) for name in names) or _HEX.fullmatch(first) is not None


def events_of_burst(burst: Burst, target: Widget) -> list[events.Key | events.Paste]:
    """Return the events of a burst: a paste, keys, or a paste and then keys; `target` has the focus."""
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
    """Whether a widget takes letters as text."""
    return target.check_consume_key("a", "a")


def _bound_characters(screen: Screen[object], burst: Burst) -> frozenset[str]:
    active = screen.active_bindings
    return frozenset(key.character for key in burst.keys if key.character is not None and key.key in active)


def _paste(text: str) -> events.Paste:
    return events.Paste(text.replace("\r\n", "\n").replace("\r", "\n"))


def for_input(text: str, bound: Container[str], *, lines: bool) -> tuple[str, str]:
    """Split a burst on an input into the text for it and the keys after it.

    With several `lines` all of it is text. In one line, the first end of line is a key, unless pasted text follows it.
    """
    if lines:
        return text, ""
    first, end, rest = re.match(r"([^\r\n]*)([\r\n]*)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    return (text, "") if rest and is_pasted(rest, bound) else (first, end + rest)
