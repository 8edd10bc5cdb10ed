"""What can be wrong with a configuration."""

from jobdeck.domain.text import clean, mask_keys


class ConfigError(Exception):
    """The configuration cannot be used. The message names file, key and remedy, and never contains a secret.

    Not even one that stands where a name belongs, such as ``token = "env:sk_live_…"``.
    """

    unreachable = False
    """Whether what is configured cannot be reached now: no mistake of whoever configured it."""

    def __init__(self, message: str) -> None:
        super().__init__(clean(mask_keys(message), lines=True))
