"""The one function that puts credentials into a request."""

import httpx

from jobdeck.providers.credentials import HttpProfile
from jobdeck.providers.origin import DEFAULT_PORTS, Origin


class ForeignOriginError(Exception):
    """A request is not for its profile's origin; the message names where it would have gone."""


def origin_of(url: httpx.URL) -> Origin:
    """Return scheme, host and effective port of what httpx would connect to."""
    port = url.port if url.port is not None else DEFAULT_PORTS.get(url.scheme, 0)
    return Origin(url.scheme, url.raw_host.decode("ascii").lower(), port)


def authorize(request: httpx.Request, profile: HttpProfile) -> None:
    """Add the credentials of `profile` to `request`, which must be for its origin.

    Raises `ForeignOriginError` when scheme, host or effective port differ; then the request must not be sent.
    httpx keeps custom headers such as ``X-Secret-Key`` across origins, so they are no client's default either.
    """
    origin = origin_of(request.url)
    if origin != profile.origin:
        message = f"a request to {origin} is refused: profile {profile.name} belongs to {profile.origin}"
        raise ForeignOriginError(message)
    if profile.credentials is not None:
        for name, value in profile.credentials.reveal().items():
            request.headers[name] = value
