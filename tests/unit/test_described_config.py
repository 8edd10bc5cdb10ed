"""Profiles of described APIs in the configuration: which API, which variables, which credentials."""

import base64
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import pytest

from jobdeck.app.factories import typical_of
from jobdeck.config import ConfigError, ProfileSettings, load_settings

ENV = {"TOKEN": "tok_canary_0123456789"}
ACME = """
[providers.acme]
base_url = "https://acme.example"
[providers.acme.job]
url = "/{team}/jobs/{id}"
query = { v = "{version}" }
[providers.acme.fields]
status = "$.s"
[providers.acme.phases]
succeeded = ["ok"]
"""
PROFILE = '[profiles.own]\nprovider = "acme"\ntoken = "env:TOKEN"\n'
VERSION = "[profiles.own.variables]\nversion = 3\n"

Load = Callable[[str], ProfileSettings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def write(text: str) -> ProfileSettings:
        path = tmp_path / "config.toml"
        path.write_text(text)
        path.chmod(0o600)
        return next(iter(load_settings({}, path).profiles.values()))

    return write


def test_a_profile_of_an_api_that_the_file_describes(load: Load) -> None:
    settings = load(ACME + PROFILE + VERSION)
    profile = settings.resolve(ENV)
    assert (profile.provider, profile.base_url) == ("acme", "https://acme.example")
    assert profile.variables == MappingProxyType({"version": "3"})
    assert profile.credentials is not None
    assert dict(profile.credentials.headers) == {"Authorization": "Bearer {token}"}
    assert settings.curl_headers == (("Authorization", "Bearer $TOKEN"),)


def test_a_profile_of_a_built_in_description_needs_no_table_and_no_token_where_none_is_needed(load: Load) -> None:
    settings = load('[profiles.ci]\nprovider = "github-actions"\nvariables = { owner = "octocat", repo = ".github" }')
    profile = settings.resolve({})
    assert profile.credentials is None
    assert profile.base_url == "https://api.github.com"
    assert settings.curl_headers == (("X-GitHub-Api-Version", "2022-11-28"),)
    assert profile.spec.default_resource.account_group_of(profile.variables) == "octocat/.github"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[profiles.ci]\nprovider = "github-actions"\n', {}),
        (ACME.replace("base_url", 'typical = "1h30m"\nbase_url') + PROFILE + VERSION, {"*": 5_400.0}),
    ],
)
def test_how_long_jobs_take_is_the_pages_word_or_unknown(load: Load, text: str, expected: dict[str, float]) -> None:
    assert typical_of(load(text).profile.spec) == expected


def test_the_place_may_have_several_parts(load: Load) -> None:
    google = '[profiles.g]\nprovider = "google-lro"\nbase_url = "https://x.googleapis.com/v1"\ntoken = "env:TOKEN"\n'
    assert load(google + 'variables = { parent = "/projects/p/locations/l/" }').profile.variables == {
        "parent": "projects/p/locations/l"
    }


@pytest.mark.parametrize(
    ("auth", "sent", "curl"),
    [
        ('scheme = "header"\nheader = "X-Key"', ("X-Key", "secretTOKEN"), ("X-Key", "$TOKEN")),
        (
            'scheme = "header"\nheader = "Authorization"\nprefix = "Token "',
            ("Authorization", "Token secretTOKEN"),
            ("Authorization", "Token $TOKEN"),
        ),
        (
            'scheme = "basic"\nuser = "{team}"',
            ("Authorization", "Basic BASE64"),
            ("Authorization", 'Basic $(printf %s "blue:$TOKEN" | base64 | tr -d "\\n")'),
        ),
    ],
)
def test_each_way_to_send_a_token(load: Load, auth: str, sent: tuple[str, str], curl: tuple[str, str]) -> None:
    settings = load(ACME + f"[providers.acme.auth]\n{auth}\n" + PROFILE + VERSION + 'team = "blue"\n')
    resolved = settings.resolve(ENV).credentials
    assert resolved is not None
    value = sent[1].replace("secretTOKEN", ENV["TOKEN"])
    value = value.replace("BASE64", base64.b64encode(f"blue:{ENV['TOKEN']}".encode()).decode())
    assert resolved.reveal() == {sent[0]: value}
    assert settings.curl_headers == (curl,)


def test_an_api_without_credentials_asks_without(load: Load) -> None:
    settings = load(
        ACME + '[providers.acme.auth]\nscheme = "none"\n' + PROFILE.replace('token = "env:TOKEN"', "") + VERSION
    )
    assert settings.resolve({}).credentials is None
    assert settings.curl_headers == ()


def test_a_token_that_is_needed_and_not_given_is_missed_when_it_is_used(load: Load) -> None:
    settings = load(ACME + PROFILE.replace('token = "env:TOKEN"', "") + VERSION)
    with pytest.raises(ConfigError, match="profile own has no credentials: set a token"):
        settings.resolve({})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (PROFILE, "provider must be one of airflow, .* thehog, or the name of your own API definition"),
        ('[profiles.ci]\nprovider = "github"', "provider must be one of .*google-lro"),
        ("providers = 3", "providers must be tables such as .providers.NAME."),
        ("[providers]\nacme = 3", ".providers.acme. must be a table"),
        ('[providers."a b"]', "letters, digits, - and _"),
        ("[providers.acme]", r"config.toml: \[providers.acme.job\]: url is missing"),
        (ACME + PROFILE, "variables: version is missing; acme requires it"),
        (ACME + PROFILE + VERSION + "x = 1", "variables: unknown variable x .known: team, version."),
        (ACME + PROFILE + VERSION + 'team = "a/b"', "variables: team must be one path segment, not 'a/b'"),
        (ACME + PROFILE + VERSION + 'team = ".."', "team must be one path segment"),
        (
            ACME + PROFILE + VERSION + "team = true",
            "team must be a string of printable ASCII characters without spaces",
        ),
        (ACME + PROFILE + 'variables = "x"', "variables must be a table"),
        (ACME + PROFILE + 'account_group = "x"\n' + VERSION, "acme does not use account_group"),
        (ACME + PROFILE + 'secret_key = "x"\n' + VERSION, "acme takes a token, not secret_key"),
        (
            ACME + '[providers.acme.auth]\nscheme = "none"\n' + PROFILE + VERSION,
            "acme takes no API key, not token",
        ),
        ('[profiles.g]\nprovider = "google-lro"', "google-lro, which has no default base URL: set base_url"),
        (
            ACME + '[providers.acme.auth]\nscheme = "basic"\nuser = "a{team}"\n' + PROFILE + VERSION + 'team = "$(id)"',
            "team must be one path segment",
        ),
        (
            ACME + '[providers.acme.auth]\nscheme = "basic"\nuser = "a b"\n' + PROFILE + VERSION,
            "the user 'a b' may contain only letters, digits",
        ),
    ],
)
def test_a_wrong_profile_or_table_is_an_error_that_names_it(load: Load, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        load(text)
    assert "config.toml" in str(caught.value)
