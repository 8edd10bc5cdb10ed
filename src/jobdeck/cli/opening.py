"""What every command that asks does first: read the settings."""

import argparse
import os
from pathlib import Path

from jobdeck.config import ConfigError
from jobdeck.config.settings import default_path
from jobdeck.wiring import Wiring


def open_wiring(arguments: argparse.Namespace) -> Wiring:
    """Return the wiring for a command's arguments; raises `ConfigError`, also when there is no profile at all."""
    wiring = Wiring(os.environ, Path(arguments.config) if arguments.config else None)
    if not wiring.settings.profiles:
        place = wiring.settings.path or default_path(os.environ)
        message = (
            "no profile: set THE_HOG_ACCESS_KEY and THE_HOG_SECRET_KEY (or THE_HOG_API_KEY), or SONARLY_API_KEY, "
            f"or write {place}; to look around first: jobdeck demo"
        )
        raise ConfigError(message)
    return wiring
