"""Parsing targets, which name jobs: an ID, an account group with an ID, a poll URL. Nothing here sends a request."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from jobdeck.apis.mistakes import mistake_in, without_scheme
from jobdeck.apis.profile import Profile
from jobdeck.apis.spec import ApiSpec, Resource
from jobdeck.apis.url_template import ID, PieceError, is_id
from jobdeck.domain.job import JobKey, Target
from jobdeck.domain.text import clean, safe_excerpt
from jobdeck.http.origin import Origin, OriginError

MAX_INPUT = 8 * 1024 * 1024
"""Bytes of one input."""

MAX_URL = 2_048
MAX_QUERY = 8_192
"""Most characters of a query, which is never sent; Azure's signatures have about a thousand."""

_PREFIXED = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,63}):(.*)", re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_HOST_PORT = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_KEY = re.compile(r"\b((?:ak|sk|hog)_(?:live_|test_)?|gh[opsur]_|github_pat_|sk-)[A-Za-z0-9_-]{8,}")


class TargetError(ValueError):
    """A target was refused; the message is clean, one line, and gives the target and the reason."""


@dataclass(frozen=True, slots=True)
class ProfileRegistry:
    """The profiles by name."""

    profiles: Mapping[str, Profile]
    # The name of the default profile; None: there is none.
    default: str | None = None
    # Returns the names of profiles at an origin that `profiles` can look up, but does not iterate over.
    unlisted_at: Callable[[Origin], tuple[str, ...]] | None = None

    @property
    def default_profile(self) -> Profile | None:
        """The default profile, else the only profile; None if there are several."""
        if self.default is not None and self.default in self.profiles:
            return self.profiles[self.default]
        return next(iter(self.profiles.values())) if len(self.profiles) == 1 else None

    def in_order(self) -> tuple[Profile, ...]:
        """Return the profiles in the order in which they are tried: the default first."""
        first = self.default_profile
        rest = (profile for profile in self.profiles.values() if profile is not first)
        return (first, *rest) if first is not None else tuple(rest)

    def at(self, origin: Origin) -> list[Profile]:
        """Return the profiles at an origin, the default one first; the unlisted ones only if there is no other."""
        here = [profile for profile in self.in_order() if profile.origin == origin]
        if not here and self.unlisted_at is not None:
            here = [self.profiles[name] for name in self.unlisted_at(origin)]
        return here

    def get(self, name: str, text: str) -> Profile:
        """Return the profile with this name; raises `TargetError` about `text` if there is none."""
        if name in self.profiles:
            return self.profiles[name]
        hint = ""
        if is_id(text) and self.default_profile is not None:
            hint = f"; if the colon is part of the ID, write {self.default_profile.name}:{safe_excerpt(text)}"
        raise TargetError(f"{safe_excerpt(text)}: unknown profile {safe_excerpt(name)!r} ({self.known()}){hint}")

    def for_api(self, spec: ApiSpec, text: str) -> Profile:
        """Return the default profile if it belongs to an API, else the API's only profile.

        Raises `TargetError` about `text`, with the candidates.
        """
        return self._only([one for one in self.in_order() if one.provider == spec.name], spec.title, text)

    def for_bare_id(self, job_id: str) -> Profile:
        """Return the profile of a bare ID: the default profile, if there is one.

        Without a default, it is the profile of an API whose ID pattern matches, else of an API without a pattern.
        """
        if self.default_profile is not None:
            return self.default_profile
        matching = [one for one in self.profiles.values() if _has_shape(one.spec.default_resource, job_id)]
        plain = [one for one in self.profiles.values() if not one.spec.default_resource.id_pattern]
        found = matching or plain or list(self.profiles.values())
        apis = {one.provider: one.spec.title for one in found}
        if len(apis) > 1:
            names = ", ".join(clean(one.name) for one in found)
            raise TargetError(
                f"{safe_excerpt(job_id)}: which profile? Write PROFILE:{safe_excerpt(job_id)} with one of {names}"
            )
        return self._only(found, next(iter(apis.values()), "an API"), job_id)

    def for_account_group(self, account_group: str, text: str) -> Profile | None:
        """Return the profile whose API may have this account group: the default profile, else the only one.

        None if no API may; raises `TargetError` about `text` if several profiles remain.
        """
        found = [
            one
            for one in self.in_order()
            if one.spec.default_resource.group_variables and _accepts_group(one, account_group)
        ]
        if not found:
            return None
        return self._only(found, found[0].spec.title, text)

    def known(self) -> str:
        """Return the names of all profiles for a message."""
        names = ", ".join(clean(name) for name in self.profiles)
        return f"known: {names}" if names else "no profile configured"

    def _only(self, found: list[Profile], title: str, text: str) -> Profile:
        if found and (len(found) == 1 or found[0] is self.default_profile):
            return found[0]
        shown = safe_excerpt(text)
        if not found:
            raise TargetError(f"{shown}: no {title} profile configured ({self.known()})")
        names = ", ".join(clean(profile.name) for profile in found)
        raise TargetError(f"{shown}: several profiles use {title}; write PROFILE:{shown} with one of {names}")


def parse_target(text: str, registry: ProfileRegistry) -> Target:
    """Return the target that `text` names: an ID, ``PROFILE:ID``, ``PLACE/ID``, ``PROFILE:PLACE/ID`` or a poll URL.

    The text before the first colon is always a profile's name: an ID with a colon is written ``PROFILE:ID``, so that a
    mistyped profile is an error and not somebody else's job. ``PROFILE:/api/…`` is a relative poll URL of that profile.
    Raises `TargetError`.
    """
    if not text:
        raise TargetError("an empty target")
    if is_absolute(text) or text.startswith("/"):
        return parse_poll_url(text, registry)
    prefixed = _PREFIXED.fullmatch(text)
    if prefixed is None:
        return _parse_plain(text, registry)
    name, rest = prefixed.groups()
    if name not in registry.profiles and (mistake := without_scheme(text)) is not None:
        raise TargetError(mistake)
    profile = registry.get(name, text)
    return parse_poll_url(rest, registry, profile=profile) if rest.startswith("/") else target_named(profile, rest)


def _parse_plain(text: str, registry: ProfileRegistry) -> Target:
    if (mistake := mistake_in(text)) is not None:
        raise TargetError(mistake)
    account_group, slash, job_id = text.rpartition("/")
    if not slash and ":" in text:
        raise TargetError(f"{safe_excerpt(text)}: an ID with a colon must be written PROFILE:ID")
    if not slash:
        if not registry.profiles:
            raise TargetError(f"{safe_excerpt(text)}: no profile configured ({registry.known()})")
        return target_named(registry.for_bare_id(text), text)
    default = registry.default_profile
    if default is not None and _match_path(default.spec.default_resource, f"/{text}") is not None:
        return target_named(default, text)
    profile = registry.for_account_group(account_group, text)
    if profile is None:
        if default is not None and default.spec.default_resource.group_variables:
            return target_named(default, text)
        shown = safe_excerpt(text)
        raise TargetError(f"{shown}: neither SCOPE/ID nor a poll URL (starting with / or https://)")
    return make_target(profile, profile.spec.default_resource, job_id, account_group)


def target_named(profile: Profile, text: str, resource: Resource | None = None) -> Target:
    """Return the target that a text names in a profile: a path without its first slash, ``PLACE/ID``, or an ID.

    A path is tried first, since the full name of a Google operation is one. Raises `TargetError`.
    """
    resource = resource or profile.spec.default_resource
    values = _match_path(resource, f"/{text}") if resource.id_parameter is None else None
    if values is not None:
        return _target_at(profile, resource, values)
    account_group, _, job_id = text.rpartition("/")
    return make_target(profile, resource, job_id, account_group or None)


def make_target(profile: Profile, resource: Resource, job_id: str, account_group: str | None = None) -> Target:
    """Return the target with an account group and an ID; the profile's variables complete the account group.

    Raises `TargetError` if the ID is none, or the account group does not fit the resource.
    """
    check_id(job_id)
    values = resource.parse_account_group(account_group, profile.variables)
    if values is None:
        raise TargetError(_explain_form(profile, resource, job_id, account_group))
    return Target(JobKey(profile.name, resource.account_group_of(values), job_id), profile.provider, resource.name)


def check_id(job_id: str) -> None:
    """Raise `TargetError` for a text that is no job ID, or looks like an API key."""
    if not is_id(job_id):
        reason = "not a job ID (1 to 200 characters, no whitespace, control characters, / or backslash)"
        raise TargetError(f"{safe_excerpt(job_id)}: {reason}")
    if key := _KEY.match(job_id):
        # Pasted by mistake, it would be sent in a URL and stored with the job.
        raise TargetError(f"{key[1]}…: looks like an API key, not a job ID")


def is_absolute(text: str) -> bool:
    """Whether `text` begins like an absolute URL with any scheme."""
    return _SCHEME.match(text) is not None


def parse_poll_url(text: str, registry: ProfileRegistry, *, profile: Profile | None = None) -> Target:
    """Return the target that an absolute or relative poll URL names.

    A poll URL is data: its ID is extracted, and the request is rebuilt from the profile. The origin of an absolute URL
    selects the profile; a relative URL belongs to `profile`, else to the default profile if its API has such a path,
    else to the only profile whose API has. The path prefix of a base URL is optional. A query is accepted only if the
    definition names its parameters, and is not sent. Raises `TargetError` with the origin and the reason; user
    information is never repeated.
    """
    name = name_of(text)
    url, mark, query = text.partition("?")
    _check_characters(url, query, name)
    if is_absolute(url):
        try:
            origin = Origin.of(url)
        except OriginError as error:
            raise TargetError(f"{name}: {error}") from None
        path = "/" + url.split("://", 1)[1].partition("/")[2]
        found, resource, values = _at_origin(origin, path, query, registry)
    elif profile is not None:
        matched = _match(url, profile, name, query)
        if matched is None:
            raise _unknown_path(name, (profile,))
        found, (resource, values) = profile, matched
    else:
        found, resource, values = _relative(url, query, registry, name)
    if mark:
        _check_query(query, found, resource, name)
    return _target_at(found, resource, values)


def name_of(text: str) -> str:
    """Return a name of a URL for messages: scheme and host of an absolute URL, without user information."""
    if not is_absolute(text):
        return safe_excerpt(text.rpartition("@")[2])
    scheme, rest = text.split("://", 1)
    host = re.split(r"[/?#\\]", rest.rpartition("@")[2], maxsplit=1)[0]
    return f"{safe_excerpt(scheme)}://{host}" if _HOST_PORT.fullmatch(host) else f"a {safe_excerpt(scheme)} URL"


def _at_origin(
    origin: Origin, path: str, query: str, registry: ProfileRegistry
) -> tuple[Profile, Resource, Mapping[str, str]]:
    here = registry.at(origin)
    if not here:
        known = ", ".join(dict.fromkeys(str(profile.origin) for profile in registry.profiles.values()))
        message = f"{origin}: no profile uses this origin ({f'known: {known}' if known else 'none is configured'})"
        raise TargetError(message)
    # Of several profiles for one API, choose the one whose variables have most values in common with the URL, else the
    # first. Greedy templates, which match nearly any path, come last.
    best: tuple[tuple[bool, int], Profile, Resource, Mapping[str, str]] | None = None
    for profile in here:
        matched = _match(path, profile, str(origin), query)
        if matched is None:
            continue
        resource, values = matched
        common = sum(profile.variables.get(variable) == value for variable, value in values.items())
        rank = (resource.url.greedy_variable is None, common)
        if best is None or rank > best[0]:
            best = (rank, profile, resource, values)
    if best is None:
        raise _unknown_path(str(origin), here)
    return best[1:]


def _relative(
    path: str, query: str, registry: ProfileRegistry, name: str
) -> tuple[Profile, Resource, Mapping[str, str]]:
    first = registry.default_profile
    # Greedy templates come last, except those of the default profile.
    for candidate in sorted(registry.in_order(), key=lambda each: each is not first and _is_greedy(each.spec)):
        matched = _match(path, candidate, name, query)
        if matched is not None:
            resource, values = matched
            return registry.for_api(candidate.spec, path), resource, values
    raise _unknown_path(name, registry.in_order())


def _match(path: str, profile: Profile, name: str, query: str) -> tuple[Resource, Mapping[str, str]] | None:
    """Return the resource and the variables of a path, with or without the path prefix of the profile's base URL.

    Raises `TargetError` about `name` if the path has the shape of a template, but a segment is invalid.
    """
    prefix = urlsplit(profile.base_url).path.rstrip("/")
    stripped = path.removeprefix(prefix) if prefix and path.startswith(prefix + "/") else path
    broken: PieceError | None = None
    for resource in profile.spec.resources.values():
        try:
            values = resource.url.match(stripped)
        except PieceError as error:
            broken = broken or error
            continue
        if values is not None and resource.id_parameter is not None:
            given = [value for key, value in parse_qsl(query) if key == resource.id_parameter]
            values = {**values, ID: given[0]} if len(given) == 1 else None
        if values is not None:
            check_id(values[ID])
            return resource, values
    if broken is not None:
        raise TargetError(f"{name}: {safe_excerpt(str(broken))!r} is neither an ID nor a path segment")
    return None


def _match_path(resource: Resource, path: str) -> Mapping[str, str] | None:
    try:
        return resource.url.match(path)
    except PieceError:
        return None


def _target_at(profile: Profile, resource: Resource, values: Mapping[str, str]) -> Target:
    """Return a target of a profile from the variables of its URL, including the ID."""
    check_id(values[ID])
    account_group = resource.account_group_of(values)
    if account_group is None and resource.parse_account_group(None, profile.variables):
        # A key without an account group would be read as one in the profile's own account group.
        name = clean(profile.name)
        raise TargetError(
            f"{safe_excerpt(values[ID])}: profile {name} polls elsewhere; a job without a scope needs another profile"
        )
    return Target(JobKey(profile.name, account_group, values[ID]), profile.provider, resource.name)


def _explain_form(profile: Profile, resource: Resource, job_id: str, account_group: str | None) -> str:
    """Return in one line how the targets of a resource are written."""
    group, name = "/".join(resource.group_variables), clean(profile.name)
    given = f"{safe_excerpt(account_group)}/{safe_excerpt(job_id)}" if account_group else safe_excerpt(job_id)
    if not group:
        return f"{given}: {profile.spec.title} jobs are written as a bare ID"
    variables = ", ".join(resource.group_variables)
    settings = f", or set {variables} in [profiles.{name}.variables]" if account_group is None else ""
    return f"{given}: {profile.spec.title} jobs are written {group}/ID{settings}"


def _has_shape(resource: Resource, job_id: str) -> bool:
    return bool(resource.id_pattern) and re.fullmatch(resource.id_pattern, job_id) is not None


def _accepts_group(profile: Profile, account_group: str) -> bool:
    return profile.spec.default_resource.parse_account_group(account_group, {}) is not None


def _is_greedy(spec: ApiSpec) -> bool:
    return any(resource.url.greedy_variable is not None for resource in spec.resources.values())


def _check_query(query: str, profile: Profile, resource: Resource, name: str) -> None:
    """Raise `TargetError` for a parameter that the definition neither sends nor drops."""
    known = resource.dropped_query | {parameter for parameter, _ in resource.query}
    if not known and not resource.group_variables:
        raise TargetError(f"{name}: a poll URL must not have a query or fragment")
    for pair in query.split("&"):
        parameter = pair.partition("=")[0]
        if parameter not in known:
            raise TargetError(f"{name}: unknown parameter {safe_excerpt(parameter)!r} for {profile.provider}")


def _check_characters(text: str, query: str, name: str) -> None:
    if len(text) > MAX_URL or len(query) > MAX_QUERY:
        reason = f"the URL is too long: {len(text) + len(query)} characters (at most {MAX_URL})"
    elif not _PRINTABLE.fullmatch(text + query):
        reason = "a URL may contain only printable ASCII characters"
    elif "\\" in text + query:
        reason = "a URL must not contain a backslash"
    elif "@" in text + query:
        reason = "a URL must not contain a user name or password"
    elif "#" in text + query:
        reason = "a poll URL must not have a query or fragment"
    else:
        return
    raise TargetError(f"{name}: {reason}")


def _unknown_path(name: str, profiles: Iterable[Profile]) -> TargetError:
    shapes = dict.fromkeys(each.url.text for profile in profiles for each in profile.spec.resources.values())
    return TargetError(f"{name}: not a poll URL (known: {', '.join(shapes)})")
