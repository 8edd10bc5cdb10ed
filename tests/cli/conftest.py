"""Commands that run in the tests' own process are on a clock that goes faster than ours, and so is their server."""

import pytest

from tests.support.hurried import hurry


@pytest.fixture(autouse=True)
def _time_passes_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = hurry(monkeypatch.setattr)
    monkeypatch.setattr("jobdeck.simulator.server.steady_clock", lambda: lambda: clock.now().us / 1e6)
