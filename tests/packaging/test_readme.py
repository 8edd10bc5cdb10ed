"""What the README promises is so."""

import re
import runpy
import tomllib
from pathlib import Path

from jobdeck.cli.exit_codes import ExitCode
from jobdeck.cli.parser import COMMANDS, build_parser
from jobdeck.config.programs import read_hooks
from jobdeck.config.settings import STORE_URL, load_settings
from jobdeck.config.team import STORE_KEYS
from jobdeck.tui.job_filter import parse as understand
from jobdeck.tui.render.state import ALL_STATES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
HELP = build_parser().format_help()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_keys_are_those_of_the_table_of_actions() -> None:
    script = runpy.run_path(str(ROOT / "screenshots" / "readme_keys.py"))
    assert script["with_keys"](README) == README, "run `make screenshots`"


def test_every_picture_is_there() -> None:
    pictures = re.findall(r"\]\((screenshots/[^)]+)\)", README)
    assert pictures
    assert all((ROOT / picture).is_file() for picture in pictures)
    for script in ("make.py", "browser.py"):
        assert "main" in runpy.run_path(str(ROOT / "screenshots" / script)), "what draws them has what it imports"


def test_every_command_is_in_the_table() -> None:
    told = set(re.findall(r"^\| `jobdeck (\w+)", README, re.MULTILINE))
    assert told == set(COMMANDS) - {"demo"}
    assert "jobdeck demo" in README


def test_every_state_of_the_screen_is_explained() -> None:
    told = re.findall(r"^\| (\S) \| ([\w ]+) \|", README, re.MULTILINE)
    assert set(told) == {(state.glyph, state.word) for state in ALL_STATES}
    assert len(told) == len(ALL_STATES)


def test_every_filter_of_the_examples_is_understood() -> None:
    (line,) = re.findall(r"^`/` filters: .*$", README, re.MULTILINE)
    terms = re.findall(r"`([^`]+)`", line)[1:]
    assert len(terms) >= 5
    assert understand(" ".join(terms)).warnings == ()


def test_every_exit_code_is_told() -> None:
    for told in (
        re.search(r"Exit codes: (.*?)\n\n", README, re.DOTALL),
        re.search(r"exit codes:\n(.*)", HELP, re.DOTALL),
    ):
        assert told is not None
        assert {int(code) for code in re.findall(r"\b\d+\b", re.sub(r"\(.*?\)", "", told[1]))} == set(ExitCode)


def test_the_configuration_is_accepted_as_it_stands(tmp_path: Path) -> None:
    text = "\n".join(blocks("toml"))
    path = tmp_path / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    settings = load_settings({}, path)
    assert settings.profiles.keys() == tomllib.loads(text)["profiles"].keys()
    assert settings.default_profile == "hog"
    assert settings.hooks[0].run == ("notify-slack", "--channel", "imports")


def test_what_a_team_needs_is_named_as_it_is() -> None:
    (section,) = re.findall(r"^## Teams\n\n(.*?)\n\n## ", README, re.MULTILINE | re.DOTALL)
    assert {"JOBDECK_STORE_URL", "url", "[store]", "jobdeck --team", 'once = "team"'} <= set(
        re.findall(r"`([^`]+)`", section)
    )
    assert STORE_URL == "JOBDECK_STORE_URL"
    assert "url" in STORE_KEYS
    assert "  --team " in HELP
    assert read_hooks([{"run": ["x"], "once": "team"}], "a test", ())[0].team
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert "team" in extras
