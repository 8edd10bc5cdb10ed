"""Sonarly's answers as observations: pure functions from bodies to what they say."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from jobdeck.domain.job import Observation, Stage
from jobdeck.domain.phase import Phase
from jobdeck.domain.text import CELL_LIMIT, clean
from jobdeck.providers.fault import Fault
from jobdeck.providers.ids import is_id
from jobdeck.providers.lenient import fraction, job_error, text
from jobdeck.providers.problems import describe_error, kind_of_code
from jobdeck.providers.reading import Reading, check_answer, cursor_of, parse, protocol
from jobdeck.providers.sonarly.models import Envelope, Job

PHASES = {
    "queued": Phase.QUEUED,
    "running": Phase.RUNNING,
    "completed": Phase.SUCCEEDED,
    "failed": Phase.FAILED,
    "cancelled": Phase.CANCELLED,
}
MAX_STAGES = 100
"""A screen of stages, and a bound on what a hostile answer of 8 MiB can make of them."""

_DEFAULT_KIND = "prospecting"


def read_job(body: bytes, http_status: int, wanted: str, account_group: str | None) -> Reading:
    """Return what a job's status says about the job `wanted` of `account_group`."""
    envelope = parse(Envelope, body, http_status)
    if not isinstance(envelope, Envelope):
        return Reading(fault=envelope)
    ids = _ids(envelope)
    data = _data(envelope)
    if isinstance(data, Fault):
        return Reading(fault=data, ids=ids)
    job = Job.model_validate(data)
    fault = check_answer(job.id, job.status, wanted)
    if fault is not None:
        return Reading(fault=fault, ids=ids)
    return Reading((_observation(job, account_group, whole=True),), ids=ids)


def read_jobs(body: bytes, http_status: int, account_group: str | None) -> Reading:
    """Return what a page of jobs says: rows without stages, errors and results, those without an ID left out."""
    rows, page = _page(body, http_status)
    jobs = (Job.model_validate(row) for row in rows)
    told = (_observation(job, account_group, whole=False) for job in jobs if is_id(job.id) and job.status)
    return replace(page, observations=tuple(told))


def read_groups(body: bytes, http_status: int) -> tuple[tuple[str, ...], Reading]:
    """Return the IDs of the account groups of a page, and the page's reading without observations."""
    rows, page = _page(body, http_status)
    ids = (text(row.get("id")) for row in rows)
    return tuple(id_ for id_ in ids if id_ is not None and is_id(id_)), page


def _ids(envelope: Envelope) -> tuple[str | None, str | None]:
    trace_id = envelope.trace_id
    return None, trace_id if isinstance(trace_id, str) else None


def _data(envelope: Envelope) -> Mapping[str, object] | Fault:
    if envelope.success is False or (envelope.data is None and envelope.error):
        error = envelope.error
        code = text(error.get("code")) if isinstance(error, dict) else None
        words = describe_error(error) or "the answer says that it failed, and not why"
        return Fault(kind_of_code(code or ""), words)
    if not isinstance(envelope.data, dict):
        return protocol("the answer has no data")
    return envelope.data


def _page(body: bytes, http_status: int) -> tuple[list[Mapping[str, object]], Reading]:
    """Return the rows of a list, and its reading so far: cursor and IDs, or the fault for which there are no rows."""
    envelope = parse(Envelope, body, http_status)
    if not isinstance(envelope, Envelope):
        return [], Reading(fault=envelope)
    ids, data = _ids(envelope), _data(envelope)
    if isinstance(data, Fault):
        return [], Reading(fault=data, ids=ids)
    items = data.get("items")
    if not isinstance(items, list):
        return [], Reading(fault=protocol("the answer has no list of items"), ids=ids)
    cursor = None if data.get("hasMore") is False else cursor_of(data.get("nextCursor"))
    return [item for item in items if isinstance(item, dict)], Reading(ids=ids, next_cursor=cursor)


def _observation(job: Job, account_group: str | None, *, whole: bool) -> Observation:
    status = job.status or ""
    phase = PHASES.get(status, Phase.UNKNOWN)
    stages = tuple(_stages(job.stages)) if whole else ()
    left_out = len(job.stages) - MAX_STAGES if whole and isinstance(job.stages, dict | list) else 0
    return Observation(
        id=job.id or "",
        status=status,
        phase=phase,
        stages=stages,
        error=job_error(job.error) if whole else None,
        kind=job.type or _DEFAULT_KIND,
        account_group=account_group,
        created_us=job.created_us,
        updated_us=job.updated_us,
        ended_us=job.updated_us if phase.terminal else None,
        facts=(("stages_not_shown", str(left_out)),) if left_out > 0 else (),
        whole=whole,
    )


def _stages(value: object) -> Iterator[Stage]:
    """Yield the stages of an object in its order, or of a list of named objects; what is neither is skipped."""
    if isinstance(value, dict):
        pairs = list(value.items())[:MAX_STAGES]
    elif isinstance(value, list):
        pairs = [(item.get("name"), item) for item in value[:MAX_STAGES] if isinstance(item, dict)]
    else:
        return
    for name, stage in pairs:
        if not isinstance(name, str) or not name.strip():
            continue
        status = text(stage.get("status")) if isinstance(stage, dict) else text(stage)
        progress = fraction(stage.get("progress")) if isinstance(stage, dict) else None
        if status is not None or progress is not None:
            yield Stage(clean(name, limit=CELL_LIMIT), status or "", PHASES.get(status or "", Phase.UNKNOWN), progress)
