"""docs/providers.md is true: its configuration loads, its example reads as it says, and no key is missing."""

import re
from pathlib import Path

from jobdeck.config import load_settings
from jobdeck.domain.phase import Phase
from jobdeck.providers.described import parse, sections
from jobdeck.providers.profile import BUILT_IN
from tests.cli.harness import environment, jobdeck

DOC = (Path(__file__).parents[2] / "docs" / "providers.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", DOC, re.MULTILINE | re.DOTALL)


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
    (body,), (shown,) = blocks("json"), blocks("text")
    (tmp_path / "config.toml").write_text(config)
    (tmp_path / "config.toml").chmod(0o600)
    (tmp_path / "job.json").write_text(body)
    command = "doctor --provider acme --body job.json"
    assert f"`jobdeck {command}`" in DOC
    env = {**environment("", tmp_path), "JOBDECK_CONFIG": "config.toml"}
    ran = jobdeck(*command.split(), env=env, cwd=tmp_path)
    assert ran.code == 0
    assert ran.out == f"acme, described in config.toml\n\n{shown}"


def test_every_key_is_explained() -> None:
    source = Path(parse.__file__).read_text() + Path(sections.__file__).read_text()
    keys = set(
        re.findall(r'(?:table|job)\.(?:text|flag|whole|choice|paths|texts|table|strings|has)\(\s*"(\w+)"', source)
    )
    keys |= set(re.findall(r'_(?:template|header_names)\(\w+, "(\w+)"', source))
    assert len(keys) > 50
    explained = set(re.findall(r"`(?:\[providers\.NAME\.)?(\w+)\]?`", DOC))
    assert keys <= explained, keys - explained
    assert {phase.value for phase in Phase} - {"unknown"} <= explained


def test_every_description_that_comes_along_is_named() -> None:
    assert all(f"| `{name}` |" in DOC for name in BUILT_IN)
