"""Poll URLs: data to be validated, never addresses to be asked. Their IDs are taken out, all else is rebuilt."""

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urlsplit

from jobdeck.domain.job import Resource, Target
from jobdeck.providers.directory import Directory, TargetError, make_target, shown
from jobdeck.providers.ids import is_id
from jobdeck.providers.profile import Origin, OriginError, Profile, ProviderName

MAX_URL = 2_048

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_HOST_PORT = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SHAPES: tuple[tuple[re.Pattern[str], ProviderName, Resource], ...] = (
    (re.compile(r"/api/operations/(?P<id>[^/]+)"), "thehog", Resource.OPERATION),
    (re.compile(r"/api/enrichments/(?P<id>[^/]+)"), "thehog", Resource.ENRICHMENT),
    (re.compile(r"/api/v1/search/(?P<id>[^/]+)"), "thehog", Resource.SEARCH),
    (re.compile(r"/v1/accounts/(?P<group>[^/]+)/prospecting/(?P<id>[^/]+)"), "sonarly", Resource.PROSPECTING),
)


@dataclass(frozen=True, slots=True)
class PollPath:
    """What a path of a known shape says."""

    provider: ProviderName
    resource: Resource
    id: str
    account_group: str | None


def is_absolute(text: str) -> bool:
    """Whether `text` begins like an absolute URL, of whatever scheme."""
    return _SCHEME.match(text) is not None


def parse_poll_url(text: str, directory: Directory, *, profile: Profile | None = None) -> Target:
    """Return the target that an absolute or relative poll URL names.

    An absolute URL chooses the profile by its origin, a relative one belongs to `profile`, else to the default
    profile if it speaks that API, else to the only one that does. A base URL's path prefix may be there or not.
    Raises `TargetError`, naming the origin and the reason; user information is never repeated.
    """
    name = name_of(text)
    _check_characters(text, name)
    if is_absolute(text):
        try:
            origin = Origin.of(text)
        except OriginError as error:
            message = f"{name}: {error}"
            raise TargetError(message) from None
        return _at_origin(origin, "/" + text.split("://", 1)[1].partition("/")[2], directory)
    if profile is not None:
        path = match_path(text, profile, name)
        if path is None or path.provider != profile.provider:
            raise _unknown_path(name)
        return make_target(profile, path.resource, path.id, path.account_group)
    for candidate in directory.in_order():
        path = match_path(text, candidate, name)
        if path is not None:
            chosen = directory.speaking(path.provider, text)
            return make_target(chosen, path.resource, path.id, path.account_group)
    raise _unknown_path(name)


def match_path(path: str, profile: Profile, name: str) -> PollPath | None:
    """Return what `path` says, with or without the path prefix of `profile`; None when its shape is not known.

    Raises `TargetError`, about `name`, when the shape is known but an ID in it is none.
    """
    prefix = urlsplit(profile.base_url).path.rstrip("/")
    stripped = path.removeprefix(prefix) if prefix and path.startswith(prefix + "/") else path
    for pattern, provider, resource in _SHAPES:
        match = pattern.fullmatch(stripped)
        if match is not None:
            pieces = match.groupdict()
            group = pieces.get("group")
            return PollPath(
                provider, resource, _decode(pieces["id"], name), None if group is None else _decode(group, name)
            )
    return None


def _at_origin(origin: Origin, path: str, directory: Directory) -> Target:
    here = [profile for profile in directory.in_order() if profile.origin == origin]
    if not here:
        known = ", ".join(dict.fromkeys(str(profile.origin) for profile in directory.profiles.values()))
        message = f"{origin}: not the origin of any profile ({f'known: {known}' if known else 'none is configured'})"
        raise TargetError(message)
    for profile in here:
        found = match_path(path, profile, str(origin))
        if found is not None and found.provider == profile.provider:
            return make_target(profile, found.resource, found.id, found.account_group)
    raise _unknown_path(str(origin))


def _check_characters(text: str, name: str) -> None:
    if len(text) > MAX_URL:
        reason = f"a URL of {len(text)} characters is refused ({MAX_URL} at most)"
    elif not _PRINTABLE.fullmatch(text):
        reason = "a URL with anything but printable ASCII characters is refused"
    elif "\\" in text:
        reason = "a URL with a backslash is refused"
    elif "@" in text:
        reason = "a URL with user information is refused"
    elif "?" in text or "#" in text:
        reason = "a poll URL has no query and no fragment"
    else:
        return
    message = f"{name}: {reason}"
    raise TargetError(message)


def _decode(piece: str, name: str) -> str:
    if not _BROKEN_ESCAPE.search(piece):
        # Once only: a doubly encoded dot or slash keeps its per cent sign, which no ID may have.
        decoded = unquote_to_bytes(piece).decode("latin-1")
        if is_id(decoded):
            return decoded
    message = f"{name}: {shown(piece)!r} is not an ID"
    raise TargetError(message)


def name_of(text: str) -> str:
    """Return what a message may call the URL: scheme and host of an absolute one, without user information."""
    if not is_absolute(text):
        return shown(text.rpartition("@")[2])
    scheme, rest = text.split("://", 1)
    host = re.split(r"[/?#\\]", rest.rpartition("@")[2], maxsplit=1)[0]
    return f"{shown(scheme)}://{host}" if _HOST_PORT.fullmatch(host) else f"a {shown(scheme)} URL"


def _unknown_path(name: str) -> TargetError:
    return TargetError(
        f"{name}: not a poll URL (known: /api/operations/ID, /api/enrichments/ID, /api/v1/search/ID, "
        "/v1/accounts/GROUP/prospecting/ID)"
    )
