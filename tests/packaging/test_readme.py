"""What the README promises is so."""

import re
import runpy
import shlex
import tomllib
from pathlib import Path

from jobdeck.cli.parser import COMMANDS, parse
from jobdeck.config.settings import load_settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_keys_are_those_of_the_table_of_actions() -> None:
    script = runpy.run_path(str(ROOT / "screenshots" / "readme_keys.py"))
    assert script["with_keys"](README) == README, "run `make screenshots`"


def test_every_picture_is_there() -> None:
    pictures = re.findall(r"\]\((screenshots/[^)]+)\)", README)
    assert pictures
    assert all((ROOT / picture).is_file() for picture in pictures)


def test_every_command_is_in_the_table() -> None:
    told = set(re.findall(r"^\| `jobdeck (\w+)", README, re.MULTILINE))
    assert told == set(COMMANDS) - {"demo"}
    assert "jobdeck demo" in README


def test_every_example_of_a_command_line_is_understood() -> None:
    lines = [line for block in blocks("console") for line in re.findall(r"\$ (.*)", block)]
    calls = [re.search(r"\bjobdeck\b(.*)", line.split("#")[0]) for line in lines]
    parsed = 0
    for call in calls:
        if call is not None and not call[1].startswith("\n") and "clone" not in call.string:
            words = shlex.split(re.split(r"[<|]|&&", call[1])[0])
            parse(words)
            parsed += 1
    assert parsed >= 8


def test_the_configuration_is_accepted_as_it_stands(tmp_path: Path) -> None:
    text = "\n".join(blocks("toml"))
    path = tmp_path / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    settings = load_settings({}, path)
    assert settings.profiles.keys() == tomllib.loads(text)["profiles"].keys()
    assert settings.default_profile == "hog"
    assert settings.hooks[0].run == ("notify-slack", "--channel", "imports")
