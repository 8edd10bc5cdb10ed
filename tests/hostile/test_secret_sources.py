"""Rule 11: where secrets come from, how they are kept from others on the way, and that no flag takes one."""

import argparse
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from jobdeck.cli.parser import COMMANDS, build_parser
from jobdeck.config import ConfigError, credentials
from jobdeck.config.credentials import SecretRef
from tests.cli.harness import jobdeck

KEY = "sk_live_canary_0123456789"
Keyring = Callable[[Callable[[str, str], str | None]], None]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes of files say nothing there")


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Keyring:
    def install(get_password: Callable[[str, str], str | None]) -> None:
        monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=get_password))

    return install


def resolve(text: str, **env: str) -> str:
    return SecretRef(text, "[profiles.p]: token").resolve(env).reveal()


def refusal(text: str, **env: str) -> str:
    with pytest.raises(ConfigError) as caught:
        resolve(text, **env)
    assert "canary" not in str(caught.value)
    return str(caught.value)


def private(folder: Path, content: bytes | str, name: str = "token", mode: int = 0o600) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


def test_every_source_gives_the_key_without_the_white_space_around_it(tmp_path: Path, keyring: Keyring) -> None:
    asked: list[tuple[str, str]] = []
    keyring(lambda service, user: asked.append((service, user)) or f"{KEY}\n")  # type: ignore[func-returns-value]
    assert resolve("env:KEY", KEY=f" {KEY}\n") == KEY
    assert resolve(f"file:{private(tmp_path, KEY + chr(10))}") == KEY
    assert resolve("keyring:jobdeck/me@work/x") == KEY
    assert asked == [("jobdeck", "me@work/x")]
    assert resolve(KEY) == KEY


def test_a_pipe_is_read_like_a_file() -> None:
    """``file:/dev/fd/3`` or ``file:/dev/stdin``: how a password manager hands a key over without a file."""
    reading, writing = os.pipe()
    os.write(writing, KEY.encode())
    os.close(writing)
    try:
        assert resolve(f"file:/dev/fd/{reading}") == KEY
    finally:
        os.close(reading)


def test_a_home_directory_may_be_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    private(tmp_path, KEY)
    assert resolve("file:~/token") == KEY


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o644, 0o666, 0o777])
@pytest.mark.parametrize("name", ["token", "a token's"])
def test_an_open_file_is_refused_with_the_exact_command_that_closes_it(tmp_path: Path, mode: int, name: str) -> None:
    path = private(tmp_path, KEY, name, mode)
    message = refusal(f"file:{path}")
    assert f"mode {mode:04o}" in message
    command = message.rpartition(": ")[2]
    assert command.startswith("chmod 600 ")
    subprocess.run(["/bin/sh", "-c", command], check=True)
    assert resolve(f"file:{path}") == KEY


def test_a_configuration_with_a_key_in_it_is_refused_open_and_one_without_is_not(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "JOBDECK_DATA_DIR": str(tmp_path / "data")}
    text = '[profiles.p]\nprovider = "sonarly"\nbase_url = "http://127.0.0.1:9"\naccount_group = "g"\ntoken = '
    path = private(tmp_path, f'{text}"{KEY}"', "config.toml", 0o644)
    ran = jobdeck("status", "p:j", "--config", str(path), env=env)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith(f"chmod 600 {path}\n")
    path.chmod(0o600)
    assert jobdeck("status", "p:j", "--config", str(path), env=env).code == 7
    private(tmp_path, f'{text}"env:KEY"', "config.toml", 0o644)
    assert jobdeck("status", "p:j", "--config", str(path), env={**env, "KEY": KEY}).code == 7


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("env:KEY", "the environment variable KEY is not set"),
        ("env:BLANK", "the environment variable BLANK is not set"),
        ("env:sk-proj-abcdefghijklmnop", "env: must be followed by the name of an environment variable"),
        ("file:/nowhere/token", "cannot read /nowhere/token: No such file or directory"),
        ("file:/", "cannot read /: it is a directory, not a file"),
        ("keyring:jobdeck", "a keyring reference must look like keyring:SERVICE/USER"),
        ("keyring:/me", "a keyring reference must look like keyring:SERVICE/USER"),
    ],
)
def test_a_source_that_has_no_key_is_named(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        resolve(text, BLANK=" ")


@pytest.mark.parametrize("content", [b"\xff\xfe" * 9, b"", b"two\nlines_canary", b"short", b"c" * 5_000, "ключ_canary"])
def test_a_file_that_holds_something_else_is_refused(tmp_path: Path, content: bytes | str) -> None:
    assert refusal(f"file:{private(tmp_path, content)}").startswith("[profiles.p]: token")


def test_a_keyring_that_does_not_answer_is_waited_for_three_seconds_at_most(
    keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert credentials.KEYRING_SECONDS == 3.0
    monkeypatch.setattr(credentials, "KEYRING_SECONDS", 0.2)
    never = threading.Event()
    keyring(lambda *_: str(never.wait(30)))
    begun = time.monotonic()
    assert "did not respond within 0.2 s (is it locked?)" in refusal("keyring:jobdeck/me")
    assert time.monotonic() - begun < 10.0
    never.set()


def test_a_keyring_that_fails_or_knows_nothing_is_said_without_its_own_words(keyring: Keyring) -> None:
    def fails(*_: str) -> str:
        raise RuntimeError(f"no backend for {KEY}")

    keyring(fails)
    assert "the keyring failed (RuntimeError)" in refusal("keyring:jobdeck/me")
    keyring(lambda *_: None)
    assert "the keyring has no such entry: jobdeck/me" in refusal("keyring:jobdeck/me")


@pytest.mark.parametrize("size", [8, 512])
def test_a_key_has_8_to_512_printable_characters(size: int) -> None:
    assert resolve("env:KEY", KEY="~" * size) == "~" * size
    assert "8 to 512 printable ASCII" in refusal("env:KEY", KEY="~" * (7 if size == 8 else 513))


@pytest.mark.parametrize("char", [*map(chr, range(32)), " ", "\x7f", "\x80", "é", "\u2028", "\u202e", "\ud800"])
def test_no_other_character_is_taken(char: str) -> None:
    assert "8 to 512 printable ASCII" in refusal("env:KEY", KEY=f"sk_live_{char}canary")


def actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from actions(below)


def test_no_flag_takes_a_secret() -> None:
    found = list(actions(build_parser("open", *COMMANDS)))
    assert len(found) > 40
    secret = re.compile(r"key|secret|token|passw|credential|auth|bearer|header", re.IGNORECASE)
    for action in found:
        words = (*action.option_strings, action.dest, *((action.metavar,) if isinstance(action.metavar, str) else ()))
        assert not any(secret.search(word) for word in words), words
