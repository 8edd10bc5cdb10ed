"""Profiles of described APIs in the configuration: which API, which variables, which credentials."""

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import pytest

from jobdeck.config import ConfigError, ProfileSettings, load_settings
from jobdeck.providers.profile import Basic, Bearer, HeaderToken
from jobdeck.wiring.assembly import typical_of

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
    assert profile.credentials == Bearer(profile.credentials.token)  # type: ignore[union-attr] # as it says
    assert settings.curl_headers == (("Authorization", "Bearer $TOKEN"),)


def test_a_profile_of_a_built_in_description_needs_no_table_and_no_token_where_none_is_needed(load: Load) -> None:
    settings = load('[profiles.ci]\nprovider = "github-actions"\nvariables = { owner = "octocat", repo = ".github" }')
    profile = settings.resolve({})
    assert profile.credentials is None
    assert profile.base_url == "https://api.github.com"
    assert settings.curl_headers == (("X-GitHub-Api-Version", "2022-11-28"),)
    assert profile.described is not None
    assert profile.described.group_of(profile.variables) == "octocat/.github"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[profiles.ci]\nprovider = "github-actions"\n', {}),
        (ACME.replace("base_url", 'typical = "1h30m"\nbase_url') + PROFILE + VERSION, {"*": 5_400.0}),
    ],
)
def test_how_long_jobs_take_is_the_pages_word_or_unknown(load: Load, text: str, expected: dict[str, float]) -> None:
    described = load(text).profile.api
    assert typical_of(described) == expected


def test_the_place_may_have_several_parts(load: Load) -> None:
    google = '[profiles.g]\nprovider = "google-lro"\nbase_url = "https://x.googleapis.com/v1"\ntoken = "env:TOKEN"\n'
    assert load(google + 'variables = { parent = "/projects/p/locations/l/" }').profile.variables == {
        "parent": "projects/p/locations/l"
    }


@pytest.mark.parametrize(
    ("auth", "credentials", "curl"),
    [
        ('scheme = "header"\nheader = "X-Key"', HeaderToken, ("X-Key", "$TOKEN")),
        (
            'scheme = "header"\nheader = "Authorization"\nprefix = "Token "',
            HeaderToken,
            ("Authorization", "Token $TOKEN"),
        ),
        (
            'scheme = "basic"\nuser = "{team}"',
            Basic,
            ("Authorization", 'Basic $(printf %s "blue:$TOKEN" | base64 | tr -d "\\n")'),
        ),
    ],
)
def test_each_way_to_send_a_token(load: Load, auth: str, credentials: type, curl: tuple[str, str]) -> None:
    settings = load(ACME + f"[providers.acme.auth]\n{auth}\n" + PROFILE + VERSION + 'team = "blue"\n')
    assert isinstance(settings.resolve(ENV).credentials, credentials)
    assert settings.curl_headers == (curl,)


def test_an_api_without_credentials_asks_without(load: Load) -> None:
    settings = load(
        ACME + '[providers.acme.auth]\nscheme = "none"\n' + PROFILE.replace('token = "env:TOKEN"', "") + VERSION
    )
    assert settings.resolve({}).credentials is None
    assert settings.curl_headers == ()


def test_a_token_that_is_needed_and_not_given_is_missed_when_it_is_used(load: Load) -> None:
    settings = load(ACME + PROFILE.replace('token = "env:TOKEN"', "") + VERSION)
    with pytest.raises(ConfigError, match="profile own has no credentials: give it a token"):
        settings.resolve({})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (PROFILE, "provider must be one of azure-async, github-actions, google-lro, sonarly, thehog, or the NAME"),
        ('[profiles.ci]\nprovider = "github"', "provider must be one of .*google-lro, sonarly, thehog"),
        ("providers = 3", "providers must be tables, written .providers.NAME."),
        ("[providers]\nacme = 3", ".providers.acme. must be a table"),
        ('[providers."a b"]', "letters, digits, - and _"),
        ("[providers.thehog]", "thehog is built in: give yours another name$"),
        ("[providers.google-lro]", 'google-lro is built in: give yours another name and write like = "google-lro"'),
        ("[providers.acme]", r"config.toml: \[providers.acme.job\]: url is missing"),
        (ACME + PROFILE, "variables: version is missing, which acme asks with"),
        (ACME + PROFILE + VERSION + "x = 1", "variables: unknown variable x .known: team, version."),
        (ACME + PROFILE + VERSION + 'team = "a/b"', "variables: team must be one part of a path, not 'a/b'"),
        (ACME + PROFILE + VERSION + 'team = ".."', "team must be one part of a path"),
        (ACME + PROFILE + VERSION + "team = true", "team must be a text of printable ASCII characters without blanks"),
        (ACME + PROFILE + 'variables = "x"', "variables must be a table"),
        (ACME + PROFILE + 'account_group = "x"\n' + VERSION, "account_group is not for acme, which is described"),
        (ACME + PROFILE + 'secret_key = "x"\n' + VERSION, "secret_key is not for acme"),
        (
            ACME + '[providers.acme.auth]\nscheme = "none"\n' + PROFILE + VERSION,
            "token is not for acme, which takes none",
        ),
        ('[profiles.h]\nprovider = "thehog"\nvariables = {}', "variables are for described APIs, not for thehog"),
        ('[profiles.g]\nprovider = "google-lro"', "google-lro, which has no base URL of its own: give it one"),
        (
            ACME + '[providers.acme.auth]\nscheme = "basic"\nuser = "a{team}"\n' + PROFILE + VERSION + 'team = "$(id)"',
            "team must be one part of a path",
        ),
        (
            ACME + '[providers.acme.auth]\nscheme = "basic"\nuser = "a b"\n' + PROFILE + VERSION,
            "the user 'a b' has other characters",
        ),
    ],
)
def test_a_wrong_profile_or_table_is_an_error_that_names_it(load: Load, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        load(text)
    assert "config.toml" in str(caught.value)
