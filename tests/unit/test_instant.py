from jobdeck.domain.instant import Instant
from jobdeck.engine.clock import SystemClock, detect_sleep
from tests.builders import START


def test_an_age_counts_a_sleep_that_the_monotonic_clock_missed() -> None:
    woken = Instant(START.us + 3_600_000_000, START.mono + 2)
    assert woken.since(START) == 3600


def test_a_wall_clock_set_back_makes_nothing_younger() -> None:
    assert Instant(START.us - 3_600_000_000, START.mono + 5).since(START) == 5


def test_a_late_tick_is_a_sleep_and_a_busy_second_is_none() -> None:
    assert detect_sleep(START, START.later(4), expected=1) is None
    assert detect_sleep(START, START.later(3_601), expected=1) == 3_600


def test_the_system_clock_moves_on() -> None:
    clock = SystemClock()
    first, second = clock.now(), clock.now()
    assert second.mono >= first.mono
    assert second.us > 1_700_000_000_000_000
