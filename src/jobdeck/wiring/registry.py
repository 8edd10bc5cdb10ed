"""The profiles that targets are parsed against, made from settings."""

from collections.abc import Iterator, Mapping

from jobdeck.apis.profile import Profile
from jobdeck.apis.targets import ProfileRegistry
from jobdeck.config.settings import Profiles, ProfileSettings, Settings


class _WithoutSecrets(Mapping[str, Profile]):
    """The profiles of settings, those that are there only when they are named among them."""

    def __init__(self, settings: Mapping[str, ProfileSettings]) -> None:
        self._settings = settings

    def __getitem__(self, name: str) -> Profile:
        return self._settings[name].profile

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)


def registry_of(settings: Settings) -> ProfileRegistry:
    """Return the registry of all profiles, the unlisted ones by their names and origins."""
    profiles = settings.profiles
    found = _WithoutSecrets(profiles)
    unlisted = profiles.at if isinstance(profiles, Profiles) else None
    return ProfileRegistry(found, settings.default_profile, unlisted)
