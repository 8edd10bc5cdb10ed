"""A described API's answers as observations, and for each field which path gave what: pure functions."""

from dataclasses import dataclass, replace

from jobdeck.domain.job import JobError, Observation, Stage
from jobdeck.domain.phase import Phase
from jobdeck.domain.text import CELL_LIMIT, clean, one_line
from jobdeck.providers.described.look import Finding, Look
from jobdeck.providers.described.paths import find_all
from jobdeck.providers.described.values import moment_in, page_cursor, progress_in, share
from jobdeck.providers.description import Description, Paths, ProgressPaths, ProgressUnit
from jobdeck.providers.fault import Fault
from jobdeck.providers.ids import is_id
from jobdeck.providers.json_text import json_text, read_json
from jobdeck.providers.lenient import job_error, text
from jobdeck.providers.problems import not_json
from jobdeck.providers.reading import Reading, check_identity, protocol
from jobdeck.scheduling.actions import ListPage

MAX_STAGES = 100
DONE, NOT_DONE, NO_STATUS = "done", "not done", "no status"
"""The words for an API that has a boolean and no status, and for an answer that has no status yet."""


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
    whole = Look(value)
    ids = _ids(described, whole)
    look = _inside(described, whole)
    if look is None:
        fault = protocol(f"the answer has no job: nothing at {' or '.join(described.item)}")
        return Read(Reading(fault=fault, ids=ids), tuple(whole.findings))
    found = id_in(described, look)
    told = _identity(described, found, wanted) or _observation(described, look, wanted or found or "", group)
    reading = Reading(fault=told, ids=ids) if isinstance(told, Fault) else Reading((told,), ids=ids)
    return Read(reading, tuple(look.findings), found)


def read_jobs(
    described: Description, body: bytes, http_status: int, group: str | None, asked: ListPage | None = None
) -> Reading:
    """Return what a page of jobs says, and what of it could not be read; a page of such rows alone is a fault.

    Where pages are counted, what was `asked` for tells which one follows.
    """
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
    told = [_row(described, row, group) for row in rows]
    observations = tuple(one for one in told if isinstance(one, Observation))
    gap = None
    if unread := [one for one in told if isinstance(one, str)]:
        most = f"{len(unread)} of {len(rows)} rows could not be read"
        gap = f"{most if observations else f'none of {len(rows)} rows could be read'}: {unread[0]}"
        if not observations:
            return Reading(fault=protocol(gap), ids=ids)
    cursor = page_cursor(look.up("cursor", listed.cursor), listed.cursor_parameter)
    if cursor is None and asked is not None:
        cursor = listed.following(asked.cursor, asked.limit, len(rows))
    return Reading(observations, ids=ids, next_cursor=cursor, gap=gap)


def id_in(described: Description, look: Look) -> str | None:
    """Return the ID that an answer gives its job, cut out of a longer name where the description says so."""
    found = look.word("id", described.fields.id)
    if found is not None and described.fields.id_after_last:
        found = found.rpartition(described.fields.id_after_last)[2] or None
    look.named = found is not None
    return found


def _row(described: Description, row: object, group: str | None) -> Observation | str:
    """Return what a row of a list says, or why it could not be read."""
    look = Look(row)
    if not isinstance(row, dict):
        return "a row is no object"
    found = id_in(described, look)
    if found is None:
        return f"nothing at {' or '.join(described.fields.id)}" if described.fields.id else "the description has no id"
    if not is_id(found):
        return f"{one_line(found, 80)!r} is no ID"
    told = _observation(described, look, found, group)
    if isinstance(told, Fault):
        return told.message
    return told if described.list is not None and described.list.whole else replace(told, whole=False)


def _inside(described: Description, look: Look) -> Look | None:
    """Return where in an answer its job is looked up; None when it is not there."""
    if not described.item:
        return look
    found = look.up("item", described.item)
    return None if found is None else Look(found, look.findings)


def accepted(described: Description, body: object) -> tuple[str, str | None, str | None] | None:
    """Return what a body calls its job, in full, and the request ID and trace ID in it; None when it names none.

    A name with slashes in it is a path, whose template tells more than the ID.
    """
    whole = Look(body)
    look = _inside(described, whole) or whole
    name = look.word("id", described.fields.id)
    if name is None:
        return None
    full = name.removeprefix("/")
    return (full if "/" in full else id_in(described, look) or full, *_ids(described, whole))


def _ids(described: Description, look: Look) -> tuple[str | None, str | None]:
    fields = described.fields
    return look.word("request_id", fields.request_id), look.word("trace_id", fields.trace_id)


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
    facts = [(name, look.word(name, paths)) for name, paths in fields.facts]
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
        kind=look.word("kind", fields.kind) or described.kind,
        account_group=group,
        created_us=_moment(described, look, "created", fields.created),
        updated_us=updated,
        ended_us=ended if phase.terminal else None,
        facts=tuple((name, value) for name, value in facts if value is not None),
        attempt=look.word("attempt", fields.attempt),
        started_us=_moment(described, look, "started", fields.started),
    )


def _state(
    described: Description, look: Look, error: JobError | None, *, has_result: bool
) -> tuple[str, Phase] | Fault:
    """Return status and phase: of the boolean where there is one, else of the status and its outcome."""
    fields, phases = described.fields, described.phases
    said = look.word("status", fields.status)
    absent = said is None and not any(finding.field == "status" and finding.found for finding in look.findings)
    word, phase = _meaning(described, said, look, "", fields.outcome)
    if not fields.done:
        if word is None and (phases.missing is Phase.UNKNOWN or not (absent and look.named)):
            return protocol(f"the answer has no status: no word at {' or '.join(fields.status)}")
        if word is None:
            return NO_STATUS, phases.missing
        if word in phases.done:
            phase = Phase.SUCCEEDED if error is None else Phase.FAILED
        return word, _gaps(described, _cancelled(described, phase, error), look)
    done = look.up("done", fields.done)
    if done is None and not look.named:
        return protocol(f"the answer says neither whose it is nor whether it is done: nothing at {fields.done[0]}")
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
    return word or DONE, _gaps(described, phase if phase.terminal else Phase.SUCCEEDED, look)


def _meaning(
    described: Description, word: str | None, look: Look, prefix: str, outcome: Paths
) -> tuple[str | None, Phase]:
    """Return the word that counts and its phase: the outcome's where the status only says that there is one."""
    phases = described.phases
    if word is None:
        return None, Phase.UNKNOWN
    if word in phases.outcome:
        told = look.word(f"{prefix}outcome", outcome)
        # Ended in an unknown way is no end that could be shown: the word itself is.
        if told is None:
            return word, Phase.UNKNOWN
        if told not in phases.words:
            look.note("in none of the phases")
        return told, phases.words.get(told, Phase.UNKNOWN)
    if word in phases.done:
        # Over, and nothing here says how: `other` is for those that go on.
        return word, Phase.UNKNOWN
    if word not in phases.words:
        look.note("in none of the phases")
    return word, phases.words.get(word, phases.other)


def _gaps(described: Description, phase: Phase, look: Look) -> Phase:
    """Return what a success is of which parts failed."""
    failures = look.sum("failures", described.fields.failures)
    return Phase.PARTIAL if failures is not None and failures > 0 and phase is Phase.SUCCEEDED else phase


def _cancelled(described: Description, phase: Phase, error: JobError | None) -> Phase:
    cancelled = error is not None and error.code in described.phases.cancelled_codes
    return Phase.CANCELLED if cancelled and phase is Phase.FAILED else phase


def _error(described: Description, look: Look) -> JobError | None:
    fields = described.fields
    error = job_error(look.up("error", fields.error))
    code = look.word("error_code", fields.error_code)
    said = look.up("error_message", fields.error_message)
    message = one_line(said) or None if isinstance(said, str) else text(said)
    if code is None and message is None:
        return error
    known = error or JobError()
    return replace(known, code=code or known.code, message=message or known.message)


def _progress(look: Look, name: str, paths: ProgressPaths) -> float | None:
    if paths.unit is ProgressUnit.COUNT:
        return share(look.sum(name, paths.value), look.sum(f"{name}_total", paths.total))
    value = look.up(name, paths.value)
    found = progress_in(paths.unit, value)
    if value is not None and found is None:
        look.note(f"not read as a {paths.unit}: see progress_unit")
    return found


def _moment(described: Description, look: Look, name: str, paths: Paths) -> int | None:
    value = look.up(name, paths)
    unit = described.fields.time_unit
    found = moment_in(unit, value)
    if value is not None and found is None:
        look.note(f"not read as {unit}: see time_unit")
    return found


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
        if (stage := _stage(described, Look(item.value, look.findings if item is items[0] else [], key=item.key)))
    ]
    return tuple(stages), max(0, len(items) - MAX_STAGES)


def _stage(described: Description, look: Look) -> Stage | None:
    fields = described.stages
    name = look.word("stage name", fields.name) if fields.name else text(look.key)
    if name is None:
        return None
    word = text(look.value) if not fields.status else look.word("stage status", fields.status)
    word, phase = _meaning(described, word, look, "stage ", fields.outcome)
    progress = _progress(look, "stage progress", fields.progress)
    if word is None and progress is None:
        return None
    return Stage(clean(name, limit=CELL_LIMIT), word or "", phase, progress)
