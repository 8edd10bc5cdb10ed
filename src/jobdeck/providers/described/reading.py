"""A described API's answers as observations, and for each field which path gave what: pure functions."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from jobdeck.domain.job import JobError, Observation, Stage
from jobdeck.domain.phase import Phase
from jobdeck.domain.text import CELL_LIMIT, clean, one_line
from jobdeck.providers.described.paths import Key, find_all
from jobdeck.providers.description import Description, Paths, ProgressPaths, ProgressUnit, TimeUnit
from jobdeck.providers.fault import Fault
from jobdeck.providers.ids import is_id
from jobdeck.providers.json_text import json_text, read_json
from jobdeck.providers.lenient import epoch, fraction, job_error, moment, percent, text
from jobdeck.providers.problems import not_json
from jobdeck.providers.reading import Reading, check_identity, cursor_of, protocol

MAX_STAGES = 100
DONE, NOT_DONE = "done", "not done"
"""The words for an API that has a boolean and no status."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Where a field was looked for: the path that found it and what it found; all its paths, where none did."""

    field: str
    paths: Paths
    value: object = None
    found: bool = False


@dataclass(slots=True)
class Look:
    """Looks fields up in one value, and keeps what it found for whoever asks how an answer was read."""

    value: object
    findings: list[Finding] = field(default_factory=list)
    key: Key = None

    def up(self, name: str, paths: Paths) -> object:
        """Return the first value but null that one of `paths` finds; None when none does."""
        if not paths:
            return None
        for path in paths:
            for found in find_all(path, self.value):
                if found.value is not None:
                    self.findings.append(Finding(name, (path,), found.value, found=True))
                    return found.value
        self.findings.append(Finding(name, paths))
        return None


@dataclass(frozen=True, slots=True)
class Read:
    """A job's answer as it was read: the reading for the engine, and how it came about."""

    reading: Reading
    findings: tuple[Finding, ...] = ()
    id: str | None = None


def read_job(described: Description, body: bytes, http_status: int, wanted: str | None, group: str | None) -> Read:
    """Return what an answer says about the job `wanted` (None: about whatever job it is about)."""
    try:
        value = read_json(body)
    except ValueError:
        return Read(Reading(fault=not_json(body, http_status)))
    look = Look(value)
    found = id_in(described, look)
    ids = _ids(described, look)
    fault = _identity(described, found, wanted)
    told = fault or _observation(described, look, wanted or found or "", group)
    reading = Reading(fault=told, ids=ids) if isinstance(told, Fault) else Reading((told,), ids=ids)
    return Read(reading, tuple(look.findings), found)


def read_jobs(described: Description, body: bytes, http_status: int, group: str | None) -> Reading:
    """Return what a page of jobs says; rows without ID or status are left out."""
    listed = described.list
    if listed is None:
        return Reading(fault=protocol(f"the description of {described.name} has no list"))
    try:
        value = read_json(body)
    except ValueError:
        return Reading(fault=not_json(body, http_status))
    look = Look(value)
    ids = _ids(described, look)
    if not isinstance(value, dict | list):
        return Reading(fault=protocol("the answer has no list of jobs"), ids=ids)
    rows = [found.value for path in listed.items for found in find_all(path, value)]
    observations = tuple(_rows(described, rows, group))
    return Reading(observations, ids=ids, next_cursor=cursor_of(look.up("cursor", listed.cursor)))


def id_in(described: Description, look: Look) -> str | None:
    """Return the ID that an answer gives its job, cut out of a longer name where the description says so."""
    found = text(look.up("id", described.fields.id))
    if found is not None and described.fields.id_after_last:
        return found.rpartition(described.fields.id_after_last)[2] or None
    return found


def _rows(described: Description, rows: list[object], group: str | None) -> Iterator[Observation]:
    whole = described.list is not None and described.list.whole
    for row in rows:
        look = Look(row)
        found = id_in(described, look)
        if not isinstance(row, dict) or found is None or not is_id(found):
            continue
        told = _observation(described, look, found, group)
        if isinstance(told, Observation):
            yield told if whole else replace(told, whole=False)


def accepted(described: Description, body: object) -> tuple[str, str | None, str | None] | None:
    """Return what a body calls its job, in full, and the request ID and trace ID in it; None when it names none.

    A name with slashes in it is a path, whose template tells more than the ID.
    """
    look = Look(body)
    name = text(look.up("id", described.fields.id))
    if name is None:
        return None
    full = name.removeprefix("/")
    return (full if "/" in full else id_in(described, look) or full, *_ids(described, look))


def _ids(described: Description, look: Look) -> tuple[str | None, str | None]:
    fields = described.fields
    return text(look.up("request_id", fields.request_id)), text(look.up("trace_id", fields.trace_id))


def _identity(described: Description, found: str | None, wanted: str | None) -> Fault | None:
    fields = described.fields
    if not fields.id or (found is None and not fields.id_required):
        return None
    if found is None:
        return protocol(f"the answer does not say which job it is about: nothing at {' or '.join(fields.id)}")
    return check_identity(found, wanted) if wanted is not None else None


def _observation(described: Description, look: Look, job_id: str, group: str | None) -> Observation | Fault:
    fields = described.fields
    error = _error(described, look)
    result = look.up("result", fields.result)
    told = _state(described, look, error, has_result=result is not None)
    if isinstance(told, Fault):
        return told
    status, phase = told
    stages, left_out = _stages(described, look)
    facts = [(name, text(look.up(name, paths))) for name, paths in fields.facts]
    if left_out:
        facts.append(("stages_not_shown", str(left_out)))
    updated = _moment(described, look, "updated", fields.updated)
    ended = _moment(described, look, "ended", fields.ended)
    return Observation(
        id=job_id,
        status=status,
        phase=phase,
        progress=_progress(look, "progress", fields.progress),
        stages=stages,
        error=error,
        result=None if result is None else json_text(result),
        kind=text(look.up("kind", fields.kind)) or described.kind,
        account_group=group,
        created_us=_moment(described, look, "created", fields.created),
        updated_us=updated,
        ended_us=ended if phase.terminal else None,
        facts=tuple((name, value) for name, value in facts if value is not None),
    )


def _state(
    described: Description, look: Look, error: JobError | None, *, has_result: bool
) -> tuple[str, Phase] | Fault:
    """Return status and phase: of the boolean where there is one, else of the status and its outcome."""
    fields = described.fields
    word = text(look.up("status", fields.status))
    word, phase = _meaning(described, word, look, "outcome", fields.outcome)
    if not fields.done:
        if word is None:
            return protocol(f"the answer has no status: no word at {' or '.join(fields.status)}")
        return word, _cancelled(described, phase, error)
    done = look.up("done", fields.done)
    if done is not None and not isinstance(done, bool):
        return protocol(f"done is neither true nor false, but {one_line(json_text(done), 80)}")
    if not done:
        known = phase if phase is Phase.QUEUED else Phase.RUNNING
        return word or NOT_DONE, known
    if error is not None:
        failed = phase if phase in {Phase.CANCELLED, Phase.PARTIAL} else Phase.FAILED
        return word or DONE, _cancelled(described, failed, error)
    if fields.done_needs_result and not has_result:
        return protocol("the answer says done, and has neither an error nor a result")
    return word or DONE, phase if phase.terminal else Phase.SUCCEEDED


def _meaning(
    described: Description, word: str | None, look: Look, name: str, outcome: Paths
) -> tuple[str | None, Phase]:
    """Return the word that counts and its phase: the outcome's where the status only says that there is one."""
    phases = described.phases
    if word is None:
        return None, Phase.UNKNOWN
    if word in phases.outcome:
        told = text(look.up(name, outcome))
        # Ended in an unknown way is no end that could be shown: the word itself is.
        return (word, Phase.UNKNOWN) if told is None else (told, phases.words.get(told, Phase.UNKNOWN))
    return word, phases.words.get(word, phases.other)


def _cancelled(described: Description, phase: Phase, error: JobError | None) -> Phase:
    cancelled = error is not None and error.code in described.phases.cancelled_codes
    return Phase.CANCELLED if cancelled and phase is Phase.FAILED else phase


def _error(described: Description, look: Look) -> JobError | None:
    fields = described.fields
    error = job_error(look.up("error", fields.error))
    code = text(look.up("error_code", fields.error_code))
    said = look.up("error_message", fields.error_message)
    message = one_line(said) or None if isinstance(said, str) else text(said)
    if code is None and message is None:
        return error
    known = error or JobError()
    return replace(known, code=code or known.code, message=message or known.message)


def _progress(look: Look, name: str, paths: ProgressPaths) -> float | None:
    value = look.up(name, paths.value)
    match paths.unit:
        case ProgressUnit.FRACTION:
            return fraction(value)
        case ProgressUnit.PERCENT:
            return percent(value)
        case ProgressUnit.COUNT:
            return _share(value, look.up(f"{name}_total", paths.total))


def _share(value: object, total: object) -> float | None:
    """Return a count of a total as a fraction; None where either is none, or there is nothing to count."""
    if isinstance(value, bool) or isinstance(total, bool):
        return None
    if not isinstance(value, int | float) or not isinstance(total, int | float) or not total > 0:
        return None
    try:
        return fraction(value / total)
    except OverflowError:
        return None


def _moment(described: Description, look: Look, name: str, paths: Paths) -> int | None:
    value = look.up(name, paths)
    match described.fields.time_unit:
        case TimeUnit.RFC3339:
            return moment(value)
        case TimeUnit.SECONDS:
            return epoch(value, 1_000_000)
        case TimeUnit.MILLISECONDS:
            return epoch(value, 1_000)


def _stages(described: Description, look: Look) -> tuple[tuple[Stage, ...], int]:
    """Return the stages, and how many there are beyond those that fit on a screen."""
    fields = described.stages
    if not fields.items:
        return (), 0
    items = [found for path in fields.items for found in find_all(path, look.value)]
    look.findings.append(Finding("stages", fields.items, len(items), found=bool(items)))
    stages = [
        stage
        for item in items[:MAX_STAGES]
        if (stage := _stage(described, Look(item.value, look.findings if item is items[0] else [], item.key)))
    ]
    return tuple(stages), max(0, len(items) - MAX_STAGES)


def _stage(described: Description, look: Look) -> Stage | None:
    fields = described.stages
    named = look.up("stage name", fields.name) if fields.name else look.key
    name = text(named)
    if name is None:
        return None
    word = text(look.value) if not fields.status else text(look.up("stage status", fields.status))
    word, phase = _meaning(described, word, look, "stage outcome", fields.outcome)
    progress = _progress(look, "stage progress", fields.progress)
    if word is None and progress is None:
        return None
    return Stage(clean(name, limit=CELL_LIMIT), word or "", phase, progress)
