"""Configuration: TOML and environment variables into frozen settings, and references to secrets into secrets."""

from jobdeck.config.errors import ConfigError
from jobdeck.config.settings import ProfileSettings, Settings, load_settings

__all__ = ["ConfigError", "ProfileSettings", "Settings", "load_settings"]
