"""docs/providers.md is true: its configuration loads, its example reads as it says, and no key is missing."""

import re
import tomllib
from pathlib import Path

import pytest

from jobdeck.apis import loader
from jobdeck.config import load_settings
from jobdeck.domain.phase import Phase
from tests.cli.harness import Ran, environment, jobdeck

DOCS = Path(__file__).parents[2] / "docs"
DOC = (DOCS / "providers.md").read_text()


def blocks(language: str, text: str = DOC) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def doctor(tmp_path: Path, config: str, body: str) -> Ran:
    (tmp_path / "config.toml").write_text(config)
    (tmp_path / "config.toml").chmod(0o600)
    (tmp_path / "job.txt").write_text(body)
    command = "doctor --provider acme --body job.txt"
    assert f"`jobdeck {command}`" in DOC
    env = {**environment("", tmp_path), "JOBDECK_CONFIG": "config.toml"}
    return jobdeck(*command.split(), env=env, cwd=tmp_path)


def test_every_block_of_configuration_loads(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    found = blocks("toml")
    assert len(found) == 2
    for block in found:
        path.write_text(block)
        path.chmod(0o600)
        assert load_settings({}, path).profiles


def test_the_example_reads_as_it_says(tmp_path: Path) -> None:
    (config,) = (block for block in blocks("toml") if "[providers.acme]" in block)
    body, shown = blocks("text")
    ran = doctor(tmp_path, config, body)
    assert ran.code == 0
    assert ran.out == f"acme, defined in config.toml\n\n{shown}"


def test_what_the_page_calls_enough_is_enough(tmp_path: Path) -> None:
    least = """
    profiles.acme = { provider = "acme", base_url = "https://api.acme.example" }
    [providers.acme]
    job.url = "/jobs/{id}"
    fields.status = "$.state"
    phases.succeeded = ["done"]
    """
    ran = doctor(tmp_path, least, blocks("text")[0])
    assert ran.code == 0
    assert "unknown (unfinished)" in ran.out


TO_WRITE = DOC.partition("## What to write when")[2].partition("## Profiles for")[0]
SHAPES = re.findall(r"^\| [^|]+ \| (.*`.*=.*) \|$", TO_WRITE, re.MULTILINE)


@pytest.mark.parametrize("row", SHAPES)
def test_every_line_to_write_is_one(row: str) -> None:
    whole = tomllib.loads(next(block for block in blocks("toml") if "[providers.acme]" in block))
    parts = [tomllib.loads(part) for part in re.findall(r"`([^`]+ = [^`]+)`", row)]
    provider = whole["providers"]["acme"]
    provider["fields"].pop("error", None)
    for part in parts:
        for key, value in part.items():
            match key:
                case "status" | "progress" | "progress_total" | "progress_unit":
                    provider["fields"][key] = value
                    if value == "ratio":
                        provider["fields"].pop("progress_total")
                case "variables":
                    whole["profiles"]["acme"][key] = value
                case "auth":
                    provider[key] = value
                case "envelope":
                    provider[key] = value
                case "list" if "page_parameter" in value:
                    provider[key] = {name: part for name, part in provider[key].items() if "cursor" not in name} | value
                case _:
                    assert key in {"fields", "phases", "job", "list", "stages", "result"}
                    provider.setdefault(key, {}).update(value)
    parsed = loader.load_page("acme", provider, "docs", lambda _: None)
    assert set(whole["profiles"]["acme"].get("variables", {})) <= loader.profile_variables(parsed)


def test_the_table_of_lines_is_looked_at() -> None:
    assert len(SHAPES) >= 14


def test_every_key_is_explained() -> None:
    source = "".join(path.read_text() for path in Path(loader.__file__).parent.glob("load*.py"))
    readers = "text|flag|whole|choice|paths|plural_paths|texts|table|tables|strings|seconds|has"
    keys = set(re.findall(rf'(?:table|page|one|job|failed)\.(?:{readers})\(\s*"(\w+)"', source))
    keys |= set(re.findall(r'_(?:template|header_names)\(\w+, "(\w+)"', source))
    assert len(keys) > 70
    explained = set(
        re.findall(r"`(?:\[{1,2}providers\.NAME\.)?(\w+)(?:\.\w+)?\]{0,2}`", DOC.partition("## Reference")[2])
    )
    assert keys <= explained, keys - explained
    assert {phase.value for phase in Phase} - {"unknown"} <= explained
