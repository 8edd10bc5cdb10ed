"""Paths and encodings of what a person names are read in one way, wherever they stand."""

import os
import pwd
from pathlib import Path

import pytest

from jobdeck.app.data_store import data_dir
from jobdeck.cli.parser import parse
from jobdeck.config import load_settings
from jobdeck.files import as_utf8
from jobdeck.simulator.scenario import load_scenario
from tests.cli.harness import jobdeck

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
MARKED_BIG = b"\xfe\xff"
CONFIG = """\
# naïve
default_profile = "hog"
[profiles.hog]
provider = "thehog"
access_key = "file:{access}"
secret_key = "env:THE_HOG_SECRET_KEY"
[[hooks]]
run = ["~/bin/notify", "~"]
"""


def encoded(text: str, encoding: str) -> bytes:
    return text.replace("\n", "\r\n").encode(encoding)


def test_every_encoding_comes_out_as_utf_8() -> None:
    for text in ("op_1\r\n", "naïve 🙂", ""):
        for encoding in ENCODINGS:
            assert as_utf8(text.encode(encoding)) == text.encode()
        assert as_utf8(MARKED_BIG + text.encode("utf-16-be")) == text.encode()
    assert as_utf8(b"\xff not of any of them") == b"\xff not of any of them"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_configuration_secrets_targets_scenarios_and_bodies_come_from_any_editor(encoding: str, tmp_path: Path) -> None:
    config, access, scenario = (tmp_path / name for name in ("config.toml", "access", "scenario.toml"))
    config.write_bytes(encoded(CONFIG.format(access=access), encoding))
    access.write_bytes(encoded("ak_canary_0123456789\n", encoding))
    access.chmod(0o600)
    settings = load_settings({}, config)
    keys = settings.profiles["hog"].resolve({"THE_HOG_SECRET_KEY": "sk_canary_0123456789"}).credentials
    assert keys is not None
    assert keys.secrets["access_key"].reveal() == "ak_canary_0123456789"
    scenario.write_bytes(encoded('[[jobs]]\nid = "op_1"\n', encoding))
    assert [job.id for job in load_scenario(scenario).jobs] == ["op_1"]
    body = tmp_path / "run.json"
    body.write_bytes(encoded('{"id": 7, "status": "completed", "conclusion": "success"}\n', encoding))
    ran = jobdeck("doctor", "--provider", "github-actions", "--body", str(body), "--json", env={})
    assert (ran.code, ran.object["job"]["id"]) == (0, "7")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("status --config={} op_1", "config"),
        ("--config {} op_1", "config"),
        ("wait --record={} op_1", "record"),
        ("demo --record={}", "record"),
        ("ticket --output={} op_1", "output"),
        ("simulate --scenario={}", "scenario"),
        ("replay {}", "file"),
        ("doctor --provider x --body={}", "body"),
    ],
)
def test_a_home_directory_that_the_shell_leaves_alone_is_filled_in(
    words: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for written, meant in (("~/a b", f"{tmp_path}/a b"), ("./~", "./~"), ("-", "-"), ("~root", _home_of("root"))):
        arguments = parse([word.replace("{}", written) for word in words.split()])
        assert getattr(arguments, name) == meant


def test_so_it_is_in_variables_and_in_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "c.toml").write_text(CONFIG.format(access="~/access"))
    (tmp_path / "access").write_text("ak_canary_0123456789")
    (tmp_path / "access").chmod(0o600)
    env = {"JOBDECK_CONFIG": "~/c.toml", "JOBDECK_DATA_DIR": "~/data", "THE_HOG_SECRET_KEY": "sk_canary_0123456789"}
    settings = load_settings(env)
    assert settings.path == tmp_path / "c.toml"
    assert settings.profiles["hog"].resolve(env).credentials is not None
    assert settings.hooks[0].run == (f"{tmp_path}/bin/notify", "~")
    assert data_dir(env) == tmp_path / "data"


def _home_of(user: str) -> str:
    return os.path.normpath(pwd.getpwnam(user).pw_dir)
