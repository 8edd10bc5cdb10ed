"""The platform's places for our files, also for a user of whom no home is known, as in a container of any number."""

from collections.abc import Callable
from pathlib import Path


def platform_place(find: Callable[..., str]) -> Path | None:
    """Return the place for our files that platformdirs finds by `find`; None where no home is known."""
    try:
        return Path(find("jobdeck", appauthor=False))
    except RuntimeError:
        return None
