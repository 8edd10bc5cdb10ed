import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobdeck.domain.ratelimit import RateWindow
from jobdeck.http.ratelimit import parse_windows
from jobdeck.http.retry_after import parse_http_date
from tests.unit.http.wire import NOON_DATE, NOON_US

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
        ({"x-ratelimit-reset": "99999999"}, [RateWindow(reset_after=99_999_999.0, exact=False)]),
        ({"x-ratelimit-reset": str(int(NOW) - 30)}, [RateWindow(reset_after=0.0)]),
        ({"RateLimit-Limit": "100, 100;w=60", "RateLimit-Remaining": "9"}, [RateWindow(100, 9, window=60.0)]),
        (
            {"RateLimit-Policy": '"poll";q=300;w=60, "day";q=9000;w=86400', "RateLimit": '"poll";r=38;t=12'},
            [RateWindow(300, 38, 12.0, 60.0, "poll"), RateWindow(9000, window=86_400.0, name="day")],
        ),
        ({"RateLimit": "limit=100, remaining=50, reset=5"}, [RateWindow(100, 50, 5.0)]),
        ({"RateLimit-Policy": "100;w=60"}, [RateWindow(100, window=60.0)]),
        (
            {"X-RateLimit-Limit-Second": "5", "X-RateLimit-Remaining-Second": "4"},
            [RateWindow(5, 4, window=1.0, name="second")],
        ),
        (
            # Kong tells the tightest a second time, without a name.
            {
                "X-RateLimit-Limit-Minute": "20",
                "X-RateLimit-Limit-Second": "5",
                "X-RateLimit-Remaining-Second": "4",
                "RateLimit-Limit": "5",
                "RateLimit-Remaining": "4",
                "RateLimit-Reset": "1",
            },
            [RateWindow(20, window=60.0, name="minute"), RateWindow(5, 4, 1.0, 1.0)],
        ),
        (
            {"X-RateLimit-Limit-Hour": "100", "X-Rate-Limit-Limit-Day": "900", "X-RateLimit-Limit-Month": "9000"},
            [
                RateWindow(100, window=3_600.0, name="hour"),
                RateWindow(900, window=86_400.0, name="day"),
                RateWindow(9_000, window=2_592_000.0, name="month"),
            ],
        ),
        ({"X-RateLimit-Limit-15min": "15"}, [RateWindow(15, window=900.0, name="15min")]),
        (
            {
                "x-ratelimit-limit-requests": "5000",
                "x-ratelimit-remaining-requests": "4999",
                "x-ratelimit-reset-requests": "1m30.5s",
                "x-ratelimit-limit-tokens": "100",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "6m0s",
            },
            [RateWindow(5000, 4999, 90.5)],
        ),
        (
            {
                "anthropic-ratelimit-requests-limit": "50",
                "anthropic-ratelimit-requests-remaining": "49",
                "anthropic-ratelimit-requests-reset": "2026-04-28T12:00:30Z",
                "anthropic-ratelimit-input-tokens-remaining": "0",
            },
            [RateWindow(50, 49, 30.0, name="anthropic")],
        ),
        (
            {
                "X-RateLimit-Limit": "60",
                "X-RateLimit-Used": "7",
                "X-RateLimit-Resource": "core",
                "X-RateLimit-Reset": str(int(NOW) + 1_400),
            },
            [RateWindow(60, 53, 1_400.0, name="core")],
        ),
        (
            {
                "RateLimit-Limit": "60",
                "RateLimit-Name": "throttle_api",
                "RateLimit-Observed": "7",
                "RateLimit-Reset": str(int(NOW) + 60),
                "RateLimit-ResetTime": "Tue, 28 Apr 2026 12:01:00 GMT",
            },
            [RateWindow(60, 53, 60.0, name="throttle_api")],
        ),
        ({"X-Shopify-Shop-Api-Call-Limit": "32/40"}, [RateWindow(40, 8, name="shopify-shop")]),
        ({"X-Shopify-Shop-Api-Call-Limit": "40/40"}, [RateWindow(40, 0, name="shopify-shop")]),
        ({"X-RateLimit-Remaining": "5/10"}, [RateWindow(10, 5)]),
        ({"X-RateLimit-Limit": "5/s"}, [RateWindow(5, window=1.0)]),
        ({"X-RateLimit-Limit": "100 requests per hour"}, [RateWindow(100, window=3_600.0)]),
        ({"X-RateLimit-Limit": "50", "X-RateLimit-Interval-Seconds": "10"}, [RateWindow(50, window=10.0)]),
        ({"X-RateLimit-Limit": "50", "X-RateLimit-Window": "hour"}, [RateWindow(50, window=3_600.0)]),
        ({"X-Amzn-RateLimit-Limit": "0.5"}, [RateWindow(1, window=2.0, name="amzn")]),
        (
            {"X-App-Rate-Limit": "20:1,100:120", "X-App-Rate-Limit-Count": "1:1,3:120"},
            [RateWindow(20, 19, window=1.0, name="app-1s"), RateWindow(100, 97, window=120.0, name="app-120s")],
        ),
        (
            {
                "X-RateLimit-Limit": "1, 15000",
                "X-RateLimit-Policy": "1;w=1, 15000;w=2592000",
                "X-RateLimit-Remaining": "1, 900",
                "X-RateLimit-Reset": "1, 1800",
            },
            [RateWindow(1, 1, 1.0, 1.0, "#0"), RateWindow(15_000, 900, 1_800.0, 2_592_000.0, "#1", exact=False)],
        ),
        (
            {"RateLimit-Policy": "10;w=1, 50;w=60", "RateLimit": "limit=10, remaining=5, reset=1"},
            [RateWindow(10, 5, 1.0, 1.0), RateWindow(50, window=60.0, name="60s")],
        ),
        ({"RateLimit": "limit=100;remaining=50;reset=5"}, [RateWindow(100, 50, 5.0)]),
        ({"RateLimit": '"default";r=50;t=30'}, [RateWindow(None, 50, 30.0, name="default")]),
        ({"RateLimit": "default;r=50;t=30"}, [RateWindow(None, 50, 30.0, name="default")]),
        ({"RateLimit-Policy": '"b";q=100;w=60;qu="content-bytes"', "RateLimit": '"b";r=0;t=30'}, []),
        ({"X-RateLimit-Remaining-Tokens": "0", "X-RateLimit-Cost": "5", "X-Ratelimit-Remaining-Bytes": "0"}, []),
        ({"X-RateLimit-Reset-Ms": "1500"}, [RateWindow(reset_after=1.5)]),
        ({"X-RateLimit-Reset-After": "4000000"}, [RateWindow(reset_after=2_678_400.0)]),
        ({"x-ratelimit-reset": "2026-04-28T12:00:30.5Z"}, [RateWindow(reset_after=30.5)]),
        ({"x-ratelimit-reset": "12ms"}, [RateWindow(reset_after=0.012)]),
        ({"x-ratelimit-reset": "PT30S"}, [RateWindow(reset_after=30.0)]),
        ({"x-ratelimit-reset": str((int(NOW) + 30) * 1_000_000)}, [RateWindow(reset_after=30.0)]),
        ({"x-ratelimit-reset": str((int(NOW) + 30) * 1_000_000_000)}, [RateWindow(reset_after=30.0)]),
        ({"x-ratelimit-reset": "60"}, [RateWindow(reset_after=60.0)]),
        ({"x-ratelimit-reset": "59873"}, [RateWindow(reset_after=59_873.0, exact=False)]),
        ({"x-ratelimit-reset": "30000000000"}, [RateWindow(reset_after=30_000_000_000.0, exact=False)]),
        ({"x-ratelimit-reset": "1234567890"}, [RateWindow(reset_after=0.0)]),
        ({"X-RateLimit-Remaining": "-1", "X-RateLimit-Reset": "-5"}, []),
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
    [
        *(
            "X-RateLimit-Limit",
            "X-RateLimit-Remaining-poll",
            "X-RateLimit-Reset",
            "RateLimit",
            "RateLimit-Policy",
            "Date",
        ),
        *("X-RateLimit-Used", "X-RateLimit-Limit-Hour", "X-RateLimit-Window", "X-App-Rate-Limit", "X-Api-Call-Limit"),
    ]
)
VALUES = st.text() | st.text(alphabet='0123456789;,="qrtw. /:smh')


@given(st.lists(st.tuples(NAMES | st.text(), VALUES)))
@example([("RateLimit", '"' * 1000)])
@example([("RateLimit", '"\\' * 500)])
def test_no_header_makes_it_raise_and_every_number_is_bounded(headers: list[tuple[str, str]]) -> None:
    for window in parse_windows(headers, NOW):
        for count in (window.limit, window.remaining):
            assert count is None or 0 <= count <= 10**9
        for seconds in (window.reset_after, window.window):
            assert seconds is None or 0.0 <= seconds <= 31 * 86_400.0 or (not window.exact and seconds < 1e30)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777.0),
        ("Sun Nov  6 08:49:37 1994", 784_111_777.0),
        ("\tSun, 06 Nov 1994 08:49:37 GMT ", 784_111_777.0),
        ("Sunday, 06-Nov-68 08:49:37 GMT", 3_119_417_377.0),
        ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_799.0),
    ],
)
def test_all_three_forms_of_a_date_are_read(text: str, seconds: float) -> None:
    assert parse_http_date(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "120 000", "Sun, 06 Nov 1994", "x" * 100_000, "Sun, 06 Nov 1994 08:49:37 +99999999999"),
        *("Sun, 31 Feb 2026 00:00:00 GMT", "Sun, 06 Foo 1994 08:49:37 GMT", f"Sun, 06 Nov {'9' * 30} 08:49:37 GMT"),
        *("Sun, 0_6 Nov 1994 08:49:37 GMT", "Sun, ٠٦ Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 PST"),
        *("Fri, 31 Dec 9999 23:00:00 -2300", "Fri, 31 Dec 9999 23:00:00 GMT -2300"),
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_http_date(text) is None


@given(st.text() | st.text(alphabet="SunMoDecJa0123456789 ,:-+GMT").map("Sun, ".__add__))
def test_no_text_makes_a_date_raise(text: str) -> None:
    parse_http_date(text)


def test_the_length_of_a_window_without_numbers_is_no_limit() -> None:
    assert parse_windows([("RateLimit", "x;q=;w=99999999999999999999")], 1.79e9) == ()
