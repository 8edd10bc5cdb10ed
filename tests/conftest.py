"""What holds for every test: how seldom garbage is looked for, and that no property is judged by a clock."""

import gc

from hypothesis import HealthCheck, settings

# A busy machine makes any example slow, which says nothing of the code.
settings.register_profile("suite", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


def pytest_collection_finish() -> None:
    """Look seldom, and never at what importing left: it took a quarter of the time of the tests of the screen.

    What nobody closed is found all the same, at pytest's own end at the latest.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
