"""Poll URLs: data to be validated, never addresses to be asked. Their IDs are taken out, all else is rebuilt."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import unquote_to_bytes, urlsplit

from jobdeck.domain.job import Resource, Target
from jobdeck.providers.directory import Directory, TargetError, make_target, shown
from jobdeck.providers.ids import is_id
from jobdeck.providers.profile import Origin, OriginError, Profile, ProviderName

MAX_URL = 2_048
MAX_QUERY = 8_192
"""Characters of a query, which is never sent: Azure signs its URLs with some thousand of them."""

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
_KNOWN = ("/api/operations/ID", "/api/enrichments/ID", "/api/v1/search/ID", "/v1/accounts/GROUP/prospecting/ID")


@dataclass(frozen=True, slots=True)
class PollPath:
    """What a path of a known shape says."""

    provider: ProviderName
    resource: Resource
    id: str
    account_group: str | None


Found: TypeAlias = PollPath | Mapping[str, str]
"""What a path says: in a shape of ours, or the variables of a description's template."""


def is_absolute(text: str) -> bool:
    """Whether `text` begins like an absolute URL, of whatever scheme."""
    return _SCHEME.match(text) is not None


def parse_poll_url(text: str, directory: Directory, *, profile: Profile | None = None) -> Target:
    """Return the target that an absolute or relative poll URL names.

    An absolute URL chooses the profile by its origin, a relative one belongs to `profile`, else to the default
    profile if it speaks that API, else to the only one that does. A base URL's path prefix may be there or not.
    A query is accepted only where a description names its parameters, and is not sent.
    Raises `TargetError`, naming the origin and the reason; user information is never repeated.
    """
    name = name_of(text)
    url, mark, query = text.partition("?")
    _check_characters(url, query, name)
    if is_absolute(url):
        try:
            origin = Origin.of(url)
        except OriginError as error:
            raise TargetError(f"{name}: {error}") from None
        target = _at_origin(origin, "/" + url.split("://", 1)[1].partition("/")[2], query, directory)
    elif profile is not None:
        found = match_path(url, profile, name, query)
        if found is None or (isinstance(found, PollPath) and found.provider != profile.provider):
            raise _unknown_path(name, (profile,))
        target = _target(profile, found)
    else:
        target = _relative(url, query, directory, name)
    if mark:
        _check_query(query, directory.profiles[target.key.profile], name)
    return target


def match_path(path: str, profile: Profile, name: str, query: str = "") -> Found | None:
    """Return what `path` says, with or without the path prefix of `profile`; None when its shape is not known.

    Of `query`, it is the ID that is looked for, where a description has it there.
    Raises `TargetError`, about `name`, when the shape is known but an ID in it is none.
    """
    prefix = urlsplit(profile.base_url).path.rstrip("/")
    stripped = path.removeprefix(prefix) if prefix and path.startswith(prefix + "/") else path
    if profile.described is not None:
        from jobdeck.providers.places import variables_in  # noqa: PLC0415 - for those with a described API alone

        return variables_in(profile.described, stripped, name, query)
    for pattern, provider, resource in _SHAPES:
        match = pattern.fullmatch(stripped)
        if match is not None:
            pieces = match.groupdict()
            group = pieces.get("group")
            return PollPath(
                provider, resource, _decode(pieces["id"], name), None if group is None else _decode(group, name)
            )
    return None


def _at_origin(origin: Origin, path: str, query: str, directory: Directory) -> Target:
    here = [profile for profile in directory.in_order() if profile.origin == origin]
    if not here:
        known = ", ".join(dict.fromkeys(str(profile.origin) for profile in directory.profiles.values()))
        message = f"{origin}: not the origin of any profile ({f'known: {known}' if known else 'none is configured'})"
        raise TargetError(message)
    targets: list[tuple[int, Target]] = []
    for profile in here:
        found = match_path(path, profile, str(origin), query)
        if isinstance(found, PollPath):
            if found.provider == profile.provider:
                return _target(profile, found)
        elif found is not None:
            alike = sum(profile.variables.get(variable) == value for variable, value in found.items())
            targets.append((alike, _target(profile, found)))
    if not targets:
        raise _unknown_path(str(origin), here)
    # Of several profiles for one API, the one whose own variables are those of the URL; else the first.
    return max(targets, key=lambda pair: pair[0])[1]


def _relative(path: str, query: str, directory: Directory, name: str) -> Target:
    first = directory.default_profile
    # A template may fit nearly anything: exact shapes go before those of profiles that are not the default one.
    for candidate in sorted(directory.in_order(), key=lambda each: each is not first and each.described is not None):
        found = match_path(path, candidate, name, query)
        if isinstance(found, PollPath):
            return _target(directory.speaking(found.provider, path), found)
        if found is not None:
            return _target(directory.speaking(candidate.provider, path), found)
    raise _unknown_path(name, directory.in_order())


def _target(profile: Profile, found: Found) -> Target:
    if isinstance(found, PollPath):
        return make_target(profile, found.resource, found.id, found.account_group)
    if profile.described is None:
        raise _unknown_path(profile.name, (profile,))
    from jobdeck.providers.places import target_at  # noqa: PLC0415 - for those with a described API alone

    return target_at(profile, profile.described, found)


def _check_query(query: str, profile: Profile, name: str) -> None:
    """Refuse a query that is more than what a description asks with anyway, or says that may be left out."""
    described = profile.described
    if described is None:
        raise TargetError(f"{name}: a poll URL has no query and no fragment")
    known = described.dropped_query | {parameter for parameter, _ in described.query}
    for pair in query.split("&"):
        parameter = pair.partition("=")[0]
        if parameter not in known:
            raise TargetError(f"{name}: the description of {described.name} knows no parameter {shown(parameter)!r}")


def _check_characters(text: str, query: str, name: str) -> None:
    if len(text) > MAX_URL or len(query) > MAX_QUERY:
        reason = f"a URL of {len(text) + len(query)} characters is refused ({MAX_URL} at most)"
    elif not _PRINTABLE.fullmatch(text + query):
        reason = "a URL with anything but printable ASCII characters is refused"
    elif "\\" in text + query:
        reason = "a URL with a backslash is refused"
    elif "@" in text + query:
        reason = "a URL with user information is refused"
    elif "#" in text + query:
        reason = "a poll URL has no query and no fragment"
    else:
        return
    raise TargetError(f"{name}: {reason}")


def _decode(piece: str, name: str) -> str:
    if not _BROKEN_ESCAPE.search(piece):
        # Once only: a doubly encoded dot or slash keeps its per cent sign, which no ID may have.
        decoded = unquote_to_bytes(piece).decode("latin-1")
        if is_id(decoded):
            return decoded
    raise TargetError(f"{name}: {shown(piece)!r} is not an ID")


def name_of(text: str) -> str:
    """Return what a message may call the URL: scheme and host of an absolute one, without user information."""
    if not is_absolute(text):
        return shown(text.rpartition("@")[2])
    scheme, rest = text.split("://", 1)
    host = re.split(r"[/?#\\]", rest.rpartition("@")[2], maxsplit=1)[0]
    return f"{shown(scheme)}://{host}" if _HOST_PORT.fullmatch(host) else f"a {shown(scheme)} URL"


def _unknown_path(name: str, profiles: Iterable[Profile]) -> TargetError:
    shapes = dict.fromkeys(profile.described.url.text for profile in profiles if profile.described is not None)
    return TargetError(f"{name}: not a poll URL (known: {', '.join([*_KNOWN, *shapes])})")
