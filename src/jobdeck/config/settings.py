"""Settings: profiles from a TOML file, or from environment variables if there is none."""

import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from jobdeck.access import explain_access
from jobdeck.apis.loader import MAX_REQUESTS_PER_MINUTE, profile_variables, required_variables
from jobdeck.apis.pages import PageLibrary, automatic_names, built_in_names, customary_variables, names_at, names_with
from jobdeck.apis.profile import ACTIONS, CANCEL, Profile
from jobdeck.apis.spec import ApiSpec, AuthMethod, fill
from jobdeck.apis.url_template import is_id, is_piece
from jobdeck.config.apis import read_pages, read_spec
from jobdeck.config.credentials import SecretRef, require_private, require_trusted_owner
from jobdeck.config.errors import ConfigError
from jobdeck.config.home import user_config_dir
from jobdeck.documents import MAX_TOML, DocumentError, parse_toml
from jobdeck.domain.scope import Scope
from jobdeck.domain.text import did_you_mean, mask_keys, one_line
from jobdeck.files import as_utf8, expand_home, is_inherited_pipe, read_pipe, read_regular
from jobdeck.http.credentials import Credentials
from jobdeck.http.origin import Origin, OriginError

if TYPE_CHECKING:
    from jobdeck.config.programs import Hook, UserKey
    from jobdeck.config.team import TeamSettings

PROFILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
ORGANIZATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
TOP_KEYS = MappingProxyType(
    {
        "default_profile": "the profile for bare IDs (default: the first)",
        "profiles": "one table per profile, `[profiles.NAME]`",
        "providers": "one table per API of your own, `[providers.NAME]`; or a file `apis/NAME.toml` next to this one",
        "hooks": "programs to run when jobs finish, `[[hooks]]`",
        "keys": "your own keys on the screen, which run programs on the selected jobs, `[keys]`",
        "store": "the team database, `[store]`",
        "me": "your name in the team database, `[me]`",
        "mouse": "whether the screen uses the mouse (ctrl+t toggles it; default: true, except in GNU screen)",
    }
)
"""The keys of the file, with explanations for the reference."""

PROFILE_KEYS = MappingProxyType(
    {
        "provider": "the API: the name of a definition, built in (`jobdeck apis`) or your own",
        "base_url": "the base URL; credentials are sent to this origin only (default: the API's own)",
        "access_key": "an access key, for APIs that use an access key and a secret key",
        "secret_key": "the secret key of an access key",
        "token": "a token; other secrets of an API are named in its definition",
        "project_id": "shorthand for the variable `project_id`",
        "account_group": "shorthand for the variable `account_group`: the account group of bare job IDs",
        "organization": "who owns the jobs and the rate limit; profiles with the same organization at the same origin "
        "share saved data and the rate limit (default: the profile's name)",
        "requests_per_minute": "the rate limit for everything sent through the profile (default: start at the lower "
        "documented limit, then follow the response headers)",
        "variables": "values for the variables in the API's URLs and headers",
        "allow": 'what may be done to jobs: `["cancel"]` allows `jobdeck cancel` and ctrl+x on the screen (default: '
        "nothing)",
    }
)
"""The keys of a profile, with explanations for the reference."""


STORE_URL = "JOBDECK_STORE_URL"
"""The environment variable for a team's shared store, if the file has no URL."""

_SHORT_VARIABLES = ("project_id", "account_group")
"""Variables that may be set by a key of the profile."""

_VALUE = re.compile(r"[\x21-\x7e]{1,200}")
_USER = re.compile(r"[A-Za-z0-9._@+-]{1,200}")


@dataclass(frozen=True, slots=True)
class ProfileSettings:
    """A configured profile, without its secrets, which `resolve` loads."""

    profile: Profile
    secret_refs: Mapping[str, SecretRef] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def secrets(self) -> tuple[SecretRef, ...]:
        """The references to the profile's secrets."""
        return tuple(self.secret_refs.values())

    @property
    def auth(self) -> AuthMethod | None:
        """The first authentication method with all secrets configured, or None."""
        return next((way for way in self.profile.spec.auth if self.secret_refs.keys() >= set(way.secrets)), None)

    def prompt(self) -> None:
        """Let the user type secrets, before a screen or an event loop runs; raises `ConfigError`."""
        for ref in self.secrets:
            if ref.prompted:
                ref.resolve({})

    @property
    def curl_headers(self) -> tuple[tuple[str, str], ...]:
        """The headers of a curl command: names, and templates with shell variables for secrets."""
        headers = list(self.profile.http.headers.items())
        auth = self.auth
        if auth is None:
            return tuple(headers)
        variables = {name: f"${self._variable(auth, name)}" for name in auth.secrets}
        headers += [(name, fill(template, variables)) for name, template in auth.headers.items()]
        if auth.basic_password:
            pair = f"{fill(auth.basic_user, self.profile.variables)}:{fill(auth.basic_password, variables)}"
            headers.append(("Authorization", f'Basic $(printf %s "{pair}" | base64 | tr -d "\\n")'))
        return tuple(headers)

    def resolve(self, env: Mapping[str, str]) -> Profile:
        """Return the profile with its credentials; raises `ConfigError` if one cannot be loaded."""
        return replace(self.profile, credentials=self._credentials(env))

    def _credentials(self, env: Mapping[str, str]) -> Credentials | None:
        auth = self.auth
        if auth is None:
            if self.profile.spec.needs_secret:
                needed = describe_secrets(self.profile.spec)
                raise ConfigError(f"profile {self.profile.name} has no credentials: set {needed}")
            return None
        secrets = {name: self.secret_refs[name].resolve(env) for name in auth.secrets}
        user = fill(auth.basic_user, self.profile.variables)
        return Credentials(MappingProxyType(secrets), auth.headers, user, auth.basic_password)

    def _variable(self, auth: AuthMethod, name: str) -> str:
        default = auth.env.get(name) or f"{self.profile.name.upper().replace('-', '_')}_{name.upper()}"
        return _variable(self.secret_refs[name], default)


class Profiles(Mapping[str, ProfileSettings]):
    """The profiles by name.

    Iteration yields the configured ones. In addition, each API whose environment variables are set has an unlisted
    profile of its name, which only a lookup by name finds.
    """

    def __init__(self, configured: Mapping[str, ProfileSettings], library: PageLibrary, env: Mapping[str, str]) -> None:
        self._configured = configured
        self._library = library
        self._env = env
        self._implicit: dict[str, ProfileSettings | None] = {}

    def __getitem__(self, name: str) -> ProfileSettings:
        found = self._configured.get(name) or self._from_environment(name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._configured)

    def __len__(self) -> int:
        return len(self._configured)

    def at(self, origin: Origin) -> tuple[str, ...]:
        """Return the names of the unlisted profiles at an origin."""
        own = (name for name in self._own() if self[name].profile.origin == origin)
        return (*own, *(name for name in names_at(origin) if self._is_unlisted(name)))

    def unlisted(self) -> tuple[str, ...]:
        """Return the names of the unlisted profiles; invalid ones are left out."""
        return (*self._own(), *(name for name in names_with(self._env) if self._is_unlisted(name)))

    def _own(self) -> tuple[str, ...]:
        """Return the names of the unlisted profiles for the user's own API definitions."""
        return tuple(name for name in self._library.own if name not in built_in_names() and self._is_unlisted(name))

    def _is_unlisted(self, name: str) -> bool:
        with suppress(ConfigError):
            return name not in self._configured and name in self
        return False

    def _from_environment(self, name: str) -> ProfileSettings | None:
        if name not in self._library.names:
            return None
        if name not in self._implicit:
            self._implicit[name] = profile_from_environment(name, self._library, self._env)
        return self._implicit[name]


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings."""

    profiles: Mapping[str, ProfileSettings]
    default_profile: str | None
    path: Path | None
    """The file they were read from; None if there is none."""
    hooks: "tuple[Hook, ...]" = ()
    apis: PageLibrary = field(default_factory=PageLibrary)
    """The API definitions that profiles can name."""
    notices: tuple[str, ...] = ()
    """For the user."""
    mouse: bool | None = None
    """None if not configured."""
    keys: "tuple[UserKey, ...]" = ()
    team: "TeamSettings | None" = None

    @property
    def scopes(self) -> Mapping[str, Scope]:
        """The scope of each profile's jobs and rate limit, by profile name; unlisted profiles come last."""
        return {name: self.profiles[name].profile.scope for name in (*self.profiles, *self.unlisted)}

    @property
    def unlisted(self) -> tuple[str, ...]:
        """The names of the profiles that are only found by name."""
        return self.profiles.unlisted() if isinstance(self.profiles, Profiles) else ()

    @property
    def secret_variables(self) -> frozenset[str]:
        """The environment variables that contain, or by their names may contain, an API key."""
        refs = (ref.text.partition(":") for profile in self.profiles.values() for ref in profile.secrets)
        # Variables of other APIs may be meant for hooks, until a profile has read them.
        customary = frozenset[str]().union(*map(customary_variables, automatic_names()))
        team = () if self.team is None else (self.team.ref.text.partition(":"),)
        return customary | {STORE_URL} | {name for scheme, _, name in (*refs, *team) if scheme == "env"}


def profile_from_environment(name: str, library: PageLibrary, env: Mapping[str, str]) -> ProfileSettings | None:
    """Return the profile defined by an API's usual environment variables; None if they are not set.

    Raises `ConfigError` for an invalid base URL.
    """
    spec = read_spec(library, name, name)
    for way in spec.auth:
        if way.secrets and all(env.get(way.env.get(secret, ""), "").strip() for secret in way.secrets):
            break
    else:
        return None
    url = env.get(spec.base_url_env) if spec.base_url_env else None
    if not (url or spec.base_url) or not required_variables(spec) <= spec.defaults.keys():
        return None
    profile = _profile(name, spec, base_url=url or None, where=spec.base_url_env)
    refs = {secret: SecretRef(f"env:{way.env[secret]}", way.env[secret]) for secret in way.secrets}
    return ProfileSettings(profile, MappingProxyType(refs))


def describe_secrets(spec: ApiSpec) -> str:
    """Describe the secrets of an API: ``access_key and secret_key, or a token``."""
    ways = (" and ".join("a token" if name == "token" else name for name in way.secrets) for way in spec.auth)
    return ", or ".join(way for way in ways if way)


def load_settings(env: Mapping[str, str], path: Path | None = None) -> Settings:
    """Load the settings from `path`, or else ``JOBDECK_CONFIG``, the user's file, or the environment.

    Raises `ConfigError`; a file that was named must exist, the user's default file may be missing.
    """
    named = path or (expand_home(env["JOBDECK_CONFIG"]) if env.get("JOBDECK_CONFIG") else None)
    found = named or default_path(env)
    try:
        data = read_pipe(found, MAX_TOML) if is_inherited_pipe(found) else read_regular(found, MAX_TOML)
    except FileNotFoundError:
        if named is not None:
            raise ConfigError(f"no such configuration file: {named}") from None
        return _without_file(env, found)
    except OSError as error:
        # In a directory that cannot be searched, it is unknown whether the file exists.
        if named is None and not _is_there(found):
            return _without_file(env, found)
        why = error.strerror or type(error).__name__
        if isinstance(error, PermissionError):
            why = explain_access(found.parent) or f'{why}: sudo chown "$(id -un)" {shlex.quote(str(found))}'
        raise ConfigError(f"cannot read {found}: {why}") from None
    settings = _from_toml(data, found, env)
    if any(ref.plain for profile in settings.profiles.values() for ref in profile.secrets):
        require_private(found, "a plaintext secret")
    return settings


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except OSError:
        return False
    return True


def _without_file(env: Mapping[str, str], path: Path) -> Settings:
    """Return the settings of the environment, with a notice if the configuration file cannot be read."""
    reason = ""
    try:
        path.stat()
    except FileNotFoundError:
        if _is_there(path):
            reason = f"{path} is a broken symlink"
    except OSError as error:
        reason = explain_access(path.parent) or f"{path}: {error.strerror or type(error).__name__}"
    notices = (f"configuration ignored: {reason}",) if reason else ()
    library = PageLibrary() if reason else read_pages({}, path)
    found = {name: profile_from_environment(name, library, env) for name in automatic_names()}
    configured = {name: profile for name, profile in found.items() if profile is not None}
    default = next(iter(configured), None)
    team = _read_optional({}, None, env, ()).team
    return Settings(Profiles(configured, library, env), default, None, apis=library, notices=notices, team=team)


def default_path(env: Mapping[str, str]) -> Path:
    """Return the path of the user's configuration: ``~/.config/jobdeck``, or else the platform's directory."""
    dotconfig = expand_home("~/.config/jobdeck/config.toml")
    if not env.get("XDG_CONFIG_HOME") and _is_there(dotconfig):
        return dotconfig
    place = user_config_dir()
    return dotconfig if place is None else place / "config.toml"


def _from_toml(data: bytes, path: Path, env: Mapping[str, str]) -> Settings:
    try:
        table = parse_toml(as_utf8(data).decode())
    except (UnicodeDecodeError, DocumentError) as error:
        # TOML errors contain line and column and may quote one character, never a value.
        raise ConfigError(f"{path} is not valid TOML: {one_line(str(error), 200)}") from None
    _refuse_unknown(table, TOP_KEYS, f"{path}")
    raw = table.get("profiles", {})
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: profiles must be tables such as [profiles.NAME]")
    library = read_pages(table.get("providers", {}), path)
    configured = {name: _profile_settings(name, body, path, library) for name, body in raw.items()}
    default = table.get("default_profile", next(iter(configured), None))
    if default is not None and not (isinstance(default, str) and default in configured):
        raise ConfigError(f"{path}: default_profile is not a profile: {one_line(str(default), 80)}")
    optional = _read_optional(table, path, env, configured)
    mouse = table.get("mouse")
    if not (mouse is None or isinstance(mouse, bool)):
        raise ConfigError(f"{path}: mouse must be true or false")
    profiles = Profiles(configured, library, env)
    return Settings(
        profiles, default, path, optional.hooks, library, mouse=mouse, keys=optional.keys, team=optional.team
    )


@dataclass(frozen=True, slots=True)
class _Optional:
    """Settings that are rarely configured: programs to run, and a team's store."""

    hooks: "tuple[Hook, ...]" = ()
    keys: "tuple[UserKey, ...]" = ()
    team: "TeamSettings | None" = None


def _read_optional(
    table: Mapping[str, object], path: Path | None, env: Mapping[str, str], profiles: Iterable[str]
) -> _Optional:
    if not table.keys() & {"hooks", "keys", "store", "me"} and not env.get(STORE_URL, "").strip():
        return _Optional()
    from jobdeck.config import programs, team  # noqa: PLC0415 - 10 ms that only those with any of it spend

    found = programs.read_hooks(table.get("hooks", []), f"{path}", profiles)
    if found and path is not None:
        require_trusted_owner(path, "hooks")
    keys = programs.read_user_keys(table.get("keys", {}), f"{path}")
    if keys and path is not None:
        require_trusted_owner(path, "keys, which run programs")
    return _Optional(found, keys, team.read_team(table.get("store", {}), table.get("me", {}), path, env))


def _profile_settings(name: str, body: object, path: Path, library: PageLibrary) -> ProfileSettings:
    where = f"{path}: [profiles.{one_line(name, 80)}]"
    if not PROFILE_NAME.fullmatch(name) or mask_keys(name) != name:
        raise ConfigError(f"{where}: a profile name may contain letters, digits, - and _, up to 64 characters")
    if not isinstance(body, dict):
        raise ConfigError(f"{where} must be a table")
    provider = _text(body, "provider", where) if isinstance(body.get("provider"), str) else None
    if provider is None:
        _refuse_unknown(body, PROFILE_KEYS, where)
    spec = read_spec(library, provider or "", where)
    _refuse_unknown(body, [*PROFILE_KEYS, *spec.secrets], where)
    limit = body.get("requests_per_minute")
    if limit is not None and (type(limit) is not int or not 1 <= limit <= MAX_REQUESTS_PER_MINUTE):
        raise ConfigError(f"{where}: requests_per_minute must be a whole number from 1 to {MAX_REQUESTS_PER_MINUTE}")
    organization = _text(body, "organization", where)
    if organization is not None and (
        not ORGANIZATION.fullmatch(organization) or mask_keys(organization) != organization
    ):
        raise ConfigError(f"{where}: organization may contain letters, digits, . - and _, up to 64 characters")
    profile = _profile(
        name,
        spec,
        base_url=_text(body, "base_url", where),
        requests_per_minute=limit,
        variables=_variables(spec, body, where),
        organization=organization,
        allow=_allowed(spec, body, where),
        where=f"{where}: base_url",
    )
    return ProfileSettings(profile, _secret_refs(spec, body, where))


def _allowed(spec: ApiSpec, body: Mapping[str, object], where: str) -> frozenset[str]:
    """Return the actions that a profile allows; raises `ConfigError` for an unknown or unavailable one."""
    named = body.get("allow", [])
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        raise ConfigError(f'{where}: allow must be a list of strings, such as ["{CANCEL}"]')
    unknown = next((each for each in named if each not in ACTIONS), None)
    if unknown is not None:
        hint = did_you_mean(unknown, ACTIONS) or f" (known: {', '.join(ACTIONS)})"
        raise ConfigError(f"{where}: allow: unknown action {one_line(unknown, 80)}{hint}")
    if CANCEL in named and not spec.cancel:
        raise ConfigError(f"{where}: allow: {spec.title} cannot cancel jobs")
    return frozenset(named)


def _variables(spec: ApiSpec, body: Mapping[str, object], where: str) -> dict[str, str]:
    """Return a profile's variables; raises `ConfigError` for an unknown, invalid or missing one."""
    raw = body.get("variables", {})
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{where}: variables must be a table")
    known = sorted(profile_variables(spec))
    short = {name: text for name in _SHORT_VARIABLES if (text := _short_variable(spec, body, name, known, where))}
    found: dict[str, str] = {}
    for name, value in {**short, **raw}.items():
        if name not in known:
            hint = did_you_mean(name, known) or f" (known: {', '.join(known) or 'none'})"
            raise ConfigError(f"{where}: variables: unknown variable {one_line(name, 80)}{hint}")
        text = str(value) if type(value) is int else value
        if not isinstance(text, str) or not _VALUE.fullmatch(text):
            raise ConfigError(
                f"{where}: variables: {name} must be a string of printable ASCII characters without spaces"
            )
        found[name] = _path_value(spec, name, text, where)
    for name in sorted(required_variables(spec)):
        if name not in found and name not in spec.defaults:
            raise ConfigError(f"{where}: variables: {name} is missing; {spec.name} requires it")
    for way in spec.auth:
        user = fill(way.basic_user, {**spec.defaults, **found})
        if user and not _USER.fullmatch(user):
            allowed = "letters, digits, . _ @ + -"
            raise ConfigError(f"{where}: variables: the user {one_line(user, 80)!r} may contain only {allowed}")
    return found


def _short_variable(
    spec: ApiSpec, body: Mapping[str, object], name: str, known: Collection[str], where: str
) -> str | None:
    """Return a variable set by a key of the profile; None if it is missing, or the API does not need it."""
    text = _text(body, name, where)
    if text is None or name in known:
        return text
    if name == "account_group" and any(resource.group_variables for resource in spec.resources.values()):
        raise ConfigError(f"{where}: {spec.name} does not use {name}")
    return None


def _path_value(spec: ApiSpec, name: str, text: str, where: str) -> str:
    """Return the value of a variable, without slashes around it if it is part of a path."""
    resources = [resource for resource in spec.resources.values() if name in resource.group_variables]
    if not resources:
        return text
    if name in _SHORT_VARIABLES and not is_id(text):
        raise ConfigError(f"{where}: {name} is not a valid ID")
    several = any(resource.url.greedy_variable == name for resource in resources)
    parts = text.strip("/").split("/") if several else [text]
    if not all(is_piece(part) for part in parts):
        what = "path segments" if several else "one path segment"
        raise ConfigError(f"{where}: variables: {name} must be {what}, not {one_line(text, 80)!r}")
    return "/".join(parts)


def _secret_refs(spec: ApiSpec, body: Mapping[str, object], where: str) -> Mapping[str, SecretRef]:
    """Return the secrets of a profile; they must be those of one authentication method."""
    named = [key for key in ("access_key", "secret_key", "token") if key in body]
    named += [key for key in spec.secrets if key in body and key not in named]
    refs = {key: SecretRef(text, f"{where}: {key}") for key in named if (text := _text(body, key, where)) is not None}
    foreign = [key for key in refs if key not in spec.secrets]
    if foreign:
        takes = describe_secrets(spec) or "no API key"
        raise ConfigError(f"{where}: {spec.name} takes {takes}, not {' and '.join(foreign)}")
    if not refs or any(refs.keys() == set(way.secrets) for way in spec.auth):
        return MappingProxyType(refs)
    if any(refs.keys() > set(way.secrets) for way in spec.auth):
        raise ConfigError(f"{where}: set either {describe_secrets(spec)}")
    nearest = max(spec.auth, key=lambda way: len(refs.keys() & set(way.secrets)))
    missing = [name for name in nearest.secrets if name not in refs]
    raise ConfigError(f"{where}: {' and '.join(missing)} is missing")


def _profile(
    name: str,
    spec: ApiSpec,
    *,
    base_url: str | None,
    where: str,
    requests_per_minute: int | None = None,
    variables: Mapping[str, str] | None = None,
    organization: str | None = None,
    allow: frozenset[str] = frozenset(),
) -> Profile:
    try:
        return Profile.create(
            name,
            spec,
            base_url=base_url,
            requests_per_minute=requests_per_minute,
            variables=variables,
            organization=organization,
            allow=allow,
        )
    except OriginError as error:
        raise ConfigError(f"{where}: {error}") from None


def _text(body: Mapping[str, object], key: str, where: str) -> str | None:
    value = body.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{where}: {key} must be a non-empty string")
    return value.strip()


def _refuse_unknown(table: Mapping[str, object], known: Iterable[str], where: str) -> None:
    for key in table:
        if key not in known:
            hint = did_you_mean(key, known) or f" (known: {', '.join(known)})"
            raise ConfigError(f"{where}: unknown key {one_line(key, 80)}{hint}")


def _variable(ref: SecretRef, default: str) -> str:
    """Return the environment variable of a secret, if a shell can use its name, or else `default`."""
    scheme, _, name = ref.text.partition(":")
    named = scheme == "env" and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", name, re.ASCII)
    # An API key in place of the variable's name must not get to the clipboard.
    return name if named and mask_keys(name) == name else default
