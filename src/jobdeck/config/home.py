"""The platform's directories for jobdeck, also for users without a home, such as arbitrary UIDs in a container."""

from collections.abc import Callable
from pathlib import Path

import platformdirs


def user_config_dir() -> Path | None:
    """Return the configuration directory, or None without a home."""
    return _user_dir(platformdirs.user_config_dir)


def user_data_dir() -> Path | None:
    """Return the data directory, or None without a home."""
    return _user_dir(platformdirs.user_data_dir)


def _user_dir(find: Callable[..., str]) -> Path | None:
    try:
        return Path(find("jobdeck", appauthor=False))
    except RuntimeError:
        return None
