"""How many examples a property is tried with."""

from typing import Any

from hypothesis import settings

SUITE, SEARCH = 50, 500
"""Examples of a property that says nothing else, in the suite and in `make search`."""


def examples(count: int, **options: Any) -> settings:
    """Settings for a property whose examples take long: the suite tries `count`, `make search` ten times as many."""
    return settings(max_examples=count * settings().max_examples // SUITE, **options)
