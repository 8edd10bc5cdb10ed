"""The scheduler under test, as a policy: alone, or several that share one budget as the store does."""

import random

from benchmarks.simulation.run import Answer, Ask, Scenario
from benchmarks.simulation.server import Headers
from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.ratelimit import RateWindow
from jobdeck.scheduling.actions import Action, ActionResult, JobUpdate, ListPage, Poll
from jobdeck.scheduling.bucket import Limit, LimitSource
from jobdeck.scheduling.list_tracker import ListEndpoint
from jobdeck.scheduling.scheduled_job import PollInterval
from jobdeck.scheduling.scheduler import Scheduler
from jobdeck.store.gcra import Delayed, Rate, admit

AT_ONCE = 8
TYPICAL = {"enrichment": 20.0, "search": 60.0, "operation": 180.0, "prospecting": 600.0}
INTERVALS = {
    "enrichment": PollInterval(2.0),
    "search": PollInterval(5.0),
    "operation": PollInterval(10.0, young_sooner=True),
    "prospecting": PollInterval(10.0),
}
"""The poll intervals documented by The Hog and Sonarly."""

KINDS = frozenset({"enrichment", "search", "operation", "prospecting"})
PHASES = {"queued": Phase.QUEUED, "running": Phase.RUNNING, "done": Phase.SUCCEEDED}


class SharedBudget:
    """The store's limiter, which every client asks before it sends."""

    def __init__(self, per_minute: int) -> None:
        self.asked = self.denied = 0
        self._rate = Rate.of(per_minute)
        self._tat_us = 0

    def ask(self, now: float) -> float | None:
        """Return when to ask again; None where the request may be sent."""
        self.asked += 1
        verdict = admit(self._tat_us, round(now * 1e6), self._rate)
        if isinstance(verdict, Delayed):
            self.denied += 1
            return verdict.until_us / 1e6
        self._tat_us = verdict.tat_us
        return None


class Ours:
    """Translates between the simulated world and the scheduler; at most eight concurrent requests, like the engine."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        *,
        source: LimitSource = LimitSource.DOCUMENTED,
        budget: SharedBudget | None = None,
    ) -> None:
        pages = scenario.lists == "pages"
        lists = ListEndpoint(
            "operation",
            KINDS,
            cursor=pages,
            active_statuses=("running", "queued"),
            full_rows=not pages,
            ended_statuses=("done",),
        )
        limit = Limit(scenario.per_minute if source is not LimitSource.UNKNOWN else 30, source)
        if scenario.configured is not None:
            limit = Limit(scenario.configured, LimitSource.CONFIGURED)
        known = () if scenario.lists == "none" else (lists,)
        self.scheduler = Scheduler(limit, random.Random(seed), known, typical=TYPICAL, intervals=INTERVALS)
        self._budget = budget
        self._whole = not pages
        self._before: dict[int, tuple[str, float | None]] = {}
        self._finished: set[int] = set()
        self._flying: dict[Ask, Action] = {}

    def arrive(self, now: float, number: int, kind: str) -> None:
        """Watch a new job."""
        self.scheduler.add(_key(number), kind, now)

    def select(self, now: float, number: int | None) -> None:
        """Set the selected row."""
        self.scheduler.set_selected(None if number is None else _key(number), now)

    def next(self, now: float) -> Ask | float | None:
        """Return a request to send now, the time to ask again, or None."""
        if len(self._flying) >= AT_ONCE:
            return None
        action = self.scheduler.next_action(now)
        while isinstance(action, Poll | ListPage) and self._budget is not None:
            if (until := self._budget.ask(now)) is None:
                break
            self.scheduler.block(action, now, until)
            action = self.scheduler.next_action(now)
        match action:
            case Poll(key):
                ask = Ask(int(key.id))
            case ListPage():
                ask = Ask(None, action.status, None if action.cursor is None else int(action.cursor))
            case _:
                return action.until
        assert ask not in self._flying
        self.scheduler.mark_sent(action, now)
        self._flying[ask] = action
        return ask

    def answer(self, now: float, ask: Ask, answer: Answer) -> None:
        """Process a response."""
        kind = ProblemKind.RATE_LIMIT if answer.code == 429 else ProblemKind.SERVER_ERROR
        problem = None if answer.code == 200 else Problem(kind, kind.label)
        seen: list[JobUpdate] = []
        for row in answer.rows:
            if row.number < 0:
                continue
            whole = ask.number is not None or self._whole
            before = self._before.get(row.number)
            # Like the registry: a row without progress leaves it unchanged, and a known end is not a change.
            told = (row.status, row.progress if whole or before is None else before[1])
            if not whole and row.status == "done" and row.number in self._finished:
                continue
            if whole and row.status == "done":
                self._finished.add(row.number)
            changed = before != told
            self._before[row.number] = told
            seen.append(
                JobUpdate(
                    _key(row.number), row.kind, row.status == "done", row.progress, changed, whole, PHASES[row.status]
                )
            )
        cursor = None if answer.next_cursor is None else str(answer.next_cursor)
        result = ActionResult(
            problem, tuple(seen), answer.retry_after, _windows(answer.headers), cursor, len(answer.rows)
        )
        self.scheduler.on_result(now, self._flying.pop(ask), result)


class Team:
    """Several clients of one budget, each with its own part of the jobs, of an API without lists."""

    def __init__(self, scenario: Scenario, seed: int, clients: int) -> None:
        self.budget = SharedBudget(scenario.per_minute)
        self._clients = [Ours(scenario, seed + number, budget=self.budget) for number in range(clients)]
        self._rng = random.Random(f"clients {seed}")

    def arrive(self, now: float, number: int, kind: str) -> None:
        """Watch a new job."""
        self._of(number).arrive(now, number, kind)

    def select(self, now: float, number: int | None) -> None:
        """Take note of the row that somebody selected."""
        for client in self._clients:
            client.select(now, number if number is not None and client is self._of(number) else None)

    def next(self, now: float) -> Ask | float | None:
        """Return a request of one of them to send now, when to ask again, or None."""
        waits: list[float] = []
        # Several that wait for the same moment ask in any order.
        for client in self._rng.sample(self._clients, len(self._clients)):
            step = client.next(now)
            if isinstance(step, Ask):
                return step
            if step is not None:
                waits.append(step)
        return min(waits, default=None)

    def answer(self, now: float, ask: Ask, answer: Answer) -> None:
        """Hand an answer to the client that asked."""
        assert ask.number is not None
        self._of(ask.number).answer(now, ask, answer)

    def _of(self, number: int) -> Ours:
        return self._clients[number % len(self._clients)]


def _key(number: int) -> JobKey:
    return JobKey("bench", None, str(number))


def _windows(headers: Headers | None) -> tuple[RateWindow, ...]:
    if headers is None:
        return ()
    return (RateWindow(headers.limit, headers.remaining, headers.reset_after),)
