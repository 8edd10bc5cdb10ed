"""What can be wrong with a configuration."""


class ConfigError(Exception):
    """The configuration cannot be used. The message names file, key and remedy, and never contains a secret."""
