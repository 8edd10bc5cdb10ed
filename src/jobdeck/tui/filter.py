"""What is typed after `/`: words, `!` for not, and `key:value`, `key=value`, `key<value`, `key>value`."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from jobdeck.domain import words
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job
from jobdeck.domain.phase import Phase
from jobdeck.domain.text import one_line
from jobdeck.tui.draw.state import COUNTED

Test: TypeAlias = Callable[[Job, str, Instant], bool]
"""Whether a job that shows the word of a state (``stall``, ``blind``) is admitted at a moment."""

_TOKEN = re.compile(r'(?:"(?:[^"\\]|\\.)*"?|[^\s"])+')
_TERM = re.compile(r"([A-Za-z_]+)(<=|>=|:|=|<|>)(.*)", re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"?')
_PERCENT = re.compile(r"\d{1,3}(?:\.\d{1,3})?%?", re.ASCII)
SAID = 24
"""Characters of a term that a complaint repeats."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter as it was understood; `complaints` are about what was not. Empty, it admits every job."""

    text: str = ""
    tests: tuple[Test, ...] = field(default=(), compare=False)
    complaints: tuple[str, ...] = ()
    timed: bool = False
    """Whether time alone may change what it admits."""

    def __bool__(self) -> bool:
        """Whether it may refuse anything."""
        return bool(self.tests)

    def admits(self, job: Job, state: str, now: Instant) -> bool:
        """Whether a job passes every term; `state` is the word that its row shows."""
        return all(test(job, state, now) for test in self.tests)


def parse(text: str) -> Filter:
    """Understand a filter; never raises. A term that cannot be understood is complained about, never dropped."""
    tests: list[Test] = []
    complaints: list[str] = []
    timed = False
    for token in _TOKEN.findall(text):
        negated = token.startswith("!")
        term = token[1:] if negated else token
        parsed = _TERM.fullmatch(term)
        if parsed is None:
            test = _words(_unquoted(term))
        else:
            key, operator, value = parsed[1].lower(), parsed[2], _unquoted(parsed[3])
            test, complaint = _keyed(key, operator, value, term)
            timed = timed or key in _MEASURES
            if complaint:
                complaints.append(complaint)
        if test is not None:
            tests.append(_negation(test) if negated else test)
    return Filter(text.strip(), tuple(tests), tuple(complaints), timed)


def quoted(value: str) -> str:
    """Return `value` as one that may follow a key, whatever is in it."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _keyed(key: str, operator: str, value: str, term: str) -> tuple[Test | None, str | None]:
    if key in _MEASURES:
        return _measured(key, operator, value)
    read = _TEXTS.get(key)
    if read is None:
        known = " ".join([*_TEXTS, *_MEASURES])
        return _words(term), f"{one_line(key, SAID)} is no key: taken as text (keys: {known})"
    if operator not in {":", "="}:
        return None, f"{key} is a text: {key}:… or {key}=…"
    if not value:
        return None, None
    wanted = value.casefold()
    if operator == "=":
        return (lambda job, state, _: any(wanted == text.casefold() for text in read(job, state))), None
    options = [option for option in wanted.split(",") if option]
    return (lambda job, state, _: any(o in text.casefold() for text in read(job, state) for o in options)), (
        _unknown_phase(options) if key == "phase" else None
    )


def _unknown_phase(options: Iterable[str]) -> str | None:
    known = [phase.value for phase in Phase]
    shown = [state.word for state in COUNTED]
    unknown = [option for option in options if not any(option in word for word in (*known, *shown))]
    return f"no phase is called {one_line(unknown[0], SAID)}: {' '.join(known)}" if unknown else None


def _measured(key: str, operator: str, value: str) -> tuple[Test | None, str | None]:
    measure, number, example = _MEASURES[key]
    limit = number(value)
    if operator not in {"<", ">", "<=", ">="} or limit is None:
        return None, f"{key} is compared with a number: {key}>{example}"
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


def _words(text: str) -> Test | None:
    wanted = text.casefold()
    if not wanted:
        return None
    return lambda job, state, _: any(wanted in part.casefold() for part in _all_texts(job, state))


def _unquoted(text: str) -> str:
    return _QUOTED.sub(lambda match: re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL), text)


def _fraction(text: str) -> float | None:
    return float(text.rstrip("%")) / 100 if _PERCENT.fullmatch(text) else None


def _age(job: Job, now: Instant) -> float | None:
    """Return the age of what is seen: without end when nothing was, none for an ended job, which is final."""
    if job.terminal:
        return None
    age = job.age(now)
    return float("inf") if age is None else age


def _errors(job: Job, _: str) -> tuple[str, ...]:
    problem = job.trouble
    return (*job.reason, problem.kind.value, problem.kind.words, problem.message) if problem else job.reason


def _stages(job: Job, _: str) -> tuple[str, ...]:
    current = job.current_stage
    return (current.stage.name,) if current is not None else ()


def _ids(job: Job, _: str) -> tuple[str, ...]:
    key = job.key
    return (str(key), key.id, job.request_id or "", job.trace_id or "", job.target.accepted_request_id or "")


_TEXTS: dict[str, Callable[[Job, str], tuple[str, ...]]] = {
    "phase": lambda job, state: (job.phase.value, state),
    "kind": lambda job, _: (job.kind,),
    "profile": lambda job, _: (job.key.profile,),
    "stage": _stages,
    "status": lambda job, _: (job.status or "",),
    "error": _errors,
    "id": _ids,
}
_MEASURES: dict[str, tuple[Callable[[Job, Instant], float | None], Callable[[str], float | None], str]] = {
    "age": (_age, words.seconds_of, "30s"),
    "elapsed": (lambda job, now: None if job.observed is None else job.elapsed(now), words.seconds_of, "5m"),
    "progress": (lambda job, _: job.shown_progress, _fraction, "50%"),
}


def _all_texts(job: Job, state: str) -> tuple[str, ...]:
    names = tuple(record.stage.name for record in job.stages)
    return (*_ids(job, state), job.kind, job.status or "", job.phase.value, state, *names, *_errors(job, state))
