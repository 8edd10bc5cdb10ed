"""What a profile of a described API gives: variables and credentials. Imported for those that have one."""

import re
from collections.abc import Mapping

from jobdeck.config.credentials import SecretRef
from jobdeck.config.errors import ConfigError
from jobdeck.domain.text import did_you_mean, one_line
from jobdeck.providers.described.parse import filled, needed_variables, variables_of
from jobdeck.providers.description import AuthScheme, Description
from jobdeck.providers.profile import Basic, Bearer, Credentials, HeaderToken, Profile
from jobdeck.providers.url_template import is_piece

_VALUE = re.compile(r"[\x21-\x7e]{1,200}")
_USER = re.compile(r"[A-Za-z0-9._@+-]{1,200}")


def read_variables(description: Description, raw: object, where: str) -> dict[str, str]:
    """Return a profile's variables; raises `ConfigError` for one that is unknown, unfit or missing."""
    where = f"{where}: variables"
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{where} must be a table")
    known = sorted(variables_of(description))
    found: dict[str, str] = {}
    for name, value in raw.items():
        if name not in known:
            hint = did_you_mean(name, known) or f" (known: {', '.join(known) or 'none'})"
            raise ConfigError(f"{where}: unknown variable {one_line(name, 80)}{hint}")
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


def check_keys(description: Description, body: Mapping[str, object], where: str) -> None:
    """Raise `ConfigError` for a key of a profile that is for APIs of another kind."""
    for key in ("access_key", "secret_key", "project_id", "account_group"):
        if key in body:
            message = f"{where}: {key} is not for {description.name}, which is described: it takes token and variables"
            raise ConfigError(message)
    if "token" in body and description.auth.scheme is AuthScheme.NONE:
        raise ConfigError(f"{where}: token is not for {description.name}, which takes none")


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
    return filled(description.auth.user, variables)
