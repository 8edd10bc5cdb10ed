"""The table ``[providers]``: which API a profile's ``provider`` names, and what a profile of a described API gives.

What reads descriptions is imported when there is one to read: its JSONPath costs 50 ms of every start.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jobdeck.config.credentials import SecretRef
from jobdeck.config.errors import ConfigError
from jobdeck.domain.text import one_line
from jobdeck.providers.description import BUILT_IN, AuthScheme, Description
from jobdeck.providers.profile import (
    DEFAULT_BASE_URL,
    Api,
    Basic,
    Bearer,
    Credentials,
    HeaderToken,
    Profile,
    ProviderName,
)
from jobdeck.providers.url_template import is_piece

PROVIDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_OWN: dict[str, ProviderName] = {name: name for name in DEFAULT_BASE_URL}
_VALUE = re.compile(r"[\x21-\x7e]{1,200}")
_USER = re.compile(r"[A-Za-z0-9._@+-]{1,200}")


@dataclass(frozen=True, slots=True)
class Apis:
    """The APIs that profiles can speak: those with code of their own, those built in, those that a file describes."""

    found: Mapping[str, Description] = field(default_factory=dict)

    @classmethod
    def read(cls, raw: object, path: Path) -> "Apis":
        """Read ``[providers]``; raises `ConfigError` that names table, key and what was expected."""
        if not isinstance(raw, Mapping):
            raise ConfigError(f"{path}: providers must be tables, written [providers.NAME]")
        if not raw:
            return cls()
        for name in raw:
            if not PROVIDER_NAME.fullmatch(name):
                where = f"{path}: [providers.{one_line(name, 80)}]"
                raise ConfigError(f"{where}: a provider's name is letters, digits, - and _, at most 64")
            if name in _OWN or name in BUILT_IN:
                raise ConfigError(
                    f"{path}: [providers.{name}]: {name} is built in: give yours another name" + _like(name)
                )
        from jobdeck.providers.described.builtin import describe  # noqa: PLC0415 - see above
        from jobdeck.providers.described.tables import DescriptionError  # noqa: PLC0415

        try:
            return cls({name: describe(name, raw, str(path)) for name in raw})
        except DescriptionError as error:
            raise ConfigError(str(error)) from None

    def named(self, name: str, where: str) -> Api:
        """Return the API called `name`; raises `ConfigError`, about `where`, when there is none."""
        if name in _OWN:
            return _OWN[name]
        if name in self.found:
            return self.found[name]
        if name in BUILT_IN:
            from jobdeck.providers.described.builtin import built_in  # noqa: PLC0415 - see above

            return built_in(name)
        known = sorted({*_OWN, *BUILT_IN, *self.found})
        near = difflib.get_close_matches(name, known, 1)
        hint = f" (did you mean {near[0]}?)" if near else ", or the NAME of a table [providers.NAME]"
        raise ConfigError(f"{where}: provider must be one of {', '.join(known)}{hint}")


def read_variables(description: Description, raw: object, where: str) -> dict[str, str]:
    """Return a profile's variables; raises `ConfigError` for one that is unknown, unfit or missing."""
    from jobdeck.providers.described.parse import needed_variables, variables_of  # noqa: PLC0415 - see above

    where = f"{where}: variables"
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{where} must be a table")
    known = sorted(variables_of(description))
    found: dict[str, str] = {}
    for name, value in raw.items():
        if name not in known:
            raise ConfigError(f"{where}: unknown variable {one_line(name, 80)} (known: {', '.join(known) or 'none'})")
        text = str(value) if type(value) is int else value
        if not isinstance(text, str) or not _VALUE.fullmatch(text):
            raise ConfigError(f"{where}: {name} must be a text of printable ASCII characters without blanks")
        if name in description.place:
            text = _place(description, name, text, where)
        found[name] = text
    for name in sorted(needed_variables(description)):
        if name not in found and name not in description.variables:
            raise ConfigError(f"{where}: {name} is missing, which {description.name} asks with")
    user = _filled_user(description, {**description.variables, **found})
    if description.auth.scheme is AuthScheme.BASIC and not _USER.fullmatch(user):
        raise ConfigError(
            f"{where}: the user {one_line(user, 80)!r} has other characters than letters, digits, . _ @ + -"
        )
    return found


def credentials_of(profile: Profile, token: SecretRef | None, env: Mapping[str, str]) -> Credentials | None:
    """Return the credentials of a profile of a described API, None where it needs none; raises `ConfigError`."""
    described = profile.described
    auth = described.auth if described is not None else None
    if described is None or auth is None or auth.scheme is AuthScheme.NONE:
        return None
    if token is None:
        if auth.optional:
            return None
        raise ConfigError(f"profile {profile.name} has no credentials: give it a token")
    secret = token.resolve(env)
    match auth.scheme:
        case AuthScheme.BEARER:
            return Bearer(secret)
        case AuthScheme.HEADER:
            return HeaderToken(auth.header, auth.prefix, secret)
        case AuthScheme.BASIC:
            return Basic(_filled_user(described, profile.variables), secret)


def curl_headers_of(
    description: Description, variables: Mapping[str, str], secret: str | None
) -> tuple[tuple[str, str], ...]:
    """Return the headers of a request as a shell would fill them in; `secret` names the variable with the token."""
    headers = list(description.headers)
    auth = description.auth
    if secret is not None:
        match auth.scheme:
            case AuthScheme.BEARER:
                headers.append(("Authorization", f"Bearer ${secret}"))
            case AuthScheme.HEADER:
                headers.append((auth.header, f"{auth.prefix}${secret}"))
            case AuthScheme.BASIC:
                pair = f"{_filled_user(description, variables)}:${secret}"
                headers.append(("Authorization", f'Basic $(printf %s "{pair}" | base64 | tr -d "\\n")'))
            case AuthScheme.NONE:
                pass
    return tuple(headers)


def _place(description: Description, name: str, text: str, where: str) -> str:
    several = name == description.url.several
    parts = text.strip("/").split("/") if several else [text]
    if not all(is_piece(part) for part in parts):
        what = "some parts of a path" if several else "one part of a path"
        raise ConfigError(f"{where}: {name} must be {what}, not {one_line(text, 80)!r}")
    return "/".join(parts)


def _filled_user(description: Description, variables: Mapping[str, str]) -> str:
    from jobdeck.providers.described.parse import filled  # noqa: PLC0415 - see above

    return filled(description.auth.user, variables)


def _like(name: str) -> str:
    return f' and write like = "{name}"' if name in BUILT_IN else ""
