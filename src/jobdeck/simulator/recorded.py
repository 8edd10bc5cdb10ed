"""Answering from a recording: each job as it was seen at that moment, whoever asks and however often."""

import json
import math
from bisect import bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from jobdeck.domain.job import Target
from jobdeck.recording.facts import Added, Replied, Restored
from jobdeck.simulator.dialect import Answer, Ask, Dialect, Refusal, Route
from jobdeck.simulator.faults import Wire, of_bytes, plain
from jobdeck.simulator.ids import target_of
from jobdeck.simulator.scenario import Scenario
from jobdeck.simulator.simulation import Incoming, Outgoing, Simulation
from jobdeck.simulator.world import Clock

if TYPE_CHECKING:
    from jobdeck.recording.reader import Recording

ID_NAMES = ("id", "operationId", "jobId", "job_id")
"""What a row may call the ID of its job."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of one job: by a poll of it, or in a row of a list, which may tell only its status."""

    at: float
    reply: Replied
    job: str
    status: str | None
    told: bool

    @property
    def body(self) -> str | None:
        """The answer about this job alone; None when none was kept."""
        body = self.reply.body
        if self.reply.asked is not None or body is None:
            return body
        row = next(_rows_of(body, self.job), None)
        return None if row is None else json.dumps(row, ensure_ascii=False)


class Answers:
    """The answers of a recording, by job and by list."""

    def __init__(self, recording: "Recording") -> None:
        self._looks: dict[str, list[Look]] = {}
        self._lists: dict[object, list[tuple[float, Replied]]] = {}
        self._paths: dict[str, str] = {}
        self._targets: dict[str, Target] = {}
        for placed in recording.facts:
            match placed.fact:
                case Replied() as reply:
                    self._take(reply)
                case Added(_, target):
                    self._targets[target.key.id] = target
                case Restored(_, job):
                    self._targets[job.key.id] = job.target
                case _:
                    pass
        for looks in self._looks.values():
            looks.sort(key=lambda look: look.at)
        for replies in self._lists.values():
            replies.sort(key=lambda pair: pair[0])

    @property
    def targets(self) -> list[str]:
        """The jobs that were watched, as a user of the simulator would name them."""
        return [
            target_of(target.resource, id_, target.key.account_group) or self._paths.get(id_) or str(target.key)
            for id_, target in self._targets.items()
        ]

    def find(self, path: str, query: str, now: float) -> tuple[float, Replied, str | None] | None:
        """Return when what answers a request was recorded, what was, and the body; None when nothing like it was."""
        lists = self._lists.get(_address(path, query))
        if lists is not None:
            at, reply = lists[max(0, bisect_right(lists, now, key=lambda pair: pair[0]) - 1)]
            changed = {row.id for row in reply.observations if self._status(row.id, now) != row.status}
            return at, reply, reply.body if not changed or reply.body is None else _without(reply.body, changed)
        looks = self._looks.get(unquote(path.rsplit("/", 1)[-1]))
        look = None if looks is None else _at(looks, now)
        return None if look is None else (look.at, look.reply, look.body)

    def _status(self, job: str, now: float) -> str | None:
        """Return the status that was known of a job of some list: its own may be of before another answer."""
        known = [look for look in self._looks[job] if look.status is not None]
        return known[max(0, bisect_right(known, now, key=lambda look: look.at) - 1)].status

    def _take(self, reply: Replied) -> None:
        # By when it was asked: an answer that came late is older than one that overtook it.
        at = reply.exchange.started.mono
        parts = urlsplit(reply.exchange.url)
        if reply.asked is None:
            self._lists.setdefault(_address(parts.path, parts.query), []).append((at, reply))
            for row in reply.observations:
                self._looks.setdefault(row.id, []).append(Look(at, reply, row.id, row.status, row.whole))
            return
        id_ = reply.asked.id
        status = reply.observations[0].status if reply.observations else None
        self._paths[id_] = parts.path
        self._looks.setdefault(id_, []).append(Look(at, reply, id_, status, told=True))


def _at(looks: list[Look], now: float) -> Look | None:
    """Return what is true at a moment: the last look before it, else the first after it.

    Where that is a row that tells no more than a status, the nearest look with that status that tells all: with an
    older one a job that has ended would run again.
    """
    place = max(0, bisect_right(looks, now, key=lambda look: look.at) - 1)
    last = looks[place]
    if last.told:
        return last
    whole = [look for look in reversed(looks[:place]) if look.told] + [look for look in looks[place:] if look.told]
    return next((look for look in whole if look.status == last.status), whole[0] if whole else None)


class RecordedSimulation(Simulation):
    """A simulation whose answers are those of a recording. Any credentials are accepted."""

    def __init__(self, answers: Answers, scenario: Scenario, clock: Clock) -> None:
        super().__init__(scenario, clock)
        self._answers = answers

    def answer(self, dialect: Dialect, route: Route, incoming: Incoming) -> Outgoing:
        """Answer one request as it was answered at this moment of the recording; 404 for what was never asked."""
        now = self.world.now
        found = self._answers.find(incoming.path, incoming.query_string, now)
        trace = dialect.trace(f"recorded/{self.stats.requests}")
        if found is not None:
            exchange = found[1].exchange
            trace = exchange.support_id or trace
        ask = Ask(incoming.method, incoming.path, trace, incoming.origin, self.world.iso())
        if found is None:
            wire = _error(dialect, ask, Refusal(404), dialect.trace_headers(trace))
        else:
            wire = self._as_recorded(dialect, ask, found, now)
        self.keep(self.record(dialect, route, incoming, wire, trace))
        return Outgoing(wire, 0.0)

    def _as_recorded(self, dialect: Dialect, ask: Ask, found: tuple[float, Replied, str | None], now: float) -> Wire:
        at, reply, body = found
        exchange = reply.exchange
        ids = (("X-Request-Id", exchange.request_id), ("X-Trace-Id", exchange.trace_id))
        headers = [(name, _latin(value)) for name, value in ids if value is not None]
        if exchange.http_status is None or (body is None and exchange.problem is None):
            # Nobody answered then, or the answer was not kept: there is nothing to say now either.
            return Wire(exchange.http_status or 502, (), iter(()), 0, reset_after=0)
        problem = exchange.problem
        if problem is not None and problem.retry_at_us is not None:
            wait = (problem.retry_at_us - reply.at.us) / 1e6 - max(0.0, now - at)
            headers.append(("Retry-After", str(max(1, math.ceil(wait / self.world.scenario.speed)))))
        if body is None:
            message = problem.message if problem is not None else None
            return _error(dialect, ask, Refusal(exchange.http_status, message), tuple(headers))
        answer = Answer(exchange.http_status, None, tuple(headers))
        return of_bytes(answer, body.encode("utf-8", "replace"))


def _error(dialect: Dialect, ask: Ask, refusal: Refusal, headers: tuple[tuple[str, str], ...]) -> Wire:
    answer = dialect.error(ask, refusal)
    return plain(replace(answer, headers=(*headers, *answer.headers)))


def _latin(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii")


def _address(path: str, query: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return unquote(path), tuple(sorted(parse_qsl(query, keep_blank_values=True)))


def _rows_of(body: str, job: str) -> Iterator[object]:
    """Yield the objects of a list's answer that are about a job, the outermost first."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return
    waiting: list[object] = [value]
    while waiting:
        value = waiting.pop(0)
        if isinstance(value, dict):
            if _is_about(value, {job}):
                yield value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _without(body: str, jobs: Collection[str]) -> str:
    """Return a list's answer without its rows about some jobs: what is not on a page is not said of them."""

    def kept(value: object) -> object:
        if isinstance(value, list):
            return [kept(one) for one in value if not _is_about(one, jobs)]
        return {name: kept(one) for name, one in value.items()} if isinstance(value, dict) else value

    try:
        return json.dumps(kept(json.loads(body)), ensure_ascii=False)
    except (ValueError, RecursionError):
        return body


def _is_about(value: object, jobs: Collection[str]) -> bool:
    return isinstance(value, dict) and any(
        value.get(name) in jobs for name in ID_NAMES if isinstance(value.get(name), str)
    )
