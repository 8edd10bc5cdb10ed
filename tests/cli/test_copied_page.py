"""A built-in page that was copied under another name behaves like the built-in one, in every command."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobdeck.apis.pages import built_in_text
from jobdeck.simulator.scenario import Api, JobScript, Outcome, Resource, Scenario
from jobdeck.simulator.server import ThreadedSimulator
from tests.cli.harness import GROUP, environment, jobdeck

SCENARIO = Scenario(
    jobs=(
        JobScript(id="op_done", duration=1.0, arrival=-60.0),
        JobScript(id="op_failed", duration=1.0, arrival=-50.0, outcome=Outcome.FAILED),
        JobScript(id="en_1", resource=Resource.ENRICHMENT, duration=1.0, arrival=-40.0),
        JobScript(id="se_1", resource=Resource.SEARCH, duration=1.0, arrival=-30.0),
        JobScript(
            id="507f1f77bcf86cd799439012", api=Api.SONARLY, resource=Resource.PROSPECTING, duration=1.0, arrival=-20.0
        ),
    )
)
CONFIG = """
default_profile = "hog"
[profiles.hog]
provider = "{hog}"
base_url = "{url}"
access_key = "env:THE_HOG_ACCESS_KEY"
secret_key = "env:THE_HOG_SECRET_KEY"
[profiles.other]
provider = "{other}"
base_url = "{url}"
token = "env:SONARLY_API_KEY"
account_group = "{group}"
"""
COMMANDS = (
    "status --json op_done op_failed op_none",
    "status --json {url}/api/operations/op_done /api/enrichments/en_1 hog:/api/v1/search/se_1",
    "status --json other:507f1f77bcf86cd799439012 {group}/507f1f77bcf86cd799439012",
    "status other:a/b/c",
    "watch --json op_failed",
    "wait op_done",
    "discover --json",
    "discover --status failed",
    "ticket op_failed",
    "ticket --format json other:507f1f77bcf86cd799439012",
    "history --json",
    "doctor --json --no-store",
)
VARYING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|[0-9a-f]{24}|[0-9T:-]{8,}(?:\.[0-9]+)?Z?|[+-]?[0-9.]+ ?(?=m?s\b)"
    r"|\b[0-9]+m[0-9]+s\b|(?:ahead of|behind)|[0-9]+(?= left)|[0-9]+(?= KiB)"
)
"""IDs of requests, moments, and how long something took."""

MEASURED = ("_seconds", "_at", "_id", "offset")
"""The ends of keys whose values are measured, or drawn by the server."""

OWN_PAGES = re.compile(r"thehog \(HOME[^)]*\), sonarly \(HOME[^)]*\); ")
"""Where pages are from, which the doctor says."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadedSimulator(SCENARIO) as simulator:
        yield simulator.url


def outputs(home: Path, url: str, hog: str, other: str) -> list[tuple[int, str, str]]:
    home.mkdir()
    config = home / "config.toml"
    config.write_text(CONFIG.format(url=url, hog=hog, other=other, group=GROUP))
    env = {**environment(url, home), "JOBDECK_CONFIG": str(config)}
    for name, source in ((hog, "thehog"), (other, "sonarly")):
        if name != source:
            (home / "apis").mkdir(exist_ok=True)
            (home / "apis" / f"{name}.toml").write_text(built_in_text(source))
    found: list[tuple[int, str, str]] = []
    for command in COMMANDS:
        ran = jobdeck(*command.format(url=url, group=GROUP).split(), env=env)
        # Lines come in the order of the answers.
        out = "\n".join(sorted(json.dumps(steady(one)) for one in ran.objects)) if "json" in command else ran.out
        texts = [VARYING.sub("~", text.replace(str(home), "HOME")) for text in (out, ran.err)]
        found.append((ran.code, texts[0], texts[1]))
    return found


def steady(value: Any, key: str = "") -> Any:
    """Return what was written without what differs from one run to the next."""
    if isinstance(value, dict):
        return {name: steady(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [steady(inner, key) for inner in value]
    return value is None if key == "at" or key.endswith(MEASURED) else value


def test_a_copied_page_behaves_like_the_built_in_one(tmp_path: Path, url: str) -> None:
    built_in = outputs(tmp_path / "built_in", url, "thehog", "sonarly")
    copied = outputs(tmp_path / "copied", url, "mine", "theirs")
    assert [code for code, _, _ in built_in][:6] == [1, 0, 0, 2, 1, 0]
    for command, one, two in zip(COMMANDS, built_in, copied, strict=True):
        code, out, err = two
        known = (code, *(text.replace("mine", "thehog").replace("theirs", "sonarly") for text in (out, err)))
        if command.startswith("doctor"):
            # It says where pages are from.
            known = (
                code,
                *(re.sub(r"thehog \(HOME.*?toml\), sonarly \(HOME.*?toml\); ", "", text) for text in known[1:]),
            )
        assert known == one, command
