"""The one place where the parts are put together.

Importing this module is cheap; the HTTP client and the models (400 ms) are imported when the first profile opens.
"""

import random
from collections.abc import Mapping
from pathlib import Path

from jobdeck.config import ConfigError, ProfileSettings, Settings, load_settings
from jobdeck.engine.clock import SystemClock, Timer
from jobdeck.engine.engine import Engine
from jobdeck.engine.lane import Lane
from jobdeck.providers.profile import Profile
from jobdeck.providers.targets import Directory
from jobdeck.scheduling.budget import Limit, LimitSource
from jobdeck.scheduling.scheduler import Scheduler


class Wiring:
    """Settings turned into the parts that commands and the screen work with.

    Raises `ConfigError` from the constructor for a configuration that cannot be read, and from `engine().add`
    for a profile whose credentials cannot be had: a profile that nobody asks for needs none.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        config: Path | None = None,
        settings: Settings | None = None,
        clock: Timer | None = None,
    ) -> None:
        self.clock: Timer = clock or SystemClock()
        self.settings = settings if settings is not None else load_settings(env, config)
        self._env = env

    @property
    def directory(self) -> Directory:
        """The profiles that targets are parsed against; they hold no credentials."""
        profiles = {name: settings.profile for name, settings in self.settings.profiles.items()}
        return Directory(profiles, self.settings.default_profile)

    def engine(self) -> Engine:
        """Return a new engine without jobs."""
        return Engine(self._lane, self.clock)

    def profile(self, name: str) -> Profile:
        """Return a profile with its credentials; raises `ConfigError` when they cannot be had."""
        return self._settings_of(name).resolve(self._env)

    def _lane(self, name: str) -> Lane:
        from jobdeck.providers.factory import make_provider  # noqa: PLC0415 - 400 ms that the first frame must not wait for

        profile = self.profile(name)
        scheduler = Scheduler(limit_of(profile), random.Random())  # noqa: S311 - jitter, not a secret
        return Lane(make_provider(profile, self.clock), scheduler, self.clock)

    def _settings_of(self, name: str) -> ProfileSettings:
        settings = self.settings.profiles.get(name)
        if settings is None:
            message = f"there is no profile {name}"
            raise ConfigError(message)
        return settings


def limit_of(profile: Profile) -> Limit:
    """Return the limit to begin with: the configured one, else the lower one the vendor's pages give.

    The Hog's older pages say 30 a minute, its newer ones 300: headers tell which holds. Sonarly says nothing.
    """
    if profile.requests_per_minute is not None:
        return Limit(profile.requests_per_minute, LimitSource.CONFIGURED)
    match profile.provider:
        case "thehog":
            return Limit(30, LimitSource.DOCUMENTED)
        case "sonarly":
            return Limit(60, LimitSource.UNKNOWN)
