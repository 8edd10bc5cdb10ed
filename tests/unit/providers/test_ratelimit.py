import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobdeck.domain.ratelimit import RateWindow
from jobdeck.providers.http_date import parse_http_date
from jobdeck.providers.ratelimit import parse_windows
from tests.unit.providers.wire import NOON_DATE, NOON_US

NOW = NOON_US / 1e6


@pytest.mark.parametrize(
    ("headers", "windows"),
    [
        ({}, []),
        (
            {"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "38", "X-RateLimit-Reset": "12"},
            [RateWindow(300, 38, 12.0)],
        ),
        (
            {"X-RateLimit-Remaining-poll": "3", "X-RateLimit-Limit-poll": "30", "X-RateLimit-Limit": "600"},
            [RateWindow(30, 3, name="poll"), RateWindow(600)],
        ),
        ({"x-ratelimit-reset": str(int(NOW) + 30)}, [RateWindow(reset_after=30.0)]),
        ({"x-ratelimit-reset": str((int(NOW) + 30) * 1000)}, [RateWindow(reset_after=30.0)]),
        ({"x-ratelimit-reset": "Tue, 28 Apr 2026 12:00:30 GMT"}, [RateWindow(reset_after=30.0)]),
        ({"x-ratelimit-reset": "0.5"}, [RateWindow(reset_after=0.5)]),
        ({"x-ratelimit-reset": "99999999"}, [RateWindow(reset_after=86_400.0)]),
        ({"x-ratelimit-reset": str(int(NOW) - 30)}, [RateWindow(reset_after=0.0)]),
        ({"RateLimit-Limit": "100, 100;w=60", "RateLimit-Remaining": "9"}, [RateWindow(100, 9, window=60.0)]),
        (
            {"RateLimit-Policy": '"poll";q=300;w=60, "day";q=9000;w=86400', "RateLimit": '"poll";r=38;t=12'},
            [RateWindow(300, 38, 12.0, 60.0, "poll"), RateWindow(9000, window=86_400.0, name="day")],
        ),
        ({"RateLimit": "limit=100, remaining=50, reset=5"}, [RateWindow(100, 50, 5.0)]),
        ({"RateLimit-Policy": "100;w=60"}, [RateWindow(100, window=60.0)]),
        ({"X-RateLimit-Limit": "٣٠٠"}, []),
        ({"X-RateLimit-Limit": "nan", "X-RateLimit-Reset": "inf"}, []),
        ({"X-RateLimit-Limit": "-5", "X-RateLimit-Remaining": "1_000"}, []),
        ({"X-RateLimit-Limit": "9e99", "X-RateLimit-Remaining": "5 apples"}, []),
        ({"X-RateLimit-Limit": "999999999999"}, [RateWindow(10**9)]),
        ({"X-RateLimit-Limit": "9" * 2000}, []),
        ({"RateLimit": '"unclosed;q=1'}, [RateWindow(1, name="unclosed")]),
    ],
)
def test_limits_are_read_in_every_dialect(headers: dict[str, str], windows: list[RateWindow]) -> None:
    assert list(parse_windows(headers.items(), NOW)) == windows


def test_a_moment_of_reset_is_measured_against_the_answers_own_date() -> None:
    headers = [("Date", NOON_DATE), ("X-RateLimit-Reset", str(int(NOW) + 30))]
    assert parse_windows(headers, NOW + 3_600) == (RateWindow(reset_after=30.0),)


def test_of_two_that_differ_the_tighter_holds() -> None:
    headers = [("X-RateLimit-Remaining", "9"), ("RateLimit", "limit=10, remaining=4, reset=1")]
    assert parse_windows(headers, NOW) == (RateWindow(10, 4, 1.0),)


def test_a_flood_of_names_is_cut() -> None:
    assert len(parse_windows([(f"X-RateLimit-Limit-{number}", "1") for number in range(1000)], NOW)) == 16


NAMES = st.sampled_from(
    ["X-RateLimit-Limit", "X-RateLimit-Remaining-poll", "X-RateLimit-Reset", "RateLimit", "RateLimit-Policy", "Date"]
)
VALUES = st.text() | st.text(alphabet='0123456789;,="qrtw. ')


@given(st.lists(st.tuples(NAMES | st.text(), VALUES)))
@example([("RateLimit", '"' * 1000)])
@example([("RateLimit", '"\\' * 500)])
def test_no_header_makes_it_raise_and_every_number_is_bounded(headers: list[tuple[str, str]]) -> None:
    for window in parse_windows(headers, NOW):
        for count in (window.limit, window.remaining):
            assert count is None or 0 <= count <= 10**9
        for seconds in (window.reset_after, window.window):
            assert seconds is None or 0.0 <= seconds <= 86_400.0


@pytest.mark.parametrize(
    "text",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_all_three_forms_of_a_date_are_read(text: str) -> None:
    assert parse_http_date(text) == 784_111_777.0


@pytest.mark.parametrize(
    "text",
    ["", "0", "Sun, 31 Feb 2026 00:00:00 GMT", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 PST"],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_http_date(text) is None


@given(st.text())
def test_no_text_makes_a_date_raise(text: str) -> None:
    parse_http_date(text)
