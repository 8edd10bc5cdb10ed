"""What makes a picture the same on every machine."""

import os

import pytest


@pytest.fixture(autouse=True)
def _the_same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "NO_COLOR" not in os.environ, "snapshots are in colour: run with `env -u NO_COLOR`, as `make test` does"
    monkeypatch.setattr("textual.constants.TEXTUAL_ANIMATIONS", "none")
