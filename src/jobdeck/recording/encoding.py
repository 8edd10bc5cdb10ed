"""From facts to lines: only what is new is written, for most answers say again what the last one said."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from typing import Any, TypeAlias

from jobdeck.domain.events import OutageBegan, OutageEnded, ProfileEvent, ProfileHalted, SleepNoticed
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobError, JobKey, Observation, StageRecord, Target
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem
from jobdeck.domain.timeline import Moment
from jobdeck.recording import facts as f
from jobdeck.recording.limits import FORMAT, MAX_TEXT, VERSION
from jobdeck.recording.patch import make_patch
from jobdeck.scheduling.actions import BudgetView

Values: TypeAlias = dict[str, Any]

SKEW_US = 2_000
"""The clocks may differ by so much from how they last stood to each other without a word."""

_SAME_JOB = (
    "status", "phase", "progress", "error", "result", "kind", "created_us", "updated_us", "ended_us", "facts",
    "attempt", "started_us", "note",
)  # fmt: skip
_PLAIN = frozenset(
    {"status", "kind", "progress", "result", "facts", "created_us", "updated_us", "ended_us", "seen_queued",
     "summary_only", "sequence", "run", "attempt", "started_us", "not_found",
     "failures", "misses", "http_status", "request_id", "trace_id", "anomalies", "acknowledged", "interval", "eta",
     "stall_after"}
)  # fmt: skip
MOMENTS = ("added", "observed", "asked", "whole", "changed", "ended", "begun", "missing_since")
"""The fields of a job that are moments."""

WIRE_NAMES = {"summary_only": "outlined"}
"""The fields of a job that are called otherwise in a recording."""

BUDGET_MOMENTS = {"blocked_until", "resets"}
"""The fields of a budget that are moments of the monotonic clock."""


class Encoder:
    """Turns facts into lines, each without its end. Not thread-safe; a recording has one from its first line on."""

    def __init__(self, start: Instant) -> None:
        self._start = start
        self._position = 0
        self._skew = 0
        self._numbers: dict[Target, int] = {}
        self._current: dict[JobKey, int] = {}
        self._seen: dict[tuple[int, bool], Observation] = {}
        self._listed: dict[int, Observation] = {}
        self._bodies: dict[int | str, str] = {}
        self._urls: dict[int | str, str] = {}
        self._budgets: dict[str, BudgetView] = {}
        self._halted: dict[str, Problem] = {}
        self._paused = False
        self._sequence = 0
        self._expected: list[f.Expected] = []

    def header(self, header: f.Header) -> str:
        """Return the first line."""
        values = {"format": FORMAT, "version": VERSION, "jobdeck": header.version, "started_us": header.started_us}
        return _text({**values, "profiles": dict(header.profiles)})

    def lines(self, fact: f.Fact) -> Iterator[str]:
        """Yield the lines of a fact; those of expectations come with the next fact of another kind."""
        if isinstance(fact, f.Expected):
            self._expected.append(fact)
            return
        yield from self.rest()
        yield from self._lines(fact)

    def rest(self) -> Iterator[str]:
        """Yield what has been held back."""
        held, self._expected = self._expected, []
        rows = [
            [self._current[one.key], *map(_short, (one.interval, *(one.eta or (None, None)), one.stall_after))]
            for one in held
            if one.key in self._current
        ]
        if rows:
            yield self._line(held[0].at, "expect", {"e": rows})

    def end(self, at: Instant) -> Iterator[str]:
        """Yield the last lines of a recording that was ended in order."""
        yield from self.rest()
        yield self._line(at, "end", {})

    def _lines(self, fact: f.Fact) -> Iterator[str]:
        match fact:
            case f.Added(at, target):
                yield from self._declare(at, target)
                yield self._line(at, "add", {"j": self._current[target.key]})
            case f.Restored(at, job):
                yield from self._declare(at, job.target)
                yield self._line(at, "restore", {"j": self._current[job.key], "s": self._job(job, at)})
            case f.Adopted(at, job, exchange, missing) if job.key in self._current:
                told: Values = {"x": self._exchange(exchange, at)} if exchange is not None else {}
                told |= {"missing": True} if missing else {}
                yield self._line(at, "adopt", {"j": self._current[job.key], "s": self._job(job, at), **told})
            case f.Removed(at, key) if key in self._current:
                yield self._line(at, "remove", {"j": self._current[key]})
            case f.Acknowledged(at, key, acknowledged) if key in self._current:
                yield self._line(at, "ack", {"j": self._current[key], "on": acknowledged})
            case f.Replied(at, asked) if asked is None or asked in self._current:
                yield self._replied(fact)
            case f.Recalled(at, key, exchanges, moments) if key in self._current:
                past = {"x": [self._exchange(one, at) for one in exchanges], "m": [_moment(one) for one in moments]}
                yield self._line(at, "recall", {"j": self._current[key], **past})
            case f.Darkened(at, profile, outage):
                yield self._line(at, "dark", {"of": profile, "p": _problem(outage, at)})
            case f.Happened(at, event):
                yield self._line(at, "event", _event(event, at))
            case f.Standing(at):
                values = self._standing(fact)
                if values:
                    yield self._line(at, "stand", values)

    def _line(self, at: Instant, kind: str, values: Values) -> str:
        """Return a line: time since the line before, how much earlier it is than that, and how the clocks stand."""
        us = at.us - self._start.us
        mono = round((at.mono - self._start.mono) * 1e6)
        moved = {}
        if abs(us - self._skew - mono) > SKEW_US:
            moved["w"] = self._skew = us - mono
        moment = us - self._skew
        before, self._position = self._position, max(self._position, moment)
        ago = {"ago": self._position - moment} if self._position != moment else {}
        return _text({"t": self._position - before, **ago, **moved, "k": kind, **values})

    def _declare(self, at: Instant, target: Target) -> Iterator[str]:
        number = self._numbers.get(target)
        if number is None:
            number = self._numbers[target] = len(self._numbers)
            ids = {"accepted_r": target.accepted_request_id, "accepted_tr": target.accepted_trace_id}
            key = [target.key.profile, target.key.account_group, target.key.id]
            api: Values = {"api": target.provider, "resource": target.resource}
            api |= {"accepted": True} if target.accepted else {}
            yield self._line(at, "job", {"key": key, **api, **_told(ids)})
        self._current[target.key] = number

    def _replied(self, fact: f.Replied) -> str:
        at, exchange = fact.at, fact.exchange
        body = _capped(fact.body, "body")
        if fact.asked is not None:
            number = self._current[fact.asked]
            values: Values = {"j": number, "x": self._exchange(exchange, at, len(body or ""), number)}
            source: int | str = number
            result = None
            if fact.observations:
                seen = fact.observations[0]
                values["o"] = self._observation(number, seen)
                result = seen.result
        else:
            values = {"of": exchange.profile, "x": self._exchange(exchange, at, len(body or ""))}
            values["rows"] = self._rows(exchange.profile, fact.observations)
            source, result = exchange.url, None
        if body is not None:
            values["b"] = make_patch(self._bodies.get(source, "") + (_capped(result, "result") or ""), body)
            self._bodies[source] = body
        return self._line(at, "poll" if fact.asked is not None else "list", values)

    def _rows(self, profile: str, observations: Sequence[Observation]) -> list[Any]:
        rows: list[Any] = []
        for seen in observations:
            number = self._current.get(JobKey(profile, seen.account_group, seen.id))
            if number is not None:
                known = self._listed.get(number) == seen
                rows.append(number if known else [number, self._observation(number, seen)])
                self._listed[number] = seen
        return rows

    def _observation(self, number: int, seen: Observation) -> Values:
        """Return what an observation says otherwise than the last of its kind."""
        before = self._seen.get((number, seen.whole)) or Observation(seen.id, "", Phase.UNKNOWN)
        self._seen[number, seen.whole] = seen
        values: Values = {}
        for name in _SAME_JOB:
            new = getattr(seen, name)
            if new != getattr(before, name):
                values[name] = _capped(new, "result") if name == "result" else _plain(new)
        percent = _percent(values.get("progress"))
        if percent is not None:
            del values["progress"]
            values["percent"] = percent
        if seen.stages != before.stages:
            if [(one.name, one.status, one.phase) for one in seen.stages] == [
                (one.name, one.status, one.phase) for one in before.stages
            ]:
                values["moved"] = [one.progress for one in seen.stages]
            else:
                values["stages"] = [[one.name, one.status, one.phase.value, one.progress] for one in seen.stages]
        parts = [one.part for one in seen.elsewhere]
        if parts != [one.part for one in before.elsewhere]:
            values["elsewhere"] = parts
        if not seen.whole:
            values["row"] = True
        return values

    def _exchange(self, exchange: Exchange, at: Instant, size: int = 0, number: int | None = None) -> Values:
        took = round(exchange.duration * 1e6)
        values: Values = {"a": at.us - exchange.started.us - took, "d": took}
        known: int | str = exchange.profile if number is None else number
        if self._urls.get(known) != exchange.url:
            values["u"] = self._urls[known] = exchange.url
        if exchange.method != "GET":
            values["m"] = exchange.method
        if number is None and exchange.job is not None and exchange.job in self._current:
            values["j"] = self._current[exchange.job]
        if exchange.part is not None:
            values["pt"] = [exchange.part.part, exchange.part.tries]
        if exchange.http_status != 200:
            values["s"] = exchange.http_status
        if exchange.body_request_id != exchange.request_id:
            values["br"] = exchange.body_request_id
        if exchange.size != size:
            values["n"] = exchange.size
        # Mostly the next one after that of the line before.
        if exchange.sequence != self._sequence + 1:
            values["q"] = exchange.sequence - self._sequence
        self._sequence = exchange.sequence
        # A server's clock is mostly ours.
        date = None if exchange.date_us is None else (exchange.date_us // 1_000_000) - at.us // 1_000_000
        if date != 0:
            values["date"] = date
        ids = {"r": exchange.request_id, "tr": exchange.trace_id, "p": _problem(exchange.problem, at)}
        return {**values, **_told(ids)}

    def _job(self, job: Job, at: Instant) -> Values:
        """Return what a job's state says otherwise than that of a new one, its moments as microseconds before now."""
        new = Job(target=job.target, added=at)
        values = {
            WIRE_NAMES.get(one.name, one.name): _plain(getattr(job, one.name))
            for one in fields(Job)
            if one.name in _PLAIN and getattr(job, one.name) != getattr(new, one.name)
        }
        if job.result is not None:
            values["result"] = _capped(job.result, "result")
        moments = {name: _ago(getattr(job, name), at) for name in MOMENTS}
        parts = {
            "phase": job.phase.value,
            "stages": [_record(one, at) for one in job.stages] or None,
            "error": _plain(job.error),
            "problem": _problem(job.problem, at),
            "outage": _problem(job.outage, at),
        }
        return {**values, **_told(parts), **_told(moments)}

    def _standing(self, fact: f.Standing) -> Values:
        values: Values = {}
        if fact.paused != self._paused:
            values["paused"] = self._paused = fact.paused
        budgets = {}
        for name, budget in fact.budgets.items():
            before = self._budgets.get(name) or BudgetView(0, 0)
            changed = {k: v for k, v in asdict(budget).items() if v != getattr(before, k)}
            for moment in BUDGET_MOMENTS & changed.keys():
                if changed[moment] is not None:
                    changed[moment] = round((changed[moment] - self._start.mono) * 1e6)
            if changed:
                budgets[name] = changed
                self._budgets[name] = budget
        if budgets:
            values["b"] = budgets
        if dict(fact.halted) != self._halted:
            self._halted = dict(fact.halted)
            values["h"] = {name: _problem(problem, fact.at) for name, problem in self._halted.items()}
        return values


def _event(event: ProfileEvent | SleepNoticed, at: Instant) -> Values:
    match event:
        case ProfileHalted(profile=profile, problem=problem):
            return {"e": "halted", "of": profile, "p": _problem(problem, at)}
        case OutageBegan(profile=profile, problem=problem):
            return {"e": "outage", "of": profile, "p": _problem(problem, at)}
        case OutageEnded(profile=profile, seconds=seconds):
            return {"e": "outage over", "of": profile, "seconds": seconds}
        case SleepNoticed(seconds=seconds):
            return {"e": "slept", "seconds": seconds}


def _problem(problem: Problem | None, at: Instant) -> Values | None:
    if problem is None:
        return None
    retry = None if problem.retry_at_us is None else problem.retry_at_us - at.us
    ids = {"s": problem.http_status, "r": problem.request_id, "tr": problem.trace_id, "retry": retry}
    return {"kind": problem.kind.value, "text": problem.message, **_told(ids)}


def _record(record: StageRecord, at: Instant) -> list[Any]:
    stage = record.stage
    moments = [_ago(moment, at) for moment in (record.started, record.changed, record.ended)]
    return [stage.name, stage.status, stage.phase.value, stage.progress, *moments]


def _moment(moment: Moment) -> list[Any]:
    told = [moment.text, moment.stage, moment.before, moment.after, moment.request_id]
    return [moment.at_us, moment.kind.value, *told]


def _ago(moment: Instant | None, at: Instant) -> int | None:
    return None if moment is None else at.us - moment.us


def _plain(value: object) -> object:
    return [value.code, value.message, value.details] if isinstance(value, JobError) else value


def _percent(progress: float | None) -> float | None:
    """Return a fraction in percent where that is the shorter way to say exactly it."""
    percent = round(progress * 100, 6) if progress is not None else None
    return percent if percent is not None and percent / 100 == progress else None


def _short(seconds: float | None) -> float | None:
    """Return whole seconds without the digit that says so."""
    return int(seconds) if seconds is not None and seconds.is_integer() else seconds


def _told(values: Values) -> Values:
    return {name: value for name, value in values.items() if value is not None}


def _capped(text: str | None, what: str) -> str | None:
    if text is None or len(text) <= MAX_TEXT:
        return text
    return json.dumps(f"a {what} of {len(text):,} characters is left out of the recording")


def _text(values: Values) -> str:
    return json.dumps(values, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
