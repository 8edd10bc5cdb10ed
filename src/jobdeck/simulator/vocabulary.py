"""Words and checks that every part of a scenario shares."""

import math
from enum import StrEnum

# How files are read into the scenario's dataclasses: nothing unknown, nothing coerced, no NaN.
FILE_RULES = {"extra": "forbid", "strict": True, "allow_inf_nan": False}


class Api(StrEnum):
    """The two APIs that are played."""

    THEHOG = "thehog"
    SONARLY = "sonarly"


class ScenarioError(ValueError):
    """A scenario cannot be played; the message names the key and what is wrong with it."""


def at_least(name: str, value: float | None, minimum: float) -> None:
    """Raise ScenarioError unless `value` is None or a finite number from `minimum` up."""
    if value is not None and not (math.isfinite(value) and value >= minimum):
        raise ScenarioError(f"{name}: must be at least {minimum:g}, not {value!r}")


def positive(name: str, value: float | None) -> None:
    """Raise ScenarioError unless `value` is None or a finite number above 0."""
    if value is not None and not (math.isfinite(value) and value > 0):
        raise ScenarioError(f"{name}: must be above 0, not {value!r}")


def fraction(name: str, value: float | None) -> None:
    """Raise ScenarioError unless `value` is None or within 0–1."""
    if value is not None and not 0.0 <= value <= 1.0:
        raise ScenarioError(f"{name}: must be within 0–1, not {value!r}")
