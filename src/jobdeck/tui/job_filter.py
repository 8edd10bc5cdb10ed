"""Filters of the list (words, `!` for not, `key:value`, `key=value`, `key<value`), and the filtered, sorted list."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from jobdeck.domain import humanize
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job
from jobdeck.domain.phase import Phase
from jobdeck.domain.text import one_line
from jobdeck.report.failure_groups import ErrorGroup, Fingerprint
from jobdeck.tui.job_table import JobTable, Order, Row
from jobdeck.tui.render.columns import Name
from jobdeck.tui.render.spans import Line, Role, Span
from jobdeck.tui.render.state import ALL_STATES, TROUBLE, State

Test: TypeAlias = Callable[[Job, str, Instant], bool]
"""Whether a job passes, given the word of its state ("stalled", "unreachable") and the current time."""

_TOKEN = re.compile(r'(?:"(?:[^"\\]|\\.)*"?|[^\s"])+')
_TERM = re.compile(r"([A-Za-z_]+)(<=|>=|:|=|<|>)(.*)", re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"?')
_PERCENT = re.compile(r"\d{1,3}(?:\.\d{1,3})?%?", re.ASCII)
_NUMBER = re.compile(r"#\d+$", re.ASCII)
ELLIPSIS = "…"
MAX_QUOTED = 24
"""Characters of a term that a warning repeats."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter. An empty one shows every job."""

    text: str = ""
    tests: tuple[Test, ...] = field(default=(), compare=False)
    warnings: tuple[str, ...] = ()
    """What could not be parsed, for the user."""
    timed: bool = False
    """Whether its result can change as time passes."""

    def __bool__(self) -> bool:
        """Whether it may hide a job."""
        return bool(self.tests)

    def admits(self, job: Job, state: str, now: Instant) -> bool:
        """Whether a job passes every term; `state` is the word its row shows."""
        return all(test(job, state, now) for test in self.tests)


def parse(text: str) -> Filter:
    """Parse a filter; never raises. A term that cannot be parsed produces a warning and is not dropped silently."""
    tests: list[Test] = []
    warnings: list[str] = []
    timed = False
    for token in _TOKEN.findall(text):
        negated = token.startswith("!")
        term = token[1:] if negated else token
        parsed = _TERM.fullmatch(term)
        if parsed is None:
            test = _words(_unquoted(term))
        else:
            key, operator, value = parsed[1].lower(), parsed[2], _unquoted(parsed[3])
            test, warning = _keyed(key, operator, value, term)
            timed = timed or key in _MEASURES
            if warning:
                warnings.append(warning)
        if test is not None:
            tests.append(_negation(test) if negated else test)
    return Filter(text.strip(), tuple(tests), tuple(warnings), timed)


def quoted(value: str) -> str:
    """Return `value` quoted, to follow a key."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def replace_term(text: str, key: str, term: str) -> str:
    """Return a filter with `term` instead of its terms for `key`, negated ones included; other terms stay."""
    others = (token for token in _TOKEN.findall(text) if _key_of(token) != key)
    return " ".join((*others, *([term] if term else ())))


def has_term(text: str, term: str) -> bool:
    """Whether a filter contains exactly this term."""
    return term in _TOKEN.findall(text)


def _key_of(token: str) -> str:
    parsed = _TERM.fullmatch(token.removeprefix("!"))
    return parsed[1].lower() if parsed is not None else ""


def _keyed(key: str, operator: str, value: str, term: str) -> tuple[Test | None, str | None]:
    if key in _MEASURES:
        return _measured(key, operator, value)
    read = _TEXTS.get(key)
    if read is None:
        known = " ".join([*_TEXTS, *_MEASURES])
        return _words(term), f"unknown filter key {one_line(key, MAX_QUOTED)}, searched as text (keys: {known})"
    if operator not in {":", "="}:
        return None, f"{key} is text: use {key}:… or {key}=…"
    if not value:
        # Empty quotes match jobs without such a text.
        empty = term.endswith('""')
        return (lambda job, state, _: not any(read(job, state))) if empty else None, None
    wanted = value.casefold()
    complaint = _unknown_state(wanted, _STATES[key], exact=operator == "=") if key in _STATES else None
    if ELLIPSIS in wanted:
        shortened = _shortened(wanted)
        return (lambda job, state, _: any(shortened.search(text.casefold()) for text in read(job, state))), None
    if operator == "=":
        return (lambda job, state, _: any(wanted == text.casefold() for text in read(job, state))), complaint
    options = [option for option in wanted.split(",") if option]
    return (lambda job, state, _: any(o in text.casefold() for text in read(job, state) for o in options)), complaint


_SHOWN = tuple(state.word for state in ALL_STATES)
_STATES = {"state": _SHOWN, "phase": (*_SHOWN, *(phase.value for phase in Phase))}
"""The values that a key can have, for keys with a closed set of them."""


def _unknown_state(wanted: str, known: Iterable[str], *, exact: bool) -> str | None:
    """Return a warning about the first state that no job can have; None when every one is known."""
    options = [wanted] if exact else [option for option in wanted.split(",") if option]
    unknown = [one for one in options if not any(one == word if exact else one in word for word in known)]
    return f"unknown state {one_line(unknown[0], MAX_QUOTED)}: use {', '.join(_SHOWN)}" if unknown else None


def _measured(key: str, operator: str, value: str) -> tuple[Test | None, str | None]:
    measure, number, example = _MEASURES[key]
    limit = number(value)
    if operator not in {"<", ">", "<=", ">="} or limit is None:
        return None, f"{key} needs a number: {key}>{example}"
    bound = limit

    def test(job: Job, _: str, now: Instant) -> bool:
        measured = measure(job, now)
        if measured is None:
            return False
        match operator:
            case "<":
                return measured < bound
            case ">":
                return measured > bound
            case "<=":
                return measured <= bound
            case _:
                return measured >= bound

    return test, None


def _negation(test: Test) -> Test:
    return lambda job, state, now: not test(job, state, now)


def _shortened(text: str) -> re.Pattern[str]:
    """Return a pattern for a text that was shortened on the screen: ``op_01…q93t``, ``op_01…q9#2``."""
    return re.compile(".*".join(re.escape(part) for part in _NUMBER.sub("", text).split(ELLIPSIS)), re.DOTALL)


def _words(text: str) -> Test | None:
    wanted = text.casefold()
    if not wanted:
        return None
    if ELLIPSIS in wanted and wanted != ELLIPSIS:
        shortened = _shortened(wanted)
        return lambda job, state, _: any(shortened.search(part.casefold()) for part in _all_texts(job, state))
    return lambda job, state, _: any(wanted in part.casefold() for part in _all_texts(job, state))


def _unquoted(text: str) -> str:
    return _QUOTED.sub(lambda match: re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL), text)


def _fraction(text: str) -> float | None:
    return float(text.rstrip("%")) / 100 if _PERCENT.fullmatch(text) else None


def _age(job: Job, now: Instant) -> float | None:
    """Return the age of the latest poll: infinite if there was none, None for a finished job, which is final."""
    if job.terminal:
        return None
    age = job.age(now)
    return float("inf") if age is None else age


def _errors(job: Job, _: str) -> tuple[str, ...]:
    problem = job.trouble
    return (*job.reason, problem.kind.value, problem.kind.label, problem.message) if problem else job.reason


def _stages(job: Job, _: str) -> tuple[str, ...]:
    current = job.current_stage
    return (current.stage.name,) if current is not None else ()


def _ids(job: Job, _: str) -> tuple[str, ...]:
    key = job.key
    known = (job.request_id, job.trace_id, job.end_request_id, job.end_trace_id, job.target.accepted_request_id)
    return (str(key), key.id, *(one or "" for one in known))


_TEXTS: dict[str, Callable[[Job, str], tuple[str, ...]]] = {
    "phase": lambda job, state: (job.phase.value, state),
    "state": lambda _, state: (state,),
    "kind": lambda job, _: (job.kind,),
    "profile": lambda job, _: (job.key.profile,),
    "stage": _stages,
    "who": lambda job, _: job.target.watched_by,
    "batch": lambda job, _: (job.target.batch,),
    "status": lambda job, _: (job.status or "",),
    "error": _errors,
    "reason": _errors,
    "id": _ids,
}
_MEASURES: dict[str, tuple[Callable[[Job, Instant], float | None], Callable[[str], float | None], str]] = {
    "age": (_age, humanize.parse_duration, "30s"),
    "elapsed": (lambda job, now: None if job.observed is None else job.elapsed(now), humanize.parse_duration, "5m"),
    "progress": (lambda job, _: job.displayed_progress, _fraction, "50%"),
}


KEYS, MEASURES = tuple(_TEXTS), tuple(_MEASURES)
"""The keys of a filter's terms: those for texts, and those for numbers."""


def values_of(key: str, job: Job, state: str) -> tuple[str, ...]:
    """Return the texts of a job that a key searches."""
    return tuple(text for text in _TEXTS[key](job, state) if text)


def _all_texts(job: Job, state: str) -> tuple[str, ...]:
    names = tuple(record.stage.name for record in job.stages)
    return (*_ids(job, state), job.kind, job.status or "", job.phase.value, state, *names, *_errors(job, state))


RESORT_SECONDS = 5.0
"""How often a time-dependent order is re-sorted; rows stay in place in between, so that they can be read."""


@dataclass(frozen=True, slots=True)
class FilterState:
    """The filter of a list: a text, and whether only problems are shown."""

    text: str = ""
    problems: bool = False


class ListFilter:
    """Sorts and filters a job table."""

    def __init__(self, model: JobTable) -> None:
        self._model = model
        self._filter = Filter()
        self._problems = False
        self._sorted_at: Instant | None = None

    @property
    def filter(self) -> Filter:
        """The parsed filter."""
        return self._filter

    @property
    def state(self) -> FilterState:
        """The current filter."""
        return FilterState(self._filter.text, self._problems)

    def set_state(self, state: FilterState, now: Instant) -> None:
        """Restore an earlier filter."""
        self._filter, self._problems = parse(state.text), state.problems
        self._apply(now)

    @property
    def is_filtered(self) -> bool:
        """Whether rows may be hidden."""
        return bool(self._filter) or self._problems

    def set_filter(self, text: str, now: Instant) -> None:
        """Set the filter text."""
        self._filter = parse(text)
        self._apply(now)

    def toggle_problems(self, now: Instant) -> None:
        """Toggle between only problems and all jobs."""
        self._problems = not self._problems
        self._apply(now)

    def clear(self, now: Instant) -> None:
        """Show every job."""
        self._filter, self._problems = Filter(), False
        self._apply(now)

    def sort(self, order: Order, now: Instant) -> None:
        """Sort the rows."""
        self._sorted_at = now
        self._model.set_order(order, now)

    def sort_by(self, column: Name, now: Instant) -> None:
        """Sort by a column; if it is the current one, reverse the order."""
        order = self._model.order
        self.sort(replace(order, reverse=not order.reverse) if order.by is column else Order(column), now)

    def sort_by_next(self, columns: Sequence[Name], now: Instant) -> None:
        """Sort by the next column."""
        by = self._model.order.by
        at = columns.index(by) if by in columns else -1
        self.sort(Order(columns[(at + 1) % len(columns)] if columns else Name.STATE), now)

    def tick(self, now: Instant, *, resort: bool = False) -> bool:
        """Update the list as time passes; returns whether rows came, went or moved.

        With `resort`, re-sort now even if the last time was less than `RESORT_SECONDS` ago.
        """
        due = resort or self._sorted_at is None or abs(now.since(self._sorted_at)) >= RESORT_SECONDS
        due = due and self._model.order.time_dependent
        if due:
            self._sorted_at = now
        return self._model.resort(now, order=due) if due or self._filter.timed else False

    def summary(self) -> Line:
        """Return the number of jobs shown, and the first warning about the filter."""
        spans: list[Span] = [("problems only  ", Role.STRONG)] if self._problems else []
        spans.append((f"{len(self._model):,} of {self._model.total:,}", Role.TEXT))
        if self._filter.warnings:
            spans.append((f"  {self._filter.warnings[0]}", Role.WARN))
        else:
            keys = (("esc", Role.KEY), (" clears", Role.DIM))
            spans += [("  ", Role.DIM), *keys]
        return tuple(spans)

    def _apply(self, now: Instant) -> None:
        if not self.is_filtered:
            self._model.set_filter(None, now)
            return
        problems, admits = self._problems, self._filter.admits

        def admitted(row: Row, at: Instant) -> bool:
            return (not problems or row.category in TROUBLE) and admits(row.job, row.category.word, at)

        self._model.set_filter(admitted, now)


def group_filter(group: ErrorGroup) -> str:
    """Return the filter for the jobs that failed with one error, whatever their kind."""
    return f"state=failed error{'=' if group.coded else ':'}{quoted(group.error)}"


def state_filter(state: State) -> str:
    """Return the filter for the jobs in one state."""
    return f"state={quoted(state.word) if ' ' in state.word else state.word}"


def same_error_filter(fault: Fingerprint) -> str:
    """Return the filter for the jobs that failed with the same error, at the same stage and of the same kind."""
    terms = ["phase:failed", f"error{'=' if fault.coded else ':'}{quoted(fault.error)}"]
    if fault.stage:
        terms.append(f"stage={quoted(fault.stage)}")
    return " ".join([*terms, f"kind={quoted(fault.kind)}"] if fault.kind else terms)
