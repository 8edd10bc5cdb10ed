"""The Hog's answers as observations: pure functions from bodies to what they say."""

from collections import Counter
from collections.abc import Iterator

from jobdeck.domain.job import Observation, Resource
from jobdeck.domain.phase import Phase
from jobdeck.providers.ids import is_id
from jobdeck.providers.json_text import json_text
from jobdeck.providers.lenient import job_error, text
from jobdeck.providers.problems import ids_of
from jobdeck.providers.reading import Reading, check_answer, cursor_of, parse, parse_rows
from jobdeck.providers.thehog.models import Operation, Search

PHASES = {
    "queued": Phase.QUEUED,
    "processing": Phase.RUNNING,
    "succeeded": Phase.SUCCEEDED,
    "partial_success": Phase.PARTIAL,
    "failed": Phase.FAILED,
    "cancelled": Phase.CANCELLED,
}
_SEARCH_META = ("targetAccountSearchMode", "targetAccountOutcome", "providerOutcome", "message")
_EVIDENCE = "companyMatchEvidence"
_ROWS = ("data", "items", "operations", "searches")


def read_operation(body: bytes, http_status: int, wanted: str, resource: Resource) -> Reading:
    """Return what an operation's or enrichment's status says about the job `wanted`."""
    model = parse(Operation, body, http_status)
    if not isinstance(model, Operation):
        return Reading(fault=model)
    ids = ids_of({"meta": model.meta, "requestId": model.request_id})
    fault = check_answer(model.id, model.status, wanted)
    if fault is not None:
        return Reading(fault=fault, ids=ids)
    default = resource.value if resource is Resource.ENRICHMENT else "operation"
    return Reading((_operation(model, default),), ids=ids)


def read_search(body: bytes, http_status: int, wanted: str) -> Reading:
    """Return what a search's status says about the job `wanted`."""
    model = parse(Search, body, http_status)
    if not isinstance(model, Search):
        return Reading(fault=model)
    ids = ids_of({"meta": model.meta, "requestId": model.request_id})
    fault = check_answer(model.id, model.status, wanted)
    return Reading(fault=fault, ids=ids) if fault is not None else Reading((_search(model),), ids=ids)


def read_operations(body: bytes, http_status: int) -> Reading:
    """Return what a list of operations says: each row a whole observation, rows without ID or status left out.

    A row has no kind of its own unless it says one: enrichments and searches are operations in this list too.
    """
    page = parse_rows(body, http_status, _ROWS)
    if not isinstance(page, tuple):
        return Reading(fault=page)
    rows, envelope = page
    models = (Operation.model_validate(row) for row in rows)
    observations = tuple(_operation(model, None) for model in models if is_id(model.id) and model.status)
    return Reading(observations, ids=ids_of(envelope))


def read_searches(body: bytes, http_status: int, only: str | None = None) -> Reading:
    """Return what a page of searches says; with `only`, the rows of that status, because the API cannot filter."""
    page = parse_rows(body, http_status, _ROWS)
    if not isinstance(page, tuple):
        return Reading(fault=page)
    rows, envelope = page
    models = (Search.model_validate(row) for row in rows)
    observations = tuple(
        _search(model) for model in models if is_id(model.id) and model.status and only in {None, model.status}
    )
    return Reading(observations, ids=ids_of(envelope), next_cursor=cursor_of(envelope.get("next_cursor")))


def _operation(model: Operation, kind: str | None) -> Observation:
    status = model.status or ""
    return Observation(
        id=model.id or "",
        status=status,
        phase=PHASES.get(status, Phase.UNKNOWN),
        progress=model.progress,
        error=job_error(model.error),
        result=None if model.result is None else json_text(model.result),
        kind=model.kind or model.type or kind,
        created_us=model.created_us,
        updated_us=model.updated_us,
        ended_us=model.completed_us,
        facts=tuple(_result_facts(model.result)),
    )


def _search(model: Search) -> Observation:
    status = model.status or ""
    facts = (("type", model.type), ("query", model.query), ("total_results", model.total))
    found = model.results is not None or model.total_results is not None
    return Observation(
        id=model.id or "",
        status=status,
        phase=PHASES.get(status, Phase.UNKNOWN),
        error=job_error(model.error),
        result=json_text({"results": model.results, "total_results": model.total_results}) if found else None,
        kind=Resource.SEARCH.value,
        created_us=model.created_us,
        ended_us=model.completed_us,
        facts=tuple((name, value) for name, value in facts if value is not None),
    )


def _result_facts(result: object) -> Iterator[tuple[str, str]]:
    """Yield what a people search says about how it went: its `meta`, and how its rows were matched, counted."""
    if not isinstance(result, dict):
        return
    meta, rows = result.get("meta"), result.get("data")
    if isinstance(meta, dict):
        for name in _SEARCH_META:
            value = text(meta.get(name))
            if value is not None:
                yield name, value
    if not isinstance(rows, list):
        # A search of people names its rows so, an operation's result otherwise.
        rows = result.get("results")
    if isinstance(rows, list):
        words = (row.get(_EVIDENCE) for row in rows if isinstance(row, dict))
        evidence = Counter(word for word in words if isinstance(word, str) and word.strip())
        if evidence:
            yield _EVIDENCE, ", ".join(f"{text(word)} {count}" for word, count in evidence.most_common(5))
