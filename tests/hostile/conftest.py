"""A database in which something is remembered, for tests that damage it; others have an `env` of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobdeck.simulator.scenario import JobScript, Scenario
from jobdeck.simulator.server import ThreadedSimulator
from tests.cli.conftest import _time_passes_faster  # noqa: F401 - commands here are hurried too
from tests.cli.harness import environment, jobdeck


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadedSimulator(Scenario(jobs=(JobScript(id="op_done", arrival=-60.0, duration=10.0),))) as running:
        yield running.url


@pytest.fixture
def env(url: str, tmp_path: Path) -> dict[str, str]:
    return environment(url, tmp_path)


@pytest.fixture
def database(env: dict[str, str]) -> Path:
    """A database in which something is remembered."""
    jobdeck("status", "op_done", env=env)
    return Path(env["JOBDECK_DATA_DIR"]) / "jobdeck.db"
