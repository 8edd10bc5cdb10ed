"""A command's name that went wrong, which would else be watched as a job of that name."""

import os
import re
from collections.abc import Sequence

_WORD = re.compile("[a-z]+")
_ALIKE = 0.75
"""Which `difflib` gives to four letters of which one is wrong; less of a likeness may as well be chance."""


def mistyped_command(word: str, commands: Sequence[str]) -> str | None:
    """Return in a line which command was meant by the first word of a command line; None for what may be a target.

    The IDs of the APIs have digits or signs in them, so only a word of small letters is looked at, if it is no file and
    as long as a command, give or take a letter. Behind a profile's name or ``--`` it is an ID.
    """
    if not _WORD.fullmatch(word) or os.path.lexists(word):  # pathlib's raises in a folder that cannot be searched
        return None
    import difflib  # noqa: PLC0415 - for a mistake only

    as_long = [name for name in commands if abs(len(name) - len(word)) <= 1]
    meant = difflib.get_close_matches(word, as_long, 1, _ALIKE)
    return f"no command {word!r}; did you mean {meant[0]!r}? (an ID of that name: PROFILE:{word})" if meant else None
