"""Settings: profiles from a TOML file, or from the environment when there is none."""

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from jobdeck.access import explain_access
from jobdeck.config.apis import Apis
from jobdeck.config.credentials import SecretRef, require_own, require_private
from jobdeck.config.errors import ConfigError
from jobdeck.config.home import platform_place
from jobdeck.documents import MAX_TOML, DocumentError, parse_toml
from jobdeck.domain.scope import Scope
from jobdeck.domain.text import did_you_mean, mask_keys, one_line
from jobdeck.files import as_utf8, expand_home, is_inherited_pipe, read_pipe, read_regular
from jobdeck.providers.ids import is_id
from jobdeck.providers.profile import (
    MAX_REQUESTS_PER_MINUTE,
    AccessKeys,
    Api,
    Bearer,
    Credentials,
    OriginError,
    Profile,
)

if TYPE_CHECKING:
    from jobdeck.config.hooks import Hook

PROFILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
ORGANIZATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
KEY_VARIABLES = frozenset({"THE_HOG_ACCESS_KEY", "THE_HOG_SECRET_KEY", "THE_HOG_API_KEY", "SONARLY_API_KEY"})
TOP_KEYS = MappingProxyType(
    {
        "default_profile": "the profile that bare IDs are asked through; left out, the first",
        "profiles": "one table a profile, `[profiles.NAME]`",
        "providers": "one table an API of your own, `[providers.NAME]`",
        "hooks": "programs to run when jobs end, `[[hooks]]`",
        "mouse": "whether the screen uses the mouse (ctrl+t changes it); left out, it does, except in GNU screen",
    }
)
"""The keys of the file, and what they are for."""

PROFILE_KEYS = MappingProxyType(
    {
        "provider": "the API: `thehog`, `sonarly`, a shipped description, or the name of a `[providers.NAME]`",
        "base_url": "the origin that is asked, and the only one that ever gets a key; left out, the API's own",
        "access_key": "The Hog's access key",
        "secret_key": "The Hog's secret key, with an access key",
        "token": "a token for `Authorization: Bearer`, instead of the two",
        "project_id": "The Hog's project, sent as `X-Project-Id`",
        "account_group": "Sonarly's account group of bare job IDs",
        "organization": "whose jobs and rate limit these are; profiles of one organization at one origin share what is "
        "remembered and the limit; left out, the profile's name",
        "requests_per_minute": "the limit of everything sent through the profile; left out, it begins at the lower "
        "documented one and headers tell more",
        "variables": "values of a described API's placeholders",
    }
)
"""The keys of a profile, and what they are for."""


@dataclass(frozen=True, slots=True)
class ProfileSettings:
    """A profile as configured: everything of it but the secrets themselves, which `resolve` fetches."""

    profile: Profile
    access_key: SecretRef | None = None
    secret_key: SecretRef | None = None
    token: SecretRef | None = None

    @property
    def secrets(self) -> tuple[SecretRef, ...]:
        """The secrets that the profile names."""
        return tuple(ref for ref in (self.access_key, self.secret_key, self.token) if ref is not None)

    def ask(self) -> None:
        """Have the secrets typed that are to be typed, before a screen or a loop runs; raises `ConfigError`."""
        for ref in self.secrets:
            if ref.prompted:
                ref.resolve({})

    @property
    def curl_headers(self) -> tuple[tuple[str, str], ...]:
        """The headers of a request as a shell would fill them in: names, and templates with variables for secrets."""
        if self.profile.described is not None:
            name = f"{self.profile.name.upper().replace('-', '_')}_TOKEN"
            from jobdeck.config.described import curl_headers_of  # noqa: PLC0415 - for those with a described API alone

            variable = None if self.token is None else _variable(self.token, name)
            return curl_headers_of(self.profile.described, self.profile.variables, variable)
        if self.token is not None:
            name = "THE_HOG_API_KEY" if self.profile.provider == "thehog" else "SONARLY_API_KEY"
            return (("Authorization", f"Bearer ${_variable(self.token, name)}"),)
        pairs = (
            ("X-Access-Key", self.access_key, "THE_HOG_ACCESS_KEY"),
            ("X-Secret-Key", self.secret_key, "THE_HOG_SECRET_KEY"),
        )
        return tuple((header, f"${_variable(ref, name)}") for header, ref, name in pairs if ref is not None)

    def resolve(self, env: Mapping[str, str]) -> Profile:
        """Return the profile with its credentials; raises `ConfigError` when one cannot be had."""
        return Profile.create(
            self.profile.name,
            self.profile.api,
            base_url=self.profile.base_url,
            credentials=self._credentials(env),
            project_id=self.profile.project_id,
            account_group=self.profile.account_group,
            requests_per_minute=self.profile.requests_per_minute,
            variables=self.profile.variables,
            organization=self.profile.organization,
        )

    def _credentials(self, env: Mapping[str, str]) -> Credentials | None:
        if self.profile.described is not None:
            from jobdeck.config.described import credentials_of  # noqa: PLC0415 - see above

            return credentials_of(self.profile, self.token, env)
        if self.token is not None:
            return Bearer(self.token.resolve(env))
        if self.access_key is None or self.secret_key is None:
            message = f"profile {self.profile.name} has no credentials: give it {_wanted(self.profile.provider)}"
            raise ConfigError(message)
        return AccessKeys(self.access_key.resolve(env), self.secret_key.resolve(env))


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. `path` is the file they came from, None when the environment alone gave them.

    `apis` are those that a profile can speak, the described ones among them. `notices` are lines for a person. `mouse`
    is None where nothing is said.
    """

    profiles: Mapping[str, ProfileSettings]
    default_profile: str | None
    path: Path | None
    hooks: "tuple[Hook, ...]" = ()
    apis: Apis = field(default_factory=Apis)
    notices: tuple[str, ...] = ()
    mouse: bool | None = None

    @property
    def scopes(self) -> Mapping[str, Scope]:
        """Whose jobs and budget each profile's are, by the profile's name."""
        return {name: settings.profile.scope for name, settings in self.profiles.items()}

    @property
    def secret_variables(self) -> frozenset[str]:
        """The environment variables that hold, or by their names may hold, an API key."""
        refs = (ref.text.partition(":") for profile in self.profiles.values() for ref in profile.secrets)
        return KEY_VARIABLES | {name for scheme, _, name in refs if scheme == "env"}


def load_settings(env: Mapping[str, str], path: Path | None = None) -> Settings:
    """Load the settings from `path`, else ``JOBDECK_CONFIG``, else the user's file, else the environment.

    Raises `ConfigError`; a file that was named must exist, the user's own may be missing.
    """
    named = path or (expand_home(env["JOBDECK_CONFIG"]) if env.get("JOBDECK_CONFIG") else None)
    found = named or default_path(env)
    try:
        data = read_pipe(found, MAX_TOML) if is_inherited_pipe(found) else read_regular(found, MAX_TOML)
    except FileNotFoundError:
        if named is not None:
            raise ConfigError(f"there is no configuration file {named}") from None
        return _without_file(env, found)
    except OSError as error:
        # Whether there is a file in a directory that may not be searched, nobody knows.
        if named is None and not _is_there(found):
            return _without_file(env, found)
        why = error.strerror or type(error).__name__
        if isinstance(error, PermissionError):
            why = explain_access(found.parent) or f'{why}: sudo chown "$(id -un)" {shlex.quote(str(found))}'
        raise ConfigError(f"cannot read {found}: {why}") from None
    settings = _from_toml(data, found)
    if any(ref.plain for profile in settings.profiles.values() for ref in profile.secrets):
        require_private(found, "a secret as a plain value")
    return settings


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except OSError:
        return False
    return True


def _without_file(env: Mapping[str, str], path: Path) -> Settings:
    """Return the settings of the environment, with a notice where a file cannot be looked for."""
    reason = ""
    try:
        path.stat()
    except FileNotFoundError:
        if _is_there(path):
            reason = f"{path} leads to a file that is not there"
    except OSError as error:
        reason = explain_access(path.parent) or f"{path}: {error.strerror or type(error).__name__}"
    notices = (f"no configuration is read: {reason}",) if reason else ()
    return replace(_from_environment(env), notices=notices)


def default_path(env: Mapping[str, str]) -> Path:
    """Return where the user's configuration is looked for: ``~/.config/jobdeck``, else the platform's own place."""
    dotconfig = expand_home("~/.config/jobdeck/config.toml")
    if not env.get("XDG_CONFIG_HOME") and _is_there(dotconfig):
        return dotconfig
    import platformdirs  # noqa: PLC0415 - a few milliseconds that only this path needs

    place = platform_place(platformdirs.user_config_dir)
    return dotconfig if place is None else place / "config.toml"


def _from_environment(env: Mapping[str, str]) -> Settings:
    profiles: dict[str, ProfileSettings] = {}
    keys = ("THE_HOG_ACCESS_KEY", "THE_HOG_SECRET_KEY")
    if all(env.get(name, "").strip() for name in keys):
        profile = _profile("thehog", "thehog", base_url=env.get("THEHOG_BASE_URL") or None, where="THEHOG_BASE_URL")
        access, secret = (SecretRef(f"env:{name}", name) for name in keys)
        profiles["thehog"] = ProfileSettings(profile, access_key=access, secret_key=secret)
    elif env.get("THE_HOG_API_KEY", "").strip():
        profile = _profile("thehog", "thehog", base_url=env.get("THEHOG_BASE_URL") or None, where="THEHOG_BASE_URL")
        profiles["thehog"] = ProfileSettings(profile, token=SecretRef("env:THE_HOG_API_KEY", "THE_HOG_API_KEY"))
    if env.get("SONARLY_API_KEY", "").strip():
        profile = _profile("sonarly", "sonarly", base_url=env.get("SONARLY_BASE_URL") or None, where="SONARLY_BASE_URL")
        profiles["sonarly"] = ProfileSettings(profile, token=SecretRef("env:SONARLY_API_KEY", "SONARLY_API_KEY"))
    return Settings(MappingProxyType(profiles), next(iter(profiles), None), None)


def _from_toml(data: bytes, path: Path) -> Settings:
    try:
        table = parse_toml(as_utf8(data).decode())
    except (UnicodeDecodeError, DocumentError) as error:
        # A TOML error tells line and column; its text can quote a character of the file, never a whole value.
        raise ConfigError(f"{path} is not valid TOML: {one_line(str(error), 200)}") from None
    _refuse_unknown(table, TOP_KEYS, f"{path}")
    raw = table.get("profiles", {})
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: profiles must be tables, written [profiles.NAME]")
    apis = Apis.read(table.get("providers", {}), path)
    profiles = {name: _profile_settings(name, body, path, apis) for name, body in raw.items()}
    default = table.get("default_profile", next(iter(profiles), None))
    if default is not None and not (isinstance(default, str) and default in profiles):
        raise ConfigError(f"{path}: default_profile names no profile: {one_line(str(default), 80)}")
    hooks = _hooks(table["hooks"], path, profiles) if "hooks" in table else ()
    mouse = table.get("mouse")
    if not (mouse is None or isinstance(mouse, bool)):
        raise ConfigError(f"{path}: mouse must be true or false")
    return Settings(MappingProxyType(profiles), default, path, hooks, apis, mouse=mouse)


def _hooks(raw: object, path: Path, profiles: Iterable[str]) -> "tuple[Hook, ...]":
    from jobdeck.config.hooks import read_hooks  # noqa: PLC0415 - 8 ms that only those with hooks need to spend

    hooks = read_hooks(raw, f"{path}", profiles)
    if hooks:
        require_own(path, "hooks, which are run")
    return hooks


def _profile_settings(name: str, body: object, path: Path, apis: Apis) -> ProfileSettings:
    where = f"{path}: [profiles.{one_line(name, 80)}]"
    if not PROFILE_NAME.fullmatch(name) or mask_keys(name) != name:
        raise ConfigError(f"{where}: a profile's name is letters, digits, - and _, at most 64")
    if not isinstance(body, dict):
        raise ConfigError(f"{where} must be a table")
    _refuse_unknown(body, PROFILE_KEYS, where)
    api = apis.named(_text(body, "provider", where) or "", where)
    variables: Mapping[str, str] | None = None
    if not isinstance(api, str):
        from jobdeck.config.described import check_keys, read_variables  # noqa: PLC0415 - see above

        check_keys(api, body, where)
        variables = read_variables(api, body.get("variables", {}), where)
    elif "variables" in body:
        raise ConfigError(f"{where}: variables are for described APIs, not for {api}")
    limit = body.get("requests_per_minute")
    if limit is not None and (type(limit) is not int or not 1 <= limit <= MAX_REQUESTS_PER_MINUTE):
        raise ConfigError(f"{where}: requests_per_minute must be a whole number from 1 to {MAX_REQUESTS_PER_MINUTE}")
    group = _text(body, "account_group", where)
    if group is not None and not is_id(group):
        raise ConfigError(f"{where}: account_group is not a valid ID")
    organization = _text(body, "organization", where)
    if organization is not None and (
        not ORGANIZATION.fullmatch(organization) or mask_keys(organization) != organization
    ):
        raise ConfigError(f"{where}: organization is letters, digits, . - and _, at most 64")
    profile = _profile(
        name,
        api,
        base_url=_text(body, "base_url", where),
        project_id=_text(body, "project_id", where),
        account_group=group,
        requests_per_minute=limit,
        variables=variables,
        organization=organization,
        where=f"{where}: base_url",
    )
    return _with_secrets(profile, body, where)


def _with_secrets(profile: Profile, body: Mapping[str, object], where: str) -> ProfileSettings:
    refs = {
        key: SecretRef(text, f"{where}: {key}")
        for key in ("access_key", "secret_key", "token")
        if (text := _text(body, key, where)) is not None
    }
    if profile.provider == "sonarly" and refs.keys() & {"access_key", "secret_key"}:
        raise ConfigError(f"{where}: sonarly takes a token, not access_key and secret_key")
    if "token" in refs and len(refs) > 1:
        raise ConfigError(f"{where}: give either token, or access_key and secret_key")
    if len(refs.keys() & {"access_key", "secret_key"}) == 1:
        missing = "secret_key" if "access_key" in refs else "access_key"
        raise ConfigError(f"{where}: {missing} is missing")
    return ProfileSettings(profile, refs.get("access_key"), refs.get("secret_key"), refs.get("token"))


def _profile(
    name: str,
    api: Api,
    *,
    base_url: str | None,
    where: str,
    project_id: str | None = None,
    account_group: str | None = None,
    requests_per_minute: int | None = None,
    variables: Mapping[str, str] | None = None,
    organization: str | None = None,
) -> Profile:
    try:
        return Profile.create(
            name,
            api,
            base_url=base_url,
            project_id=project_id,
            account_group=account_group,
            requests_per_minute=requests_per_minute,
            variables=variables,
            organization=organization,
        )
    except OriginError as error:
        raise ConfigError(f"{where}: {error}") from None


def _text(body: Mapping[str, object], key: str, where: str) -> str | None:
    value = body.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{where}: {key} must be a text that is not empty")
    return value.strip()


def _refuse_unknown(table: Mapping[str, object], known: Iterable[str], where: str) -> None:
    for key in table:
        if key not in known:
            hint = did_you_mean(key, known) or f" (known: {', '.join(known)})"
            raise ConfigError(f"{where}: unknown key {one_line(key, 80)}{hint}")


def _wanted(provider: str) -> str:
    return "access_key and secret_key, or a token" if provider == "thehog" else "a token"


def _variable(ref: SecretRef, default: str) -> str:
    """The variable that the secret comes from, if it is one that a shell can name."""
    scheme, _, name = ref.text.partition(":")
    named = scheme == "env" and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", name, re.ASCII)
    # Who wrote a key where its variable's name belongs must not find it on the clipboard.
    return name if named and mask_keys(name) == name else default
