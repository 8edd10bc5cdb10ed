import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from jobdeck.app.data_store import data_dir
from jobdeck.config import ConfigError, load_settings
from jobdeck.config.programs import HOOK_KEYS
from jobdeck.config.settings import PROFILE_KEYS, TOP_KEYS, default_path
from jobdeck.domain.scope import Scope, format_scope, parse_scope
from jobdeck.http.credentials import Credentials

Write = Callable[..., Path]
HOG = {"THE_HOG_ACCESS_KEY": "ak_canary_0123456789", "THE_HOG_SECRET_KEY": "sk_canary_0123456789"}

FULL = """
default_profile = "hog"
[profiles.hog]
provider = "thehog"
base_url = "https://developer.thehog.ai"
access_key = "env:THE_HOG_ACCESS_KEY"
secret_key = "env:THE_HOG_SECRET_KEY"
requests_per_minute = 300
[profiles.sonarly]
provider = "sonarly"
token = "env:SONARLY_API_KEY"
account_group = "507f1f77bcf86cd799439011"
requests_per_minute = 60
"""


def authorization(credentials: Credentials | None) -> str:
    assert credentials is not None
    return credentials.headers["Authorization"]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(text: str, mode: int = 0o600) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text)
        path.chmod(mode)
        return path

    return write_file


def test_the_documented_file_reads_as_documented(write: Write) -> None:
    settings = load_settings({}, write(FULL, 0o644))
    assert settings.default_profile == "hog"
    hog, sonarly = settings.profiles["hog"], settings.profiles["sonarly"]
    assert hog.profile.requests_per_minute == 300
    assert str(sonarly.profile.origin) == "https://api.sonarly.io"
    assert sonarly.profile.variables["account_group"] == "507f1f77bcf86cd799439011"
    resolved = hog.resolve(HOG).credentials
    assert resolved is not None
    assert set(resolved.headers) == {"X-Access-Key", "X-Secret-Key"}
    assert resolved.secrets["access_key"].reveal() == "ak_canary_0123456789"


def test_the_mouse_is_as_the_file_says_and_else_as_the_terminal_does(write: Write) -> None:
    assert load_settings({}, write(FULL)).mouse is None
    assert load_settings({}, write(f"mouse = false\n{FULL}")).mouse is False
    with pytest.raises(ConfigError, match="mouse must be true or false"):
        load_settings({}, write(f'mouse = "off"\n{FULL}'))


def test_a_secret_is_fetched_only_when_its_profile_is_used(write: Write) -> None:
    settings = load_settings(HOG, write(FULL))
    settings.profiles["hog"].resolve(HOG)
    with pytest.raises(ConfigError, match="SONARLY_API_KEY is not set"):
        settings.profiles["sonarly"].resolve(HOG)


def test_without_a_file_the_environment_makes_profiles(tmp_path: Path) -> None:
    env = {**HOG, "SONARLY_API_KEY": "sk_live_0123456789", "THEHOG_BASE_URL": "http://127.0.0.1:8080/"}
    settings = load_settings({**env, "XDG_CONFIG_HOME": str(tmp_path)})
    assert list(settings.profiles) == ["thehog", "sonarly"]
    assert settings.default_profile == "thehog"
    assert settings.profiles["thehog"].profile.base_url == "http://127.0.0.1:8080"
    assert authorization(settings.profiles["sonarly"].resolve(env).credentials) == "Bearer {token}"


def test_the_older_bearer_key_makes_a_profile_as_well(tmp_path: Path) -> None:
    env = {"THE_HOG_API_KEY": "hog_live_0123456789", "XDG_CONFIG_HOME": str(tmp_path)}
    settings = load_settings(env)
    assert authorization(settings.profiles["thehog"].resolve(env).credentials) == "Bearer {token}"


def test_an_empty_environment_makes_no_profile(tmp_path: Path) -> None:
    settings = load_settings({"XDG_CONFIG_HOME": str(tmp_path)})
    assert not settings.profiles
    assert settings.default_profile is None


def test_jobdeck_config_names_the_file(write: Write) -> None:
    assert load_settings({"JOBDECK_CONFIG": str(write(FULL))}).path is not None


def test_a_scope_is_the_origin_and_the_organization_else_the_name(write: Write) -> None:
    text = """
[profiles.one]
provider = "thehog"
base_url = "https://API.example.com:443/hog"
organization = "acme"
[profiles.two]
provider = "sonarly"
base_url = "https://api.example.com"
organization = "acme"
[profiles.three]
provider = "sonarly"
base_url = "https://api.example.com:8443"
"""
    settings = load_settings({}, write(text))
    assert settings.scopes == {
        "one": Scope("https://api.example.com", "acme", "thehog"),
        "two": Scope("https://api.example.com", "acme", "sonarly"),
        "three": Scope("https://api.example.com:8443", "three", "sonarly"),
    }
    assert settings.scopes["one"].budget == settings.scopes["two"].budget
    assert settings.profiles["three"].profile.organization is None
    settings = load_settings({}, write(text.replace("acme", "other.org-1")))
    assert {scope.organization for scope in settings.scopes.values()} == {"other.org-1", "three"}


@pytest.mark.parametrize(
    "scope",
    [
        Scope("https://a.example:8443", "acme", "thehog"),
        Scope("https://a.example", "acme"),
        Scope("", "acme", "thehog"),
        Scope("", "acme"),
    ],
)
def test_a_scope_is_read_as_it_was_written(scope: Scope) -> None:
    assert parse_scope(format_scope(scope)) == scope


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such configuration file"):
        load_settings({}, tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("colour = 1", "unknown key colour"),
        ('[profiles.hog]\nprovider = "thehog"\nacces_key = "x"', "unknown key acces_key.*did you mean access_key"),
        (
            '[profiles.hog]\nprovider = "hog"',
            "provider must be one of airflow, .* thehog",
        ),
        ('[profiles.hog]\nprovider = "thehog"\nbase_url = "http://example.com"', "http is allowed only for loopback"),
        ('[profiles.hog]\nprovider = "thehog"\nbase_url = "https://u:p@example.com"', "user name or password"),
        ('[profiles.hog]\nprovider = "thehog"\naccess_key = "env:A"', "secret_key is missing"),
        (
            '[profiles.hog]\nprovider = "thehog"\naccess_key = "env:A"\ntoken = "env:B"',
            "set either access_key and secret_key, or a token",
        ),
        ('[profiles.s]\nprovider = "sonarly"\nsecret_key = "env:A"', "sonarly takes a token"),
        ('[profiles.s]\nprovider = "sonarly"\nrequests_per_minute = 0', "whole number"),
        ('[profiles.s]\nprovider = "sonarly"\nrequests_per_minute = true', "whole number"),
        ('[profiles.s]\nprovider = "sonarly"\naccount_group = "../x"', "account_group is not a valid ID"),
        ('[profiles.s]\nprovider = "sonarly"\norganization = "a b"', "organization may contain letters, digits"),
        ('[profiles.s]\nprovider = "sonarly"\norganization = 7', "organization must be a non-empty string"),
        ('[profiles.s]\nprovider = "sonarly"\norganization = ""', "organization must be a non-empty string"),
        (
            '[profiles.s]\nprovider = "sonarly"\norganization = "sk_live_0123456789abcdef"',
            "organization may contain letters",
        ),
        ('[profiles."a b"]\nprovider = "sonarly"', "letters, digits"),
        ('default_profile = "nope"', "default_profile is not a profile"),
        ("profiles = 3", "must be tables"),
        ("[profiles", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_an_error_that_names_the_place(write: Write, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load_settings({}, write(text))


VALUES = (
    "1",
    "1.5",
    "true",
    '"a"',
    "[]",
    "[1]",
    '["a"]',
    "{}",
    "{ a = 1 }",
    "{ a = { b = [1] } }",
    "2026-04-28",
    "nan",
)


@pytest.mark.parametrize("value", VALUES)
def test_a_value_of_any_type_is_accepted_or_refused(write: Write, value: str) -> None:
    profile = '[profiles.p]\nprovider = "thehog"\n'
    texts = [f"{key} = {value}\n" for key in TOP_KEYS]
    texts += [f"default_profile = {value}\n{profile}", f"[profiles]\np = {value}\n", f"[providers]\np = {value}\n"]
    texts += [f'[profiles.p]\nprovider = "github-actions"\nvariables = {value}\n']
    texts += [f"[profiles.p]\n{key} = {value}\n" for key in PROFILE_KEYS]
    texts += [f"{profile}{key} = {value}\n" for key in PROFILE_KEYS if key != "provider"]
    texts += [f'{profile}[[hooks]]\nrun = ["x"]\n{key} = {value}\n' for key in HOOK_KEYS if key != "run"]
    texts += [f"{profile}[[hooks]]\nrun = {value}\n"]
    for text in texts:
        with contextlib.suppress(ConfigError):
            load_settings({}, write(text))


@pytest.mark.posix
def test_a_user_without_a_home_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54_321)
    env = {"THE_HOG_API_KEY": "hog_live_0123456789"}
    assert list(load_settings(env).profiles) == ["thehog"]
    with pytest.raises(ConfigError, match="no such configuration file: ~nobody-of-this-name/x"):
        load_settings({**env, "JOBDECK_CONFIG": "~nobody-of-this-name/x"})
    with pytest.raises(ConfigError, match="set HOME or JOBDECK_DATA_DIR, or use --no-store"):
        data_dir({})
    assert data_dir({"JOBDECK_DATA_DIR": "/x"}) == Path("/x")


@pytest.mark.posix
def test_a_plain_secret_is_accepted_in_a_private_file_only(write: Write) -> None:
    text = '[profiles.s]\nprovider = "sonarly"\ntoken = "sk_live_canary_0123456789"'
    assert load_settings({}, write(text)).profiles["s"].resolve({}).credentials is not None
    path = write(text, 0o640)
    with pytest.raises(ConfigError, match=f"chmod 600 {path}") as caught:
        load_settings({}, path)
    assert "canary" not in str(caught.value)


@pytest.mark.posix
def test_a_secret_file_that_others_can_read_is_refused(write: Write, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("sk_live_canary_0123456789\n")
    secret.chmod(0o600)
    settings = load_settings({}, write(f'[profiles.s]\nprovider = "sonarly"\ntoken = "file:{secret}"'))
    assert settings.profiles["s"].resolve({}).credentials is not None
    secret.chmod(0o644)
    with pytest.raises(ConfigError, match=f"chmod 600 {secret}"):
        settings.profiles["s"].resolve({})


@pytest.mark.parametrize("value", ["short", "has a blank in it", "line\nbreak_canary", "é" * 12, "x" * 513])
def test_a_malformed_secret_is_refused_and_not_shown(write: Write, value: str) -> None:
    settings = load_settings({}, write('[profiles.s]\nprovider = "sonarly"\ntoken = "env:KEY"'))
    with pytest.raises(ConfigError, match="8 to 512 printable ASCII") as caught:
        settings.profiles["s"].resolve({"KEY": value})
    assert value not in str(caught.value)


def test_settings_never_print_a_plain_secret(write: Write) -> None:
    text = '[profiles.s]\nprovider = "sonarly"\ntoken = "sk_live_canary_0123456789"'
    settings = load_settings({}, write(text))
    assert "canary" not in repr(settings)
    assert "canary" not in repr(settings.profiles["s"].resolve({}))


def test_a_missing_keyring_extra_is_said(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "keyring", None)
    settings = load_settings({}, write('[profiles.s]\nprovider = "sonarly"\ntoken = "keyring:jobdeck/me"'))
    with pytest.raises(ConfigError, match="keyring support is not installed"):
        settings.profiles["s"].resolve({})


def test_the_users_own_file_is_the_platforms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert default_path({"XDG_CONFIG_HOME": str(tmp_path)}).name == "config.toml"
