"""The platform's places for our files, also for a user of whom no home is known, as in a container of any number."""

from collections.abc import Callable
from pathlib import Path

import platformdirs


def user_config_dir() -> Path | None:
    """Return the directory of the configuration; None where no home is known."""
    return _place(platformdirs.user_config_dir)


def user_data_dir() -> Path | None:
    """Return the directory of what is remembered; None where no home is known."""
    return _place(platformdirs.user_data_dir)


def _place(find: Callable[..., str]) -> Path | None:
    try:
        return Path(find("jobdeck", appauthor=False))
    except RuntimeError:
        return None
