"""``jobdeck apis``: which APIs there are, where their pages are from, and a page to copy."""

import tomllib
from pathlib import Path

import pytest

from jobdeck.apis.pages import built_in_names, built_in_text
from jobdeck.cli.commands.apis import to_toml
from tests.cli.harness import environment, jobdeck

MINE = """
like = "github-actions"
title = "Mine"
base_url = "https://ci.example/api"
"""
CONFIG = """
[profiles.own]
provider = "within"
token = "env:TOKEN"
[providers.within]
like = "mine"
title = "Within"
headers = { X-A = "b" }
"""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "apis").mkdir()
    (tmp_path / "apis" / "mine.toml").write_text(MINE)
    (tmp_path / "apis" / "thehog.toml").write_text(built_in_text("thehog"))
    (tmp_path / "config.toml").write_text(CONFIG)
    return {**environment("", tmp_path), "JOBDECK_CONFIG": str(tmp_path / "config.toml")}


def test_all_are_listed_with_where_they_are_from(env: dict[str, str], tmp_path: Path) -> None:
    ran = jobdeck("apis", env=env)
    assert (ran.code, ran.err) == (0, "")
    head, *lines = ran.out.splitlines()
    rows = {line.split()[0]: line for line in lines}
    assert head.split() == ["NAME", "TITLE", "ORIGIN", "FROM"]
    assert list(rows) == sorted({*built_in_names(), "mine", "within"})
    assert rows["sonarly"].split()[1:] == ["Sonarly", "https://api.sonarly.io", "built", "in"]
    assert rows["mine"].split()[1:] == ["Mine", "https://ci.example", str(tmp_path / "apis" / "mine.toml")]
    assert rows["within"].endswith(str(tmp_path / "config.toml"))
    assert rows["thehog"].endswith("thehog.toml, overrides the built-in one")


def test_a_page_that_is_wrong_costs_no_other(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "apis" / "mine.toml").write_text('like = "github-actions"\ntitel = 1')
    (tmp_path / "config.toml").write_text("")
    ran = jobdeck("apis", env=env)
    assert ran.code == 0
    assert "mine.toml, invalid" in ran.out
    assert "unknown key titel" in ran.err


def test_a_page_is_printed_as_it_is(env: dict[str, str]) -> None:
    assert jobdeck("apis", "google-lro", env=env).out == built_in_text("google-lro")
    assert jobdeck("apis", "mine", env=env).out == MINE
    within = tomllib.loads(jobdeck("apis", "within", env=env).out)
    assert within == {"like": "mine", "title": "Within", "headers": {"X-A": "b"}}


def test_a_name_that_is_none_is_refused(env: dict[str, str]) -> None:
    ran = jobdeck("apis", "thehgo", env=env)
    assert (ran.code, ran.out) == (2, "")
    assert "did you mean thehog?" in ran.err
    assert jobdeck("apis", "nope", env=env).err == "jobdeck: unknown API nope; run 'jobdeck apis' for a list\n"


@pytest.mark.parametrize("name", built_in_names())
def test_tables_are_the_same_as_text(name: str) -> None:
    tables = tomllib.loads(built_in_text(name))
    assert tomllib.loads(to_toml(tables)) == tables


def test_texts_with_signs_are_the_same_as_text() -> None:
    tables = {"a b": 'x"\\\n\x7f\t\u00e9', "list": [1, 2.5, True, {"y": []}], "in": [{"x": {"z": "1"}}, {}], "n": {}}
    assert tomllib.loads(to_toml(tables)) == tables


def test_an_api_whose_variable_is_set_has_a_profile_when_it_is_named(tmp_path: Path) -> None:
    env = {**environment("", tmp_path), "OPENAI_API_KEY": "sk-canary0123456789", "HTTPS_PROXY": "http://127.0.0.1:9"}
    for name in ("THE_HOG_ACCESS_KEY", "SONARLY_API_KEY"):
        env.pop(name)
    for target in ("openai:batch_1", "https://api.openai.com/v1/batches/batch_1"):
        ran = jobdeck("status", "--json", target, env=env)
        assert (ran.code, ran.object["profile"], ran.object["problem"]["kind"]) == (7, "openai", "network")
    assert jobdeck("history", "--json", "--profile", "openai", env=env).object["id"] == "batch_1"
    ran = jobdeck("discover", env=env)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "jobdeck: no profile configured; with --profile you can use one from the environment: openai\n"
    checks = [check["check"] for check in jobdeck("doctor", "--json", env=env).objects]
    assert not any(check.startswith("openai") for check in checks)
    assert jobdeck("discover", "--profile", "opneai", env=env).err.endswith("available: openai\n")
    assert jobdeck("status", "openai:batch_1", env={**env, "OPENAI_API_KEY": ""}).code == 2


def test_a_page_of_ones_own_needs_no_configuration(tmp_path: Path) -> None:
    folder = tmp_path / "config" / "jobdeck" / "apis"
    folder.mkdir(parents=True)
    own = 'title = "Mine"\nbase_url = "https://mine.invalid"\nauth = { env = { token = "MINE_TOKEN" } }\n'
    (folder / "mine.toml").write_text(own + 'job.url = "/j/{id}"\nfields.status = "$.s"\nphases.succeeded = ["ok"]\n')
    env = {**environment("", tmp_path), "MINE_TOKEN": "canary_0123456789", "HTTPS_PROXY": "http://127.0.0.1:9"}
    assert "mine            Mine" in jobdeck("apis", env=env).out
    for target in ("mine:1", "https://mine.invalid/j/1"):
        ran = jobdeck("status", "--json", target, env=env)
        assert (ran.code, ran.object["provider"], ran.object["problem"]["kind"]) == (7, "mine", "network")
    assert jobdeck("status", "mine:1", env={**env, "MINE_TOKEN": ""}).code == 2


OWN = """
title = "Mine"
base_url = "http://127.0.0.1:9"
[[auth]]
headers = { Authorization = "Bearer {token}" }
env = { token = "MINE_TOKEN" }
[job]
url = "/jobs/{id}"
[fields]
id = "$.id"
status = "$.state"
[phases]
running = ["busy"]
succeeded = ["ok"]
"""


def test_an_own_page_whose_variable_is_set_needs_no_configuration(tmp_path: Path) -> None:
    env = {name: value for name, value in environment("", tmp_path).items() if not name.startswith(("THE", "SONARLY"))}
    folder = tmp_path / "config" / "jobdeck" / "apis"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text(OWN)
    assert "no profile configured" in jobdeck("status", "mine:1", env=env).err
    ran = jobdeck("status", "mine:1", env={**env, "MINE_TOKEN": "tok_0123456789"})
    assert "connection refused" in ran.out, ran.err
