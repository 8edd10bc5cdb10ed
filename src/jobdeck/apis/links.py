"""URLs in answers, from which a part of a job is fetched; they are followed only within the profile's origin."""

import re
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from jobdeck.apis.profile import Profile
from jobdeck.domain.job import MissingPart, Observation
from jobdeck.http.origin import Origin, OriginError

MAX_LINK = 2_048
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
SECRET_PARAMETER = re.compile(
    r"(?:api|access|auth)?[_-]?(?:key|token|secret|password|signature|sig|code)", re.IGNORECASE
)
"""Names of parameters that may hold a secret; they are refused, since URLs are saved and shown."""


class LinkError(ValueError):
    """A URL is not followed; the message says why, and has at most the origin of the URL."""


def check_links(observation: Observation, profile: Profile) -> Observation:
    """Return an observation with the URLs of its missing parts as paths; a part whose URL is refused becomes a note."""
    if not any(one.url for one in observation.elsewhere):
        return observation
    followed: list[MissingPart] = []
    notes = [observation.note] if observation.note is not None else []
    for one in observation.elsewhere:
        try:
            followed.append(replace(one, url=path_of_link(one.url, profile) if one.url else ""))
        except LinkError as error:
            notes.append(f"{one.part} not fetched: {error}")
    return replace(observation, elsewhere=tuple(followed), note="; ".join(notes) or None)


def path_of_link(url: str, profile: Profile) -> str:
    """Return path and query of a URL within the profile's origin, which may begin with a slash; raises `LinkError`."""
    if len(url) > MAX_LINK or not _PRINTABLE.fullmatch(url):
        raise LinkError(f"its URL is not printable ASCII of at most {MAX_LINK} characters")
    if "\\" in url or "#" in url:
        raise LinkError("its URL has a backslash or a fragment")
    if url.startswith("/") and not url.startswith("//"):
        path = url
    else:
        try:
            origin = Origin.of(url)
        except OriginError as error:
            raise LinkError(f"invalid URL: {error}") from None
        if origin != profile.origin:
            raise LinkError(f"its URL is on {origin}, not {profile.origin}")
        path = "/" + url.split("://", 1)[1].partition("/")[2]
    parts = urlsplit(path)
    if any(unquote(piece) in {".", ".."} for piece in parts.path.split("/")):
        raise LinkError("its URL has a . or .. segment")
    for pair in parts.query.split("&"):
        if SECRET_PARAMETER.fullmatch(unquote(pair.partition("=")[0])):
            raise LinkError("its URL has a parameter that may contain a credential, and URLs are saved and shown")
    return path
