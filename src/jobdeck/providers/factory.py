"""Providers made from profiles. Importing this imports httpx and pydantic, 400 ms: do it after the first frame."""

from jobdeck.domain.instant import Clock
from jobdeck.providers.base import Provider
from jobdeck.providers.http import DEADLINE, HttpLayer
from jobdeck.providers.profile import Profile
from jobdeck.providers.sonarly.provider import Sonarly
from jobdeck.providers.thehog.provider import TheHog


def make_provider(profile: Profile, clock: Clock, *, deadline: float = DEADLINE) -> Provider:
    """Return the provider of `profile`; nothing is opened before its first request. `deadline` is in seconds."""
    http = HttpLayer(profile, clock, deadline=deadline)
    match profile.api:
        case "thehog":
            return TheHog(http)
        case "sonarly":
            return Sonarly(http)
        case description:
            from jobdeck.providers.described.provider import Described  # noqa: PLC0415 - JSONPath, for those who need it

            return Described(http, description)
