"""Configuration errors."""

from jobdeck.domain.text import clean, mask_keys


class ConfigError(Exception):
    """The configuration cannot be used. The message names file, key and remedy, and never contains a secret.

    That includes a secret in place of a name, such as ``token = "env:sk_live_…"``.
    """

    unreachable = False
    """True if the configuration is right but something it names is unreachable (exit code 7 instead of 2)."""

    def __init__(self, message: str) -> None:
        super().__init__(clean(mask_keys(message), lines=True))
