"""Which rate limit a profile begins with."""

from jobdeck.providers.profile import Profile
from jobdeck.scheduling.limits import Limit, LimitSource

UNKNOWN_LIMIT = 60
"""Requests a minute to begin with where nobody says anything."""


def limit_of(profile: Profile) -> Limit:
    """Return the limit to begin with: the configured one, else the lower one the vendor's pages give.

    The Hog's older pages say 30 a minute, its newer ones 300: headers tell which holds. Sonarly says nothing; a
    described API's description may.
    """
    if profile.requests_per_minute is not None:
        return Limit(profile.requests_per_minute, LimitSource.CONFIGURED)
    match profile.api:
        case "thehog":
            return Limit(30, LimitSource.DOCUMENTED)
        case "sonarly":
            return Limit(UNKNOWN_LIMIT, LimitSource.UNKNOWN)
        case described:
            told = described.requests_per_minute
            return Limit(UNKNOWN_LIMIT, LimitSource.UNKNOWN) if told is None else Limit(told, LimitSource.DOCUMENTED)
