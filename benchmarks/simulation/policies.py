"""Other policies for comparison: hand-written loops, libraries, and one that knows the future."""

import heapq
import random
from collections.abc import Callable

from benchmarks.simulation.jobs import SimJob, make_jobs
from benchmarks.simulation.run import Answer, Ask


class EachAlone:
    """One loop per job: `pause(attempt)` seconds between a response and the next request, regardless of other jobs.

    `patient` loops obey Retry-After for their own job.
    """

    def __init__(self, pause: Callable[[int], float], *, patient: bool = False) -> None:
        self._pause = pause
        self._patient = patient
        self._due: list[tuple[float, int]] = []
        self._tries: dict[int, int] = {}

    def arrive(self, now: float, number: int, kind: str) -> None:
        """Watch a new job."""
        heapq.heappush(self._due, (now, number))

    def select(self, now: float, number: int | None) -> None:
        """Ignore the selection."""

    def next(self, now: float) -> Ask | float | None:
        """Return a request to send now, the time to ask again, or None."""
        if not self._due:
            return None
        if self._due[0][0] > now:
            return self._due[0][0]
        return Ask(heapq.heappop(self._due)[1])

    def answer(self, now: float, ask: Ask, answer: Answer) -> None:
        """Process a response."""
        number = ask.number if ask.number is not None else -1
        if answer.rows and answer.rows[0].status == "done":
            return
        self._tries[number] = self._tries.get(number, 0) + 1
        wait = self._pause(self._tries[number])
        if self._patient and answer.retry_after:
            wait = max(wait, answer.retry_after)
        heapq.heappush(self._due, (now + wait, number))


def naive(_: int) -> EachAlone:
    """Poll every two seconds, for ever."""
    return EachAlone(lambda _: 2.0)


def core(seed: int) -> EachAlone:
    """Poll like google-api-core: full jitter up to 1 s × 1.5^n, at most 20 s."""
    rng = random.Random(f"core {seed}")
    return EachAlone(lambda tries: rng.uniform(0.0, min(20.0, 1.5 ** min(tries - 1, 20))))


def azure(_: int) -> EachAlone:
    """Poll like Azure's long-running operations: every 30 s, or as Retry-After says."""
    return EachAlone(lambda _: 30.0, patient=True)


class RoundRobin:
    """Polls one job after the other at exactly the limit, pausing for Retry-After."""

    def __init__(self, per_minute: int) -> None:
        self._gap = 60.0 / per_minute
        self._ring: dict[int, None] = {}
        self._free_at = 0.0

    def arrive(self, now: float, number: int, kind: str) -> None:
        """Watch a new job."""
        self._ring[number] = None

    def select(self, now: float, number: int | None) -> None:
        """Ignore the selection."""

    def next(self, now: float) -> Ask | float | None:
        """Return a request to send now, the time to ask again, or None."""
        if not self._ring:
            return None
        if now < self._free_at:
            return self._free_at
        self._free_at = now + self._gap
        number = next(iter(self._ring))
        del self._ring[number]
        return Ask(number)

    def answer(self, now: float, ask: Ask, answer: Answer) -> None:
        """Process a response."""
        if answer.retry_after:
            self._free_at = max(self._free_at, now + answer.retry_after)
        if ask.number is not None and not (answer.rows and answer.rows[0].status == "done"):
            self._ring[ask.number] = None


class Clairvoyant:
    """Knows every end in advance and polls only then, using the newest list page if that shows more than one.

    A bound for polls and plain lists; a policy that follows cursors can do better when thousands end at once.
    """

    def __init__(self, per_minute: int, jobs: list[SimJob]) -> None:
        self._rate = 0.75 * per_minute / 60.0
        self._tokens = self._burst = 0.15 * per_minute
        self._at = 0.0
        self._ends = sorted((job.ended, job.number) for job in jobs)
        self._open: dict[int, None] = {}
        self._arrived = 0

    def arrive(self, now: float, number: int, kind: str) -> None:
        """Watch a new job."""
        self._arrived = max(self._arrived, number)

    def select(self, now: float, number: int | None) -> None:
        """Ignore the selection."""

    def next(self, now: float) -> Ask | float | None:
        """Return a request to send now, the time to ask again, or None."""
        while self._ends and self._ends[0][0] <= now:
            self._open[self._ends.pop(0)[1]] = None
        if not self._open:
            return self._ends[0][0] if self._ends else None
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1.0 - 1e-9:
            return now + (1.0 - self._tokens) / self._rate + 1e-6
        self._tokens -= 1.0
        on_page = [number for number in self._open if number > self._arrived - 100]
        if len(on_page) > 1:
            for number in on_page:
                del self._open[number]
            return Ask()
        number = next(iter(self._open))
        del self._open[number]
        return Ask(number)

    def answer(self, now: float, ask: Ask, answer: Answer) -> None:
        """Process a response."""
        if ask.number is not None:
            if not answer.rows or answer.rows[0].status != "done":
                self._open[ask.number] = None
        elif answer.code != 200:
            self._open.update(dict.fromkeys(range(max(0, self._arrived - 99), self._arrived + 1)))


def bound(per_minute: int, count: int, seed: int) -> Clairvoyant:
    return Clairvoyant(per_minute, make_jobs(count, random.Random(f"jobs {seed}")))
