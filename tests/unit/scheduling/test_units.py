"""Rate limits of every window and unit, against servers that count: neither a refusal nor minutes of silence."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise, product

import pytest

from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.ratelimit import RateWindow
from jobdeck.http.ratelimit import parse_windows
from jobdeck.scheduling.actions import Action, ActionResult
from jobdeck.scheduling.bucket import LimitSource
from jobdeck.scheduling.server_window import ServerWindow
from tests.unit.scheduling.world import World, failed, job_key, most_in_a_window, running, scheduler

EPOCH = 1_777_377_600.0
"""When monotonic time is 0."""

Headers = Callable[["Counter", float], Mapping[str, str]]


@dataclass
class Counter:
    """A server that counts in windows that follow each other from `phase` on."""

    limit: int
    window: float
    headers: Headers
    phase: float = 0.0
    refused: int = 0
    used: dict[int, int] = field(default_factory=dict)

    def left(self, now: float) -> int:
        return self.limit - self.used.get(self.number(now), 0)

    def number(self, now: float) -> int:
        return math.floor((now - self.phase) / self.window)

    def resets(self, now: float) -> float:
        return self.phase + (self.number(now) + 1) * self.window - now

    def answer(self, now: float, action: Action) -> ActionResult:
        result = running(action)
        if self.left(now) <= 0:
            self.refused += 1
            result = failed(ProblemKind.RATE_LIMIT)
        else:
            self.used[self.number(now)] = self.used.get(self.number(now), 0) + 1
        windows = parse_windows(self.headers(self, now).items(), EPOCH + now)
        return replace(result, windows=windows)


def plain(reset: Callable[[float, float], str]) -> Headers:
    """`reset` is made of the seconds to go, and of now."""

    def headers(server: Counter, now: float) -> Mapping[str, str]:
        return {
            "X-RateLimit-Limit": str(server.limit),
            "X-RateLimit-Remaining": str(max(0, server.left(now))),
            "X-RateLimit-Reset": reset(server.resets(now), EPOCH + now),
        }

    return headers


def suffixed(name: str, *, left: bool = True) -> Headers:
    def headers(server: Counter, now: float) -> Mapping[str, str]:
        told = {f"X-RateLimit-Limit-{name}": str(server.limit)}
        return {**told, f"X-RateLimit-Remaining-{name}": str(max(0, server.left(now)))} if left else told

    return headers


def run(server: Counter, jobs: int, seconds: float, per_minute: float = 60) -> World:
    tested = scheduler(per_minute, LimitSource.UNKNOWN)
    for name in range(jobs):
        tested.add(job_key(name), "enrichment", 0.0)
    world = World(tested, server.answer)
    world.run(seconds)
    return world


RESETS: Mapping[str, Callable[[float, float], str]] = {
    "seconds": lambda left, now: str(math.ceil(left)),
    "fractions": lambda left, now: f"{left:.3f}",
    "ms": lambda left, now: str(round(left * 1e3)),
    "ns": lambda left, now: str(round(left * 1e9)),
    "epoch": lambda left, now: str(math.ceil(now + left)),
    "epoch in ms": lambda left, now: str(round((now + left) * 1e3)),
    "epoch in us": lambda left, now: str(round((now + left) * 1e6)),
    "duration": lambda left, now: f"{int(left // 60)}m{left % 60:.3f}s",
    "ISO 8601": lambda left, now: f"PT{left:.3f}S",
}


WINDOWS = ((30, 60.0), (100, 3_600.0), (1_000, 86_400.0))


@pytest.mark.parametrize(
    ("form", "limit", "window", "phase"),
    [(form, *window, (0.0, 17.0)[at % 2]) for at, (form, window) in enumerate(product(RESETS, WINDOWS))],
)
def test_whatever_form_a_reset_has_the_limit_is_kept_and_used(
    form: str, limit: int, window: float, phase: float
) -> None:
    server = Counter(limit, window, plain(RESETS[form]), phase)
    world = run(server, 12, 1_200.0)
    assert server.refused == 0
    times = [at for at, _ in world.sent]
    assert max(later - at for at, later in pairwise([*times, 1_200.0])) <= max(60.0, 2.0 * window / limit)
    assert len(times) >= 0.5 * min(limit, 1_200.0 / window * limit)


def test_a_limit_a_second_is_one_a_second() -> None:
    server = Counter(5, 1.0, suffixed("Second"))
    world = run(server, 12, 190.0)
    assert server.refused == 0
    assert len(world.sent) >= 190.0 * 1.8, "twelve jobs with a floor of two seconds, and others may share it"
    assert most_in_a_window([at for at, _ in world.sent][5:], 1.0) <= 5
    view = world.tested.quota(190.0)
    assert (view.window, view.window_limit, view.limit) == (1.0, 5, 300.0)
    assert 0 <= view.window_used <= 5


def test_ten_that_are_whole_again_after_a_second_are_no_ten_a_minute() -> None:
    server = Counter(10, 1.0, plain(RESETS["seconds"]))
    world = run(server, 12, 20.0)
    assert server.refused == 0
    assert len(world.sent) >= 14


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize(("name", "limit", "window"), [("Hour", 100, 3_600.0), ("Day", 2_400, 86_400.0)])
def test_a_limit_of_an_hour_or_a_day_is_not_spent_in_a_minute(name: str, limit: int, window: float, left: bool) -> None:
    server = Counter(limit, window, suffixed(name, left=left))
    world = run(server, 12, 3_600.0)
    times = [at for at, _ in world.sent]
    assert most_in_a_window(times) <= 5
    assert server.refused == 0
    assert len(times) >= 0.6 * limit * 3_600.0 / window
    view = world.tested.quota(3_600.0)
    assert (view.window, view.window_limit) == (window, limit)
    assert view.window_used == sum(at > 3_600.0 - window for at in times)


def test_what_counts_no_requests_stops_none() -> None:
    server = Counter(600, 60.0, lambda *_: {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"})
    assert len(run(server, 12, 60.0).sent) >= 30


def test_the_tightest_of_several_limits_holds() -> None:
    def headers(server: Counter, now: float) -> Mapping[str, str]:
        return {**suffixed("Second")(server, now), "X-RateLimit-Limit-Minute": "30"}

    server = Counter(5, 1.0, headers)
    times = [at for at, _ in run(server, 12, 600.0).sent]
    assert most_in_a_window(times[10:]) <= 30
    assert most_in_a_window(times[5:], 1.0) <= 5


def test_a_reset_that_never_moves_and_may_be_of_any_unit_costs_no_minutes() -> None:
    def headers(server: Counter, now: float) -> Mapping[str, str]:
        return {"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "299", "X-RateLimit-Reset": "99999999"}

    server = Counter(10_000, 60.0, headers)
    times = [at for at, _ in run(server, 12, 600.0).sent]
    assert max(later - at for at, later in pairwise(times)) <= 60.0


def test_milliseconds_are_known_by_how_fast_they_fall() -> None:
    window = None
    for second in range(4):
        told = RateWindow(60, 59 - second, 59_873.0 - 1_000.0 * second, exact=False)
        window = ServerWindow.from_headers(told, window, float(second), 0)
        assert window.length == 60.0
    assert window is not None
    assert window.resets == pytest.approx(59.873)
    for second in range(4):
        told = RateWindow(60, 59 - second, 59_873.0 - second, exact=False)
        window = ServerWindow.from_headers(told, None if second == 0 else window, float(second), 0)
    assert window.resets == pytest.approx(59_873.0)
    assert window.length == pytest.approx(59_873.0, abs=2.0)
