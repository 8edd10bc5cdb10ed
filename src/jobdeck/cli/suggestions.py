"""Rejects mistyped commands, which would otherwise be watched as jobs of that name."""

import os
import re
from collections.abc import Sequence
from types import MappingProxyType

from jobdeck.domain.text import close_matches

_WORD = re.compile("[A-Za-z]+")
_ALIKE = 0.75
"""Minimum `difflib` ratio: four letters with one wrong."""

_STARTS_NONE = "jobdeck cannot start jobs; start them through the API and pass their IDs"
_OF_OTHERS = MappingProxyType(
    {
        **dict.fromkeys(("list", "ls"), "try jobdeck history for saved jobs, or jobdeck discover for recent ones"),
        **dict.fromkeys(("describe", "get", "info", "jobs", "ps", "show", "top"), "try jobdeck status"),
        **dict.fromkeys(("add", "open"), "run jobdeck TARGET… to open the screen"),
        **dict.fromkeys(("log", "logs", "tail"), "try jobdeck watch"),
        **dict.fromkeys(("create", "run", "start", "submit"), _STARTS_NONE),
        **dict.fromkeys(("abort", "kill", "stop"), "try jobdeck cancel"),
        **dict.fromkeys(("auth", "config", "configure", "init", "login", "setup"), "try jobdeck doctor"),
        **dict.fromkeys(("exit", "q", "quit"), "press q to quit the screen"),
        **dict.fromkeys(
            ("install", "update", "upgrade"), "update jobdeck with the tool that installed it, such as pipx"
        ),
    }
)
"""Commands of other tools."""


def suggest_command(word: str, commands: Sequence[str]) -> str | None:
    """Return a message that suggests a command for the first word of a command line; None if the word may be a target.

    IDs contain digits or punctuation, so that only words of letters are checked, unless a file has that name: a command
    in another case, a command of another tool, or a word similar to a command and at most one letter longer or shorter.
    After a profile's name or ``--`` it is an ID.
    """
    if not _WORD.fullmatch(word) or os.path.lexists(word):  # pathlib raises in a folder that cannot be searched
        return None
    lower = word.lower()
    hint = _OF_OTHERS.get(lower)
    if hint is None:
        as_long = [name for name in commands if abs(len(name) - len(word)) <= 1]
        meant = close_matches(lower, as_long, _ALIKE)
        if not meant:
            return None
        hint = f"did you mean {meant[0]!r}?"
    return f"unknown command {word!r}: {hint} (if it is an ID, write PROFILE:{word})"


def misplaced_command(words: Sequence[str], commands: Sequence[str]) -> str | None:
    """Return a message about a command's name among the targets; None if there is none."""
    for word in words:
        if word.lower() in commands and not os.path.lexists(word):
            return f"{word!r} is a command and must come first (if it is an ID, write PROFILE:{word})"
    return None
