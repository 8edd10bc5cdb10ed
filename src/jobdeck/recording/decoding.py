"""From lines to facts: the other half of `encoding`."""

from dataclasses import replace
from typing import assert_never

from jobdeck.domain.events import OutageBegan, OutageEnded, ProfileEvent, ProfileHalted, SleepNoticed
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobError, JobKey, MissingPart, Observation, Stage, StageRecord, Target
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.timeline import Moment
from jobdeck.recording import facts as f
from jobdeck.recording import wire
from jobdeck.recording.encoding import BUDGET_MOMENTS, MOMENTS, WIRE_NAMES
from jobdeck.recording.limits import MAX_TEXT, WEIGHT_OF_ROWS, Allowance
from jobdeck.recording.patch import apply_patch
from jobdeck.scheduling.actions import BudgetView

_NO_PROBLEM = Problem(ProblemKind.PROTOCOL, "not told")


class DecodingError(ValueError):
    """A line that is well-formed makes no sense where it stands."""


class Decoder:
    """Turns lines into facts. Moments count both clocks from the recording's start, with the dates of then.

    `bodies_left_out` says whether there were more bodies than may be kept. Raises `DecodingError` and `PatchError` for
    what does not fit what came before it, or is too much.
    """

    def __init__(self, header: f.Header, allowance: Allowance, *, by_clock: bool = False) -> None:
        self.position = 0
        self.ended = False
        self.bodies_left_out = False
        self._allowance = allowance
        self._us = header.started_us
        self._skew = 0
        self._targets: list[Target] = []
        self._seen: dict[tuple[int, bool], Observation] = {}
        self._said: dict[int, Observation] = {}
        self._bodies: dict[int | str, str] = {}
        self._urls: dict[int | str, str] = {}
        self._budgets: dict[str, BudgetView] = {}
        self._halted: dict[str, Problem] = {}
        self._paused = False
        self._weight = 0
        self._bodies_size = 0
        self._copied = 0
        self._sequence = 0
        # Recordings of the first format have no order of sending: what their clock says has to do.
        self._by_clock = by_clock

    def facts(self, line: wire.AnyLine) -> tuple[f.Fact, ...]:
        """Return the facts of a line, often one."""
        if line.w is not None:
            self._skew = line.w
        self.position += line.t
        if self.position > wire.DAYS_US:
            raise DecodingError("it goes on for longer than a recording does")
        at = self._instant(self.position - line.ago)
        self._weigh(1)
        match line:
            case wire.DarkLine():
                return (f.Darkened(at, line.of, None if line.p is None else self._problem(line.p, at)),)
            case wire.ExpectLine():
                self._weigh(len(line.e))
                return tuple(self._expected(one, at) for one in line.e)
            case wire.EventLine():
                return (f.Happened(at, self._event(line, at)),)
            case wire.StandLine():
                return (self._standing(line, at),)
            case wire.ListLine():
                return (self._listed(line, at),)
            case wire.EndLine():
                self.ended = True
                return ()
            case wire.JobLine():
                ids = (line.accepted_r, line.accepted_tr)
                accepted = line.accepted or (self._by_clock and any(ids))
                self._targets.append(Target(JobKey(*line.key), line.api, line.resource, *ids, accepted=accepted))
                return ()
            case _:
                return (self._of_job(line, at),)

    def _of_job(self, line: wire.LineOfJob, at: Instant) -> f.Fact:
        match line:
            case wire.AddLine():
                return f.Added(at, self._target(line.j))
            case wire.RestoreLine():
                return f.Restored(at, self._job(line.j, line.s, at))
            case wire.AdoptLine():
                exchange = None if line.x is None else self._exchange(line.x, at, self._key(line.j).profile)
                return f.Adopted(at, self._job(line.j, line.s, at), exchange, line.missing)
            case wire.RemoveLine():
                return f.Removed(at, self._key(line.j))
            case wire.AckLine():
                return f.Acknowledged(at, self._key(line.j), line.on)
            case wire.PollLine():
                return self._polled(line, at)
            case wire.RecallLine():
                key = self._key(line.j)
                self._weigh(len(line.x) + len(line.m))
                exchanges = tuple(self._exchange(one, at, key.profile) for one in line.x)
                return f.Recalled(at, key, exchanges, tuple(Moment(*one) for one in line.m))
            case _:
                assert_never(line)

    def _weigh(self, weight: int) -> None:
        self._weight += weight
        if self._weight > self._allowance.weight:
            raise DecodingError("there is more in it than a recording holds")

    def _instant(self, mono_us: int) -> Instant:
        return Instant(self._us + mono_us + self._skew, mono_us / 1e6)

    def _earlier(self, at: Instant, us: int | None) -> Instant | None:
        # In whole microseconds, so that two ways to one moment give the same number.
        return None if us is None else Instant(at.us - us, (round(at.mono * 1e6) - us) / 1e6)

    def _target(self, number: int) -> Target:
        if number >= len(self._targets):
            raise DecodingError(f"there is no job {number}")
        return self._targets[number]

    def _key(self, number: int) -> JobKey:
        return self._target(number).key

    def _polled(self, line: wire.PollLine, at: Instant) -> f.Replied:
        key = self._key(line.j)
        seen = () if line.o is None else (self._observation(line.j, line.o),)
        body = self._body(line.b, line.j, seen[0].result if seen else None)
        exchange = self._exchange(line.x, at, key.profile, line.j, body)
        return f.Replied(at, key, replace(exchange, job=key), seen, body)

    def _listed(self, line: wire.ListLine, at: Instant) -> f.Replied:
        self._weigh(len(line.rows) // WEIGHT_OF_ROWS)
        rows = tuple(self._row(row) for row in line.rows)
        url = line.x.u if line.x.u is not None else self._urls.get(line.of, "")
        body = self._body(line.b, url, None)
        return f.Replied(at, None, self._exchange(line.x, at, line.of, None, body), rows, body)

    def _row(self, row: int | tuple[int, wire.ObservationWire]) -> Observation:
        if isinstance(row, int):
            if row not in self._said:
                raise DecodingError(f"no list has told of job {row} before")
            return self._said[row]
        self._weigh(1)
        seen = self._said[row[0]] = self._observation(*row)
        return seen

    def _observation(self, number: int, line: wire.ObservationWire) -> Observation:
        key, whole = self._key(number), not line.row
        before = self._seen.get((number, whole))
        if before is None:
            before = Observation(key.id, "", Phase.UNKNOWN, account_group=key.account_group, whole=whole)
        values = wire.told(line)
        values.pop("row", None)
        moved = values.pop("moved", None)
        if "percent" in values:
            values["progress"] = values.pop("percent") / 100
        if "error" in values:
            values["error"] = _error(line.error)
        if "stages" in values:
            values["stages"] = tuple(Stage(*one) for one in line.stages)
        elif moved is not None:
            if len(moved) != len(before.stages):
                raise DecodingError(f"job {number} has no such stages")
            both = zip(before.stages, moved, strict=True)
            values["stages"] = tuple(replace(stage, progress=progress) for stage, progress in both)
        if "elsewhere" in values:
            values["elsewhere"] = tuple(map(MissingPart, line.elsewhere))
        seen = self._seen[number, whole] = replace(before, **values) if values else before
        return seen

    def _body(self, patch: tuple[wire.PatchPiece, ...] | None, source: int | str, result: str | None) -> str | None:
        if patch is None or self.bodies_left_out:
            return None
        before = self._bodies.get(source, "")
        if tuple(patch) == ((0, len(before)),):
            return before
        old = before + result if result else before
        body = apply_patch(old, patch, MAX_TEXT)
        self._copied += len(old) + len(body)
        if body == before:
            return before
        self._bodies_size += len(body)
        if self._bodies_size > self._allowance.bodies or self._copied > self._allowance.copied:
            self.bodies_left_out = True
            self._bodies.clear()
            return None
        self._bodies[source] = body
        return body

    def _exchange(
        self, line: wire.ExchangeWire, at: Instant, profile: str, number: int | None = None, body: str | None = None
    ) -> Exchange:
        known: int | str = profile if number is None else number
        if line.u is not None:
            self._urls[known] = line.u
        started = self._earlier(at, line.a + line.d)
        self._sequence = self._sequence + line.q if not self._by_clock else _place_of(started or at)
        date = None if line.date is None else (at.us // 1_000_000 + line.date) * 1_000_000
        return Exchange(
            profile=profile,
            method=line.m,
            url=self._urls.get(known, ""),
            started=at if started is None else started,
            duration=line.d / 1e6,
            job=None if line.j is None else self._key(line.j),
            http_status=line.s,
            request_id=line.r,
            body_request_id=line.br if "br" in line.model_fields_set else line.r,
            trace_id=line.tr,
            size=len(body or "") if line.n is None else line.n,
            date_us=date,
            sequence=self._sequence,
            problem=None if line.p is None else self._problem(line.p, at),
            part=None if line.pt is None else MissingPart(line.pt[0], tries=line.pt[1]),
        )

    def _problem(self, line: wire.ProblemWire, at: Instant) -> Problem:
        retry = None if line.retry is None else at.us + line.retry
        return Problem(line.kind, line.text or line.kind.words, line.s, line.r, line.tr, retry)

    def _job(self, number: int, line: wire.JobWire, at: Instant) -> Job:
        values = wire.told(line)
        for ours, theirs in WIRE_NAMES.items():
            if theirs in values:
                values[ours] = values.pop(theirs)
        for name in MOMENTS:
            if name in values:
                values[name] = self._earlier(at, values[name])
        if self._by_clock and values.get("asked") is not None:
            values["sequence"] = _place_of(values["asked"])
        for name in ("problem", "outage"):
            problem = values.get(name)
            if problem is not None:
                values[name] = self._problem(problem, at)
        if "error" in values:
            values["error"] = _error(line.error)
        if "stages" in values:
            values["stages"] = tuple(
                StageRecord(Stage(*one[:4]), *(self._earlier(at, us) for us in one[4:])) for one in line.stages
            )
        return Job(**{"target": self._target(number), "added": at, **values})

    def _expected(self, row: tuple[int, float, float | None, float | None, float | None], at: Instant) -> f.Expected:
        number, interval, least, most, stall_after = row
        eta = None if least is None or most is None else (least, most)
        return f.Expected(at, self._key(number), interval, eta, stall_after)

    def _event(self, line: wire.EventLine, at: Instant) -> ProfileEvent | SleepNoticed:
        problem = _NO_PROBLEM if line.p is None else self._problem(line.p, at)
        match line.e:
            case "halted":
                return ProfileHalted(at, line.of, problem)
            case "outage":
                return OutageBegan(at, line.of, problem)
            case "outage over":
                return OutageEnded(at, line.of, line.seconds)
            case "slept":
                return SleepNoticed(at, line.seconds)
            case _:
                assert_never(line.e)

    def _standing(self, line: wire.StandLine, at: Instant) -> f.Standing:
        if line.paused is not None:
            self._paused = line.paused
        for name, budget in line.b.items():
            values = wire.told(budget)
            for moment in BUDGET_MOMENTS & values.keys():
                if values[moment] is not None:
                    values[moment] = values[moment] / 1e6
            self._budgets[name] = replace(self._budgets.get(name) or BudgetView(0, 0), **values)
        if line.h is not None:
            self._halted = {name: self._problem(problem, at) for name, problem in line.h.items()}
        return f.Standing(at, self._paused, dict(self._budgets), dict(self._halted))


def _place_of(started: Instant) -> int:
    """Return a request's place in the order of sending by the monotonic clock of its recording."""
    return round(started.mono * 1e6)


def _error(line: wire.Error | None) -> JobError | None:
    return None if line is None else JobError(*line)
