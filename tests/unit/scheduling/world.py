"""A small stand-in for the engine: runs a scheduler against scripted answers in simulated time."""

import random
from collections.abc import Callable

from jobdeck.domain.job import JobKey, MissingPart
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.ratelimit import RateWindow
from jobdeck.scheduling.actions import Action, ActionResult, JobUpdate, ListPage, Poll, Wait
from jobdeck.scheduling.bucket import Limit, LimitSource
from jobdeck.scheduling.scheduler import Scheduler
from tests.builders import make_scheduler

Answer = Callable[[float, Action], ActionResult]


def job_key(name: str | int, group: str | None = None) -> JobKey:
    return JobKey("p", group, str(name))


def scheduler(per_minute: float = 60, source: LimitSource = LimitSource.DOCUMENTED, seed: int = 0) -> Scheduler:
    return make_scheduler(Limit(per_minute, source), random.Random(seed))


def running(action: Action, progress: float | None = None) -> ActionResult:
    assert isinstance(action, Poll)
    return ActionResult(
        updates=(JobUpdate(action.key, "enrichment", terminal=False, progress=progress, changed=False),)
    )


def failed(
    kind: ProblemKind,
    retry_after: float | None = None,
    retry_after_unclamped: float | None = None,
    windows: tuple[RateWindow, ...] = (),
    missing: tuple[MissingPart, ...] = (),
) -> ActionResult:
    return ActionResult(
        Problem(kind, kind.label),
        retry_after=retry_after,
        retry_after_unclamped=retry_after_unclamped,
        windows=windows,
        missing=missing,
    )


def ended(action: Action) -> ActionResult:
    assert isinstance(action, Poll)
    return ActionResult(updates=(JobUpdate(action.key, "enrichment", terminal=True, progress=1.0, changed=True),))


def send(tested: Scheduler, now: float) -> Action:
    """Return the scheduler's next action, which is then in flight."""
    action = tested.next_action(now)
    tested.mark_sent(action, now)
    return action


class World:
    """Simulated time: asks the scheduler, answers after `latency`, and keeps what was sent and when."""

    def __init__(self, tested: Scheduler, answer: Answer, *, latency: float = 0.1, at_once: int = 8) -> None:
        self.tested = tested
        self.answer = answer
        self.latency = latency
        self.at_once = at_once
        self.now = 0.0
        self.sent: list[tuple[float, Action]] = []
        self.steps = 0
        self._flying: list[tuple[float, Action]] = []

    def run(self, until: float) -> None:
        while True:
            self._fill()
            wake = self._wake_at()
            if wake > until:
                self.now = until
                return
            self.now = max(self.now, wake)
            while self._flying and self._flying[0][0] <= self.now:
                _, action = self._flying.pop(0)
                self.tested.on_result(self.now, action, self.answer(self.now, action))

    def _fill(self) -> None:
        self._waiting = float("inf")
        while len(self._flying) < self.at_once:
            self.steps += 1
            action = self.tested.next_action(self.now)
            if isinstance(action, Wait):
                assert action.until is None or self.now < action.until <= self.now + 900.0
                self._waiting = float("inf") if action.until is None else action.until
                return
            if not self.permits(action):
                continue
            self.tested.mark_sent(action, self.now)
            self.sent.append((self.now, action))
            self._flying.append((self.now + self.latency, action))

    def permits(self, action: Action) -> bool:
        """Whether an action may be sent; of one that may not, the scheduler knows until when."""
        return True

    def _wake_at(self) -> float:
        return min(self._waiting, self._flying[0][0] if self._flying else float("inf"))

    def times(self, key: JobKey) -> list[float]:
        return [at for at, action in self.sent if isinstance(action, Poll) and action.key == key]

    def pages(self) -> list[tuple[float, ListPage]]:
        return [(at, action) for at, action in self.sent if isinstance(action, ListPage)]


def most_in_a_window(times: list[float], window: float = 60.0) -> int:
    most = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - window:
            first += 1
        most = max(most, last - first + 1)
    return most
