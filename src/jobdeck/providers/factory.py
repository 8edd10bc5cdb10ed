"""Providers made from profiles. Importing this imports httpx and pydantic, 400 ms: do it after the first frame."""

from jobdeck.domain.instant import Clock
from jobdeck.providers.base import Provider
from jobdeck.providers.http import DEADLINE, HttpLayer
from jobdeck.providers.profile import Profile
from jobdeck.providers.redactor import Redactor
from jobdeck.providers.sonarly.provider import Sonarly
from jobdeck.providers.thehog.provider import TheHog


def make_provider(
    profile: Profile, clock: Clock, *, deadline: float = DEADLINE, redactor: Redactor | None = None
) -> Provider:
    """Return the provider of `profile`; nothing is opened before its first request. `deadline` is in seconds.

    Its credentials are added to `redactor`, and all that are in there are taken out of its answers.
    """
    http = HttpLayer(profile, clock, deadline=deadline, redactor=redactor)
    match profile.api:
        case "thehog":
            return TheHog(http)
        case "sonarly":
            return Sonarly(http)
        case description:
            from jobdeck.providers.described.provider import Described  # noqa: PLC0415 - JSONPath, for those who need it

            return Described(http, description)
