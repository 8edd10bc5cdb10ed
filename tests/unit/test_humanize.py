import pytest

from jobdeck.domain import humanize
from tests.tui.world import NOON


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0m00s"), (5.9, "0m05s"), (192, "3m12s"), (3_840, "1h04m"), (360_000, "4d04h"), (86_400 * 1_500, "4y")],
)
def test_durations_keep_to_six_cells(seconds: float, shown: str) -> None:
    assert humanize.format_elapsed(seconds) == shown
    assert len(shown) <= 6


def test_ages_under_a_minute_are_seconds_alone() -> None:
    assert (humanize.format_duration(4), humanize.format_duration(96), humanize.format_duration(-1)) == (
        "4s",
        "1m36s",
        "0s",
    )


@pytest.mark.parametrize(
    ("fraction", "shown"), [(0.0, "0%"), (0.001, "<1%"), (0.29, "29%"), (0.999, "99%"), (1.0, "100%")]
)
def test_a_percentage_says_neither_0_nor_100_before_it_is_true(fraction: float, shown: str) -> None:
    assert humanize.format_percent(fraction) == shown


def test_a_moment_of_another_day_is_shown_with_its_date() -> None:
    assert humanize.format_recent(NOON.us, NOON) == "14:02:00Z"
    assert humanize.format_recent(NOON.us - 86_400_000_000, NOON) == "2026-04-27 14:02:00Z"
    assert humanize.format_moment(NOON.us, NOON, 9) == "14:02:00Z"
    assert humanize.format_moment(NOON.us - 86_400_000_000, NOON, 9) == f"{humanize.format_duration(86_400)} ago"


def test_a_moment_no_calendar_knows_is_a_dash() -> None:
    assert humanize.format_datetime(10**20) == humanize.format_time(-(10**20)) == "–"


def test_requests_and_sizes_are_worded_in_their_own_units() -> None:
    assert [humanize.format_latency(s) for s in (0.084, 1.24, 12.9)] == ["84ms", "1.2s", "12s"]
    assert [humanize.format_size(n) for n in (812, 1_234, 8_400_000)] == ["812 B", "1.2 kB", "8.4 MB"]


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (20.4, 44, "20–45s"),
        (-5, 0.2, "<1s"),
        (-5, 0.0, "<1s"),
        (-5, -0.9, "<1s"),
        (-5, -1.0, "+1s"),
        (-80, -35, "+35s"),
        (3, 3, "~3s"),
        (241, 419, "4–7m"),
    ],
)
def test_what_is_left_is_a_range_that_is_never_empty(low: float, high: float, shown: str) -> None:
    assert humanize.format_eta(low, high) == shown


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("1h30m", 5_400),
        ("1.5m", 90),
        ("2d", 172_800),
        ("", None),
        ("1h 30m", None),
        ("h", None),
        ("１s", None),
    ],
)
def test_a_length_of_time_is_read_as_people_write_it(text: str, seconds: float | None) -> None:
    assert humanize.parse_duration(text) == seconds
