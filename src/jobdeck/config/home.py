"""Paths below a home directory, also for a user of whom none is known, as in a container of any number for a user."""

import os
from collections.abc import Callable
from pathlib import Path


def at_home(path: str) -> Path:
    """Return a path with its ``~`` filled in; as it is where no home is known, or none of that name."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - pathlib's raises RuntimeError there


def platform_place(find: Callable[..., str]) -> Path | None:
    """Return the place for our files that platformdirs finds by `find`; None where no home is known."""
    try:
        return Path(find("jobdeck", appauthor=False))
    except RuntimeError:
        return None
