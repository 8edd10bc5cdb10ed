"""Files that a person names: whatever they are and whatever is in them, an error in words comes at once."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from jobdeck.config import ConfigError, load_settings
from jobdeck.config.credentials import SecretRef
from jobdeck.documents import MAX_DEPTH, MAX_TOML, DocumentError, parse_json, parse_toml
from jobdeck.files import NotAFileError, is_inherited_pipe, open_regular, read_pipe, read_regular
from jobdeck.simulator.scenario import ScenarioError, load_scenario

PARTS = "more than 32 parts"
DIGITS = "too many digits"
DEEP = "nested"
TOML = {
    "dotted key": ("a" + ".a" * 60_000 + " = 1", PARTS),
    "dotted key with blanks": ("a" + " . a" * 20_000 + " = 1", PARTS),
    "quoted key": ("a" + '."x.y"' * 20_000 + " = 1", PARTS),
    "literal key": ("a" + ".'x'" * 20_000 + " = 1", PARTS),
    "dotted table": ("[" + "a." * 50_000 + "a]", PARTS),
    "dotted array of tables": ("[[" + "a." * 50_000 + "a]]", PARTS),
    "dotted key inside": ("a = { " + "a." * 50_000 + "a = 1 }", PARTS),
    "digits": ("a = " + "9" * 5_000, DIGITS),
    "negative digits": ("a = -" + "9" * 5_000, DIGITS),
    "hexadecimal digits": ("a = 0x" + "f" * 5_000, DIGITS),
    "octal digits": ("a = [[0o" + "7" * 5_000 + "]]", DIGITS),
    "more than 64 bits": ("a.b = 9223372036854775808", DIGITS),
    "arrays in arrays": ("a = " + "[" * 60_000, DEEP),
    "arrays that end": ("a = " + "[" * 100 + "]" * 100, DEEP),
    "tables in tables": ("a = " + "{a=" * 30_000, DEEP),
    "tables that end": ("a = " + "{a=" * 100 + "1" + "}" * 100, DEEP),
    "as many keys": ("".join(f"k{number}=1\n" for number in range(20_000)), f"larger than {MAX_TOML // 1024} KiB"),
}
JSON = {
    "arrays": ("[" * 100_000, DEEP),
    "objects": ('{"a":' * 100_000, DEEP),
    "arrays that end": ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), DEEP),
    "digits": ('{"seed": ' + "9" * 5_000 + "}", DIGITS),
    "more than 64 bits": ('{"seed": 9223372036854775808}', DIGITS),
    "values": ("[" + "1," * 70_000 + "1]", "more than 60,000 values"),
    "bytes": (" " * 2_000_000, "larger than 1 MiB"),
}


@pytest.mark.parametrize("kind", TOML)
def test_toml_that_was_made_to_hurt_is_an_error_in_words(tmp_path: Path, kind: str) -> None:
    text, reason = TOML[kind]
    with pytest.raises(DocumentError, match=reason):
        parse_toml(text)
    path = tmp_path / "file.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=reason) as caught:
        load_settings({}, path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises((ScenarioError, NotAFileError), match=reason):
        load_scenario(path)


@pytest.mark.parametrize("kind", JSON)
def test_json_that_was_made_to_hurt_is_an_error_in_words(tmp_path: Path, kind: str) -> None:
    text, reason = JSON[kind]
    with pytest.raises(DocumentError, match=reason):
        parse_json(text.encode())
    path = tmp_path / "file.json"
    path.write_text(text)
    with pytest.raises((ScenarioError, NotAFileError), match=reason):
        load_scenario(path)


def test_what_is_in_use_is_within_the_bounds() -> None:
    uid = "1.2.840.113619.2.55.3.604688119.971.1234567890.123"
    text = f'a.b."c.d".e = "{uid}" # {uid}\nlow = -9223372036854775808\nhigh = 0x7fffffffffffffff\n'
    assert parse_toml(text)["low"] == -(2**63)
    nested = "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    assert parse_json(nested.encode()) == json.loads(nested)


def test_a_scenario_with_thousands_of_mistakes_names_twenty(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"jobs": [1] * 5_000}))
    with pytest.raises(ScenarioError, match="; and 4980 more") as caught:
        load_scenario(path)
    assert len(str(caught.value)) < 2_000


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ('[providers.p{0}]\nlike = "p{1}"\n', "at most 200 allowed"),
        (
            '[providers.p0]\nlike = "github-actions"\n[providers.p0.fields]\nstatus = "$' + "[0]" * 9_000 + '"\n',
            "up to 500",
        ),
    ],
    ids=["a chain", "a path"],
)
def test_a_page_that_was_made_to_hurt_is_an_error_in_words(tmp_path: Path, page: str, reason: str) -> None:
    path = tmp_path / "config.toml"
    several = "{1}" in page
    path.write_text("".join(page.format(n, n + 1) for n in range(1_000)) if several else page)
    with pytest.raises(ConfigError, match=reason):
        load_settings({}, path)


@pytest.mark.parametrize(("number", "reason"), [(6, ""), (100, "p0.*like is nested more than 8 levels")])
def test_a_chain_of_pages_is_as_long_as_anybody_needs(tmp_path: Path, number: int, reason: str) -> None:
    path = tmp_path / "config.toml"
    links = "".join(f'[providers.p{n}]\nlike = "p{n + 1}"\n' for n in range(number))
    path.write_text(f'{links}[providers.p{number}]\nlike = "github-actions"\n')
    if not reason:
        assert len(load_settings({}, path).apis.own) == number + 1
        return
    with pytest.raises(ConfigError, match=reason):
        load_settings({}, path)


def test_a_key_of_100_000_letters_costs_no_comparison(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("default_profil" + "e" * 100_000 + ' = "x"')
    with pytest.raises(ConfigError, match="unknown key default_profil"):
        load_settings({}, path)


Read = Callable[[Path], object]
READERS: dict[str, Read] = {
    "configuration": lambda path: load_settings({}, path),
    "JOBDECK_CONFIG": lambda path: load_settings({"JOBDECK_CONFIG": str(path)}),
    "secret": lambda path: SecretRef(f"file:{path}", "token").resolve({}),
    "scenario": load_scenario,
    "open": open_regular,
    "read": lambda path: read_regular(path, 100),
}


@pytest.mark.posix
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["pipe", "pipe with a writer", "endless device", "link to a pipe", "directory"])
def test_what_is_no_file_is_an_error_and_never_waited_for(tmp_path: Path, reader: str, kind: str) -> None:
    path = tmp_path / "file.toml"
    what = "a directory" if kind == "directory" else "a device" if "device" in kind else "a pipe"
    if kind == "directory":
        path.mkdir()
    elif kind == "endless device":
        path.symlink_to("/dev/zero")
    else:
        named = path.with_name("pipe") if kind == "link to a pipe" else path
        os.mkfifo(named, 0o600)
        if named != path:
            path.symlink_to(named)
    writer = os.open(path, os.O_RDWR) if kind == "pipe with a writer" else None
    raised: list[BaseException] = []

    def read() -> None:
        try:
            READERS[reader](path)
        except (ConfigError, OSError) as error:
            raised.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(20)
    if writer is not None:
        os.close(writer)
    assert not thread.is_alive(), "it waits"
    assert f"it is {what}, not a file" in str(raised[0])


@pytest.mark.posix
def test_a_pipe_that_a_shell_hands_over_is_read_until_it_ends() -> None:
    reading, writing = os.pipe()
    path = Path(f"/dev/fd/{reading}")
    try:
        assert is_inherited_pipe(path)
        os.write(writing, b"[providers]\n")
        with pytest.raises(NotAFileError, match="larger than 0 KiB"):
            read_pipe(path, 5)
        os.write(writing, b"[hooks")
        with pytest.raises(NotAFileError, match=r"did not finish within 0\.05 s"):
            read_pipe(path, 100, 0.05)
        os.write(writing, b"colour = 1\n")
        os.close(writing)
        with pytest.raises(ConfigError, match="unknown key colour"):
            load_settings({}, path)
    finally:
        os.close(reading)


def test_a_name_that_no_file_can_have_is_an_error() -> None:
    with pytest.raises(ConfigError, match="not a valid file name"):
        SecretRef("file:/a\0b", "token").resolve({})


def test_a_file_larger_than_wanted_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(10**11)
    with pytest.raises(NotAFileError, match="larger than 1 MiB"):
        read_regular(path, 1024 * 1024)
    path.write_bytes(b"x" * 100)
    assert read_regular(path, 100) == b"x" * 100
