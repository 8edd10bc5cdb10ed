"""The event loop of the simulation: arrivals, requests, responses and other clients, with the measurements."""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.simulation.jobs import SimJob, make_jobs
from benchmarks.simulation.server import METERS, Headers, Meter

LATENCY = 0.2
CHANCE_SECONDS = 5.0
"""The Retry-After of a random refusal, if it has one."""

GIVE_UP = 1_800.0
"""Simulated seconds after the last job's end at which unknown ends count as detected."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: a poll of a job (`number`), or a page of the list."""

    number: int | None = None
    status: str | None = None
    cursor: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """The state of one job in a response."""

    number: int
    kind: str
    status: str
    progress: float | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: rows, a refusal (429), or an error (500)."""

    code: int
    rows: tuple[Row, ...] = ()
    retry_after: float | None = None
    headers: Headers | None = None
    next_cursor: int | None = None


class Policy(Protocol):
    """A poller. `next` is called after every event, until it returns no request."""

    def arrive(self, now: float, number: int, kind: str) -> None:
        """Watch a new job."""
        ...

    def select(self, now: float, number: int | None) -> None:
        """Set the selected row."""
        ...

    def next(self, now: float) -> Ask | float | None:
        """Return a request to send now, the time to ask again, or None."""
        ...

    def answer(self, now: float, ask: Ask, answer: Answer) -> None:
        """Process a response."""
        ...


@dataclass(frozen=True, slots=True)
class Scenario:
    """One setting of the simulation."""

    jobs: int
    per_minute: int
    lists: str = "none"
    """"none", "shared" (same limit as polls), "own" (600 per minute) or "pages" (cursor, no progress)."""
    stolen: float = 0.25
    """The fraction of the limit that other clients use."""
    meter: str = "bucket"
    headers: bool = True
    errors: float = 0.0
    foreign: float = 0.0
    """The number of unwatched jobs in the lists, relative to the watched ones."""
    batch: bool = False
    """All jobs are submitted at once, so that those that start and end are far down in the list."""
    configured: int | None = None
    """The user's limit; None if the documented one is known."""
    chance: float = 0.0
    """The fraction of requests that are refused at random."""
    told: bool = True
    """Random refusals have a Retry-After."""


@dataclass(slots=True)
class Measured:
    """The measurements of a run.

    A refusal is of our own making (`own_refused`) if a server without other clients would have refused the request too,
    or if it was sent during a Retry-After. Otherwise other clients used up what was left before the request arrived.
    """

    delays: list[float] = field(default_factory=list)
    """Seconds from a job's end to its detection."""
    full: list[float] = field(default_factory=list)
    """Seconds until an end is known in full: a list row may contain only the status."""
    selected: list[float] = field(default_factory=list)
    """Ages of the selected row's data."""
    ages: list[float] = field(default_factory=list)
    """Ages of the data of all live rows."""
    sent: int = 0
    polls: int = 0
    refused: int = 0
    own_refused: int = 0
    others: int = 0
    others_refused: int = 0
    seconds: float = 0.0


class World:
    """One run of one policy in one scenario; everything random derives from `seed`."""

    def __init__(self, scenario: Scenario, policy: Policy, seed: int) -> None:
        self.scenario = scenario
        self.policy = policy
        self.measured = Measured()
        self._rng = random.Random(seed)
        self._neighbours = random.Random(f"neighbours {seed}")
        self._chance = random.Random(f"chance {seed}")
        self._jobs = make_jobs(scenario.jobs, random.Random(f"jobs {seed}"), batch=scenario.batch)
        self._polls: Meter = METERS[scenario.meter](scenario.per_minute)
        self._lists: Meter = METERS[scenario.meter](600) if scenario.lists == "own" else self._polls
        self._listed: list[SimJob] = []
        self._unknown: dict[int, SimJob] = {}
        self._outlined: dict[int, SimJob] = {}
        self._looked: dict[int, float] = {}
        self._selected: int | None = None
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._wake_at = float("inf")
        self._alone: dict[Meter, Meter] = {
            self._polls: METERS[scenario.meter](scenario.per_minute),
            self._lists: METERS[scenario.meter](600 if scenario.lists == "own" else scenario.per_minute),
        }
        self._silent_until = 0.0
        self.now = 0.0
        self._add_foreign_jobs(seed)

    def run(self) -> Measured:
        """Run until every end is detected, or nothing more can be; return the measurements."""
        last = max(job.ended for job in self._jobs)
        for job in self._jobs:
            self._at(job.created, lambda job=job: self._arrive(job))  # type: ignore[misc] # a default binds the loop variable
        self._at(0.0, self._steal)
        self._at(5.0, self._select)
        self._at(5.0, self._sample)
        while self._events and self.now < last + GIVE_UP:
            if self.now > self._jobs[-1].created and not self._unknown and not self._outlined:
                break
            self.now, _, happen = heapq.heappop(self._events)
            happen()
        for job in self._unknown.values():
            self.measured.delays.append(self.now - job.ended)
        for job in self._outlined.values():
            self.measured.full.append(self.now - job.ended)
        self.measured.seconds = self.now
        return self.measured

    @property
    def seconds_of_jobs(self) -> float:
        """The sum of all jobs' durations in seconds."""
        return sum(job.ended - job.created for job in self._jobs)

    def _at(self, when: float, happen: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, happen))

    def _arrive(self, job: SimJob) -> None:
        self._listed.append(job)
        self._unknown[job.number] = self._outlined[job.number] = job
        self.policy.arrive(self.now, job.number, job.kind)
        self._drive()

    def _drive(self) -> None:
        while True:
            step = self.policy.next(self.now)
            if isinstance(step, Ask):
                self._send(step)
                continue
            # An outdated wake-up has nothing to do; letting it pass is cheaper than cancelling it.
            if step is not None and (step < self._wake_at or self._wake_at <= self.now):
                self._wake_at = step
                self._at(step, self._drive)
            return

    def _send(self, ask: Ask) -> None:
        self.measured.sent += 1
        self.measured.polls += ask.number is not None or self._lists is self._polls
        there = self.now + self._latency() / 2
        early = self.now < self._silent_until
        self._at(there, lambda: self._serve(ask, early=early))

    def _serve(self, ask: Ask, *, early: bool) -> None:
        meter = self._polls if ask.number is not None else self._lists
        wait = meter.ask(self.now)
        too_many = self._alone[meter].ask(self.now) is not None
        headers = meter.headers(self.now) if self.scenario.headers else None
        next_cursor = None
        if wait is not None:
            self.measured.refused += 1
            self.measured.own_refused += too_many or early
            answer = Answer(429, retry_after=wait, headers=headers)
        elif self._chance.random() < self.scenario.chance:
            self.measured.refused += 1
            answer = Answer(429, retry_after=CHANCE_SECONDS if self.scenario.told else None, headers=headers)
        elif self._rng.random() < self.scenario.errors:
            answer = Answer(500, headers=headers)
        elif ask.number is not None:
            job = self._jobs[ask.number]
            answer = Answer(200, (self._row(job, whole=True),), headers=headers)
        else:
            rows, next_cursor = self._page(ask)
            answer = Answer(200, rows, headers=headers, next_cursor=next_cursor)
        seen_at = self.now
        self._at(self.now + self._latency() / 2, lambda: self._receive(ask, answer, seen_at))

    def _receive(self, ask: Ask, answer: Answer, seen_at: float) -> None:
        self._silent_until = max(self._silent_until, self.now + (answer.retry_after or 0.0))
        for row in answer.rows:
            if row.number < 0:
                continue
            self._looked[row.number] = seen_at
            if row.status == "done" and row.number in self._unknown:
                self.measured.delays.append(self.now - self._unknown.pop(row.number).ended)
            full = ask.number is not None or self.scenario.lists != "pages"
            if row.status == "done" and full and row.number in self._outlined:
                self.measured.full.append(self.now - self._outlined.pop(row.number).ended)
        self.policy.answer(self.now, ask, answer)
        self._drive()

    def _page(self, ask: Ask) -> tuple[tuple[Row, ...], int | None]:
        rows: list[Row] = []
        start = len(self._listed) - 1 if ask.cursor is None else ask.cursor
        for place in range(start, -1, -1):
            job = self._listed[place]
            if ask.status is not None and job.status(self.now) != ask.status:
                continue
            if len(rows) == 100:
                return tuple(rows), place if self.scenario.lists == "pages" else None
            rows.append(self._row(job, whole=self.scenario.lists != "pages"))
        return tuple(rows), None

    def _row(self, job: SimJob, *, whole: bool) -> Row:
        return Row(job.number, job.kind, job.status(self.now), job.progress(self.now) if whole else None)

    def _add_foreign_jobs(self, seed: int) -> None:
        """Add jobs of other users, which fill the list but are not watched; their numbers are negative."""
        count = int(self.scenario.jobs * self.scenario.foreign)
        for job in make_jobs(count, random.Random(f"foreign {seed}")) if count else []:
            other = SimJob(-1 - job.number, job.kind, job.created, job.started, job.ended, job.curve)
            self._at(job.created, lambda other=other: self._listed.append(other))  # type: ignore[misc] # a default binds the loop variable

    def _steal(self) -> None:
        """Send the requests of other clients: bursts of about a tenth of the limit, `stolen` of it in total."""
        if self.scenario.stolen <= 0:
            return
        size = 1 + int(self._neighbours.expovariate(10.0 / self.scenario.per_minute))
        for number in range(size):
            self._at(self.now + 0.1 * number, self._other)
        self._at(self.now + size * 60.0 / (self.scenario.stolen * self.scenario.per_minute), self._steal)

    def _other(self) -> None:
        self.measured.others += 1
        self.measured.others_refused += self._polls.ask(self.now) is not None

    def _select(self) -> None:
        """Select another row every 30 seconds."""
        live = [number for number, job in self._unknown.items() if job.ended > self.now]
        self._selected = self._rng.choice(live) if live else None
        self.policy.select(self.now, self._selected)
        self._at(self.now + 30.0, self._select)
        self._drive()

    def _sample(self) -> None:
        selected = self._selected
        if selected in self._unknown and selected in self._looked:
            self.measured.selected.append(self.now - self._looked[selected])
        for number in self._unknown:
            if number % 16 == 0 and number in self._looked:
                self.measured.ages.append(self.now - self._looked[number])
        self._at(self.now + 1.0, self._sample)

    def _latency(self) -> float:
        return LATENCY * self._rng.lognormvariate(-0.08, 0.4)
