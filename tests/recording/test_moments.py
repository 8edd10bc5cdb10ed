"""Which moment is meant: by a clock, by a span, by a part; over midnight, over a sleep, over a clock that was set."""

import pytest

from jobdeck.domain.instant import Instant
from jobdeck.recording.moments import Clocks, MomentError
from tests.recording.making import ZERO

HOUR = 3_600.0


def clocks(seconds: float, *leaps: tuple[float, float]) -> Clocks:
    """A recording from 20:26:40 on whose dates leap by some seconds at some places."""
    ahead, told = 0.0, [(0.0, ZERO)]
    for place, by in leaps:
        ahead += by
        told.append((place, Instant(ZERO.us + round((place + ahead) * 1e6), place)))
    return Clocks(ZERO.us, told, seconds)


@pytest.mark.parametrize(
    ("text", "shown", "place"),
    [
        ("20:26", None, 0.0),
        ("20:27", 50.0, 20.0),
        ("20:27Z", 50.0, 20.0),
        ("20:26:40", None, 0.0),
        ("20:27:07", None, 27.0),
        (" 20:27:07.5Z ", None, 27.5),
        ("2026-05-28 20:27:07", None, 27.0),
        ("2026-05-28T20:27Z", None, 20.0),
        ("5m", 50.0, 300.0),
        ("90", 50.0, 90.0),
        ("1m30s", None, 90.0),
        ("+5m", 50.0, 350.0),
        ("+30", None, 30.0),
        ("-30s", 50.0, 20.0),
        ("-5m", 50.0, 0.0),
        ("+5h", 50.0, 1_000.0),
        ("-30s", None, 970.0),
        ("50%", 1.0, 500.0),
        ("0%", 1.0, 0.0),
        ("100 %", 1.0, 1_000.0),
        ("12.5%", 1.0, 125.0),
    ],
)
def test_a_moment_is_found(text: str, shown: float | None, place: float) -> None:
    assert clocks(1_000.0).find(text, shown) == pytest.approx(place, abs=1e-3)


@pytest.mark.parametrize(
    "text",
    ["", "x", "25:00", "14:60", "14:02:60", "-", "+", "5x", "%", "nan", "1e3", "١٤:٠٢", "\x1b[31m", "5m" * 40, "9" * 50,
     "1:2:3:4", "--5m", "+5%", "2026-05-28"],
)  # fmt: skip
def test_what_is_no_moment_is_told_what_is(text: str) -> None:
    with pytest.raises(MomentError, match=r"^no moment such as 14:02, 14:02:30, \+5m, -30s, 50%$"):
        clocks(1_000.0).find(text, 0.0)


@pytest.mark.parametrize("text", ["20:25", "20:26:39", "20:44", "17m", "101%", "2026-05-27 20:27", "2026-02-31 20:27"])
def test_what_is_outside_is_told_what_there_is(text: str) -> None:
    with pytest.raises(MomentError, match=r"^the recording goes from 20:26:40Z to 20:43:20Z$"):
        clocks(1_000.0).find(text, 0.0)


def test_a_time_of_day_that_came_on_several_days_is_the_nearest_or_that_of_its_date() -> None:
    week = clocks(7 * 24 * HOUR)
    assert week.several_days
    day = 24 * HOUR
    assert week.find("20:27", None) == 20.0
    assert week.find("20:27", 3 * day) == 3 * day + 20.0
    assert week.find("00:00", 0.0) == week.find("2026-05-29 00:00", 0.0) == 3.0 * HOUR + 33 * 60 + 20
    assert week.find("2026-06-03 23:59:59", 0.0) == pytest.approx(6 * day + 3 * HOUR + 33 * 60 + 19)
    with pytest.raises(MomentError, match="goes from 2026-05-28 20:26:40Z to 2026-06-04 20:26:40Z"):
        week.find("2026-06-05 01:00", 0.0)


def test_the_dates_of_a_machine_that_slept_are_found_and_those_it_slept_through_are_where_it_woke() -> None:
    slept = clocks(1_000.0, (400.0, 8 * HOUR))
    assert slept.several_days
    assert slept.find("20:33", 0.0) == pytest.approx(380.0)
    assert slept.find("23:00", 0.0) == 400.0
    assert slept.find("04:34", 0.0) == pytest.approx(400 + 40.0)
    assert slept.us(440.0) == ZERO.us + round((440 + 8 * HOUR) * 1e6)
    assert slept.extent == "from 2026-05-28 20:26:40Z to 2026-05-29 04:43:20Z"


def test_of_a_time_that_a_clock_showed_twice_the_nearest_is_meant() -> None:
    back = clocks(1_000.0, (400.0, -300.0))
    assert back.find("20:30:40", 0.0) == pytest.approx(240.0)
    assert back.find("20:30:40", 900.0) == pytest.approx(540.0)
    assert back.find("20:33:40", 0.0) == pytest.approx(720.0)


def test_dates_beyond_any_calendar_break_nothing() -> None:
    far = Clocks(-(10**17), [], 60.0)
    assert far.find("50%", 0.0) == 30.0
    assert far.extent == "from – to –"
    with pytest.raises(MomentError):
        far.find("2026-05-28 20:27", 0.0)
