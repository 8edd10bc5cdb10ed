"""The one function that puts credentials into a request."""

import base64

import httpx

from jobdeck.providers.profile import DEFAULT_PORTS, AccessKeys, Basic, Bearer, HeaderToken, Origin, Profile


class ForeignOriginError(Exception):
    """A request is not for its profile's origin; the message names where it would have gone."""


def origin_of(url: httpx.URL) -> Origin:
    """Return scheme, host and effective port of what httpx would connect to."""
    port = url.port if url.port is not None else DEFAULT_PORTS.get(url.scheme, 0)
    return Origin(url.scheme, url.raw_host.decode("ascii").lower(), port)


def authorize(request: httpx.Request, profile: Profile) -> None:
    """Add the credentials of `profile` to `request`, which must be for its origin.

    Raises `ForeignOriginError` when scheme, host or effective port differ; then the request must not be sent.
    httpx keeps custom headers such as ``X-Secret-Key`` across origins, so they are no client's default either.
    """
    origin = origin_of(request.url)
    if origin != profile.origin:
        message = f"a request to {origin} is refused: profile {profile.name} belongs to {profile.origin}"
        raise ForeignOriginError(message)
    match profile.credentials:
        case AccessKeys(access_key, secret_key):
            request.headers["X-Access-Key"] = access_key.reveal()
            request.headers["X-Secret-Key"] = secret_key.reveal()
        case Bearer(token):
            request.headers["Authorization"] = f"Bearer {token.reveal()}"
        case HeaderToken(header, prefix, token):
            request.headers[header] = f"{prefix}{token.reveal()}"
        case Basic(user, token):
            pair = base64.b64encode(f"{user}:{token.reveal()}".encode()).decode()
            request.headers["Authorization"] = f"Basic {pair}"
        case None:
            pass
    if profile.project_id is not None:
        request.headers["X-Project-Id"] = profile.project_id
