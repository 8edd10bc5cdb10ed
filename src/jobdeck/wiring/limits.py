"""Which rate limit a profile begins with."""

from jobdeck.apis.profile import Profile
from jobdeck.apis.spec import UNKNOWN_LIMIT
from jobdeck.scheduling.limits import Limit, LimitSource


def limit_of(profile: Profile) -> Limit:
    """Return the limit to begin with: the configured one, else the one on the API's page, which headers may raise."""
    if profile.requests_per_minute is not None:
        return Limit(profile.requests_per_minute, LimitSource.CONFIGURED)
    documented = profile.spec.requests_per_minute
    if documented is None:
        return Limit(UNKNOWN_LIMIT, LimitSource.UNKNOWN)
    return Limit(documented, LimitSource.DOCUMENTED)
