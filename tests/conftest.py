"""What holds for every test: no property is judged by a clock, garbage is seldom looked for, no sheet is read twice."""

import gc
from functools import cache

import pytest
from hypothesis import HealthCheck, settings
from textual.css import parse, tokenize
from textual.css.tokenizer import Token

# A busy machine makes any example slow, which says nothing of the code.
settings.register_profile("suite", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


def pytest_collection_finish() -> None:
    """Look seldom, and never at what importing left: it took a quarter of the time of the tests of the screen.

    What nobody closed is found all the same, at pytest's own end at the latest.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(scope="session", autouse=True)
def _every_sheet_is_read_once() -> None:
    """Keep the words of the sheets of styles, which never change: hundreds of apps are started, each to read all."""

    @cache
    def words(code: str, read_from: tuple[str, str]) -> tuple[Token, ...]:
        return tuple(tokenize.tokenize(code, read_from))

    parse.tokenize = words  # type: ignore[assignment] - what it gives is gone through once
