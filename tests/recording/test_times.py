"""Which moment is meant: by a clock, by a span, by a part; over midnight, over a sleep, over a clock that was set."""

import pytest

from jobdeck.domain.instant import Instant
from jobdeck.recording.times import RecordingClock, TimeParseError
from tests.recording.making import ZERO

HOUR = 3_600.0


def clocks(seconds: float, *leaps: tuple[float, float]) -> RecordingClock:
    """A recording from 20:26:40 on whose dates leap by some seconds at some places."""
    ahead, moments = 0.0, [(0.0, ZERO)]
    for place, by in leaps:
        ahead += by
        moments.append((place, Instant(ZERO.us + round((place + ahead) * 1e6), place)))
    return RecordingClock(ZERO, moments, seconds)


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
    assert clocks(1_000.0).parse(text, shown) == pytest.approx(place, abs=1e-3)


@pytest.mark.parametrize(
    "text",
    ["", "x", "25:00", "14:60", "14:02:60", "-", "+", "5x", "%", "nan", "1e3", "١٤:٠٢", "\x1b[31m", "5m" * 40, "9" * 50,
     "1:2:3:4", "--5m", "+5%", "2026-05-28"],
)  # fmt: skip
def test_what_is_no_moment_is_told_what_is(text: str) -> None:
    with pytest.raises(TimeParseError, match=r"^not a time such as 14:02, 14:02:30, \+5m, -30s, 50%$"):
        clocks(1_000.0).parse(text, 0.0)


@pytest.mark.parametrize("text", ["20:25", "20:26:39", "20:44", "17m", "101%", "2026-05-27 20:27", "2026-02-31 20:27"])
def test_what_is_outside_is_told_what_there_is(text: str) -> None:
    with pytest.raises(TimeParseError, match=r"^the recording covers 20:26:40Z to 20:43:20Z$"):
        clocks(1_000.0).parse(text, 0.0)


def test_a_time_of_day_that_came_on_several_days_is_the_nearest_or_that_of_its_date() -> None:
    week = clocks(7 * 24 * HOUR)
    assert week.spans_days
    day = 24 * HOUR
    assert week.parse("20:27", None) == 20.0
    assert week.parse("20:27", 3 * day) == 3 * day + 20.0
    assert week.parse("00:00", 0.0) == week.parse("2026-05-29 00:00", 0.0) == 3.0 * HOUR + 33 * 60 + 20
    assert week.parse("2026-06-03 23:59:59", 0.0) == pytest.approx(6 * day + 3 * HOUR + 33 * 60 + 19)
    with pytest.raises(TimeParseError, match="covers 2026-05-28 20:26:40Z to 2026-06-04 20:26:40Z"):
        week.parse("2026-06-05 01:00", 0.0)


def test_the_dates_of_a_machine_that_slept_are_found_and_those_it_slept_through_are_where_it_woke() -> None:
    slept = clocks(1_000.0, (400.0, 8 * HOUR))
    assert slept.spans_days
    assert slept.parse("20:33", 0.0) == pytest.approx(380.0)
    assert slept.parse("23:00", 0.0) == 400.0
    assert slept.parse("04:34", 0.0) == pytest.approx(400 + 40.0)
    assert slept.timestamp_at(440.0) == ZERO.us + round((440 + 8 * HOUR) * 1e6)
    with pytest.raises(TimeParseError, match="covers 2026-05-28 20:26:40Z to 2026-05-29 04:43:20Z"):
        slept.parse("9h", 0.0)


def test_of_a_time_that_a_clock_showed_twice_the_nearest_is_meant() -> None:
    back = clocks(1_000.0, (400.0, -300.0))
    assert back.parse("20:30:40", 0.0) == pytest.approx(240.0)
    assert back.parse("20:30:40", 900.0) == pytest.approx(540.0)
    assert back.parse("20:33:40", 0.0) == pytest.approx(720.0)


def test_dates_beyond_any_calendar_break_nothing() -> None:
    far = RecordingClock(Instant(-(10**17), 0.0), [], 60.0)
    assert far.parse("50%", 0.0) == 30.0
    with pytest.raises(TimeParseError, match="covers – to –"):
        far.parse("2026-05-28 20:27", 0.0)


def test_two_clocks_that_are_read_one_after_the_other_have_not_been_set() -> None:
    moments = [(5.0, Instant(ZERO.us + 5_000_900, 5.0)), (9.0, Instant(ZERO.us + 9_000_003, 9.0))]
    assert RecordingClock(ZERO, moments, 60.0).timestamp_at(20.0) == ZERO.us + 20_000_000


def test_a_leap_over_years_is_one_place_and_not_one_a_day() -> None:
    """A hostile file may have the clock leap a million times: looked through day by day, that takes minutes."""
    years = 800 * 24 * HOUR
    leaping = clocks(1_000.0, *((float(n), -years if n % 2 else years) for n in range(1, 100)))
    assert leaping.parse("20:27", 0.0) == 2.0
    assert len(list(leaping._places(20 * HOUR + 27 * 60, 60.0, None))) < 200
