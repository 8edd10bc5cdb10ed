"""A profile: an API at an origin, with credentials and a limit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from jobdeck.apis.spec import ApiSpec, fill, placeholders
from jobdeck.domain.scope import Scope
from jobdeck.http.credentials import Credentials, HttpProfile
from jobdeck.http.origin import Origin, OriginError, origin_of_base

CANCEL = "cancel"
ACTIONS = (CANCEL,)
"""Actions that a profile may allow."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A named API with its base URL, credentials and limit."""

    name: str
    spec: ApiSpec
    # Without a trailing slash.
    base_url: str
    origin: Origin
    credentials: Credentials | None = field(default=None, repr=False)
    # None if not configured: then the definition's limit holds until headers state one.
    requests_per_minute: int | None = None
    # Values for the definition's URLs and headers, its defaults included.
    variables: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    # The owner of the jobs and the rate limit; None if not configured: then the profile's name stands for it.
    organization: str | None = None
    # Actions on jobs that the profile allows, such as `cancel`; none by default.
    allow: frozenset[str] = frozenset()

    @classmethod
    def create(
        cls,
        name: str,
        spec: ApiSpec,
        *,
        base_url: str | None = None,
        credentials: Credentials | None = None,
        requests_per_minute: int | None = None,
        variables: Mapping[str, str] | None = None,
        organization: str | None = None,
        allow: frozenset[str] = frozenset(),
    ) -> "Profile":
        """Return a profile with the definition's defaults; raises `OriginError` for an unacceptable base URL."""
        url = (base_url or spec.base_url).rstrip("/")
        if not url:
            raise OriginError(f"{name} uses {spec.name}, which has no default base URL: set base_url")
        values = MappingProxyType({**spec.defaults, **(variables or {})})
        return cls(name, spec, url, origin_of_base(url), credentials, requests_per_minute, values, organization, allow)

    def cancel_obstacle(self, resource: str) -> str:
        """Return why jobs of a resource cannot be cancelled through the profile, in one line; empty if they can."""
        if self.spec.cancel_of(resource) is None:
            return f"{self.spec.title} cannot cancel these jobs"
        return "" if CANCEL in self.allow else f'not allowed: set allow = ["{CANCEL}"] in [profiles.{self.name}]'

    @property
    def scope(self) -> Scope:
        """The owner of the profile's jobs and budget."""
        return Scope(str(self.origin), self.organization or self.name, self.provider)

    @property
    def provider(self) -> str:
        """The name of its API."""
        return self.spec.name

    @property
    def http(self) -> HttpProfile:
        """The settings for the HTTP client; a header whose variable is not set is left out."""
        headers = {
            name: fill(template, self.variables)
            for name, template in self.spec.headers.items()
            if all(variable in self.variables for variable in placeholders(template))
        }
        return HttpProfile(
            self.name,
            self.base_url,
            self.origin,
            self.credentials,
            MappingProxyType(headers),
            self.spec.request_id_headers,
            self.spec.trace_id_headers,
            self.spec.forbidden_may_be_rate_limit,
            self.spec.rate_limit,
        )
