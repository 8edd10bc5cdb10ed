"""Loading the tables of a definition that locate the fields in answers, and give statuses their meaning."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from jobdeck.apis.load_urls import load_source
from jobdeck.apis.spec import (
    FactPaths,
    Fields,
    Paths,
    Phases,
    ProgressPaths,
    ProgressUnit,
    Resource,
    ResultFields,
    StageFields,
    TimeUnit,
)
from jobdeck.apis.tables import PageError, StrictTable
from jobdeck.domain.phase import Phase
from jobdeck.domain.text import one_line

MAX_FACTS = 20


def _progress(table: StrictTable) -> ProgressPaths:
    found = ProgressPaths(
        table.paths("progress"),
        table.paths("progress_total"),
        table.choice("progress_unit", ProgressUnit.FRACTION),
    )
    if found.total and found.unit is not ProgressUnit.COUNT:
        raise table.error("progress_total", 'requires progress_unit = "count"')
    if found.unit is ProgressUnit.COUNT and not found.total:
        raise table.error("progress_total", 'is missing: progress_unit = "count" requires the total')
    return found


def load_fields(table: StrictTable) -> Fields:
    """Return the paths of all fields in an answer."""
    facts = table.table("facts")
    table.at_most("facts", len(facts.names), MAX_FACTS)
    fields = Fields(
        id=table.paths("id"),
        id_after_last=table.text("id_after_last"),
        id_required=table.flag("id_required", default=True),
        kind=table.paths("kind"),
        status=table.paths("status"),
        outcome=table.paths("outcome"),
        done=table.paths("done"),
        done_needs_result=table.flag("done_needs_result"),
        progress=_progress(table),
        error=table.paths("error"),
        error_code=table.paths("error_code"),
        error_message=table.paths("error_message"),
        failures=table.paths("failures"),
        failures_total=table.paths("failures_total"),
        result=_result(table),
        request_id=table.paths("request_id"),
        trace_id=table.paths("trace_id"),
        attempt=table.paths("attempt"),
        created=table.paths("created"),
        started=table.paths("started"),
        updated=table.paths("updated"),
        ended=table.paths("ended"),
        time_unit=table.choice("time_unit", TimeUnit.AUTO),
        facts=tuple(_fact(facts, name) for name in facts.names),
    )
    table.finish()
    if fields.done_needs_result and not fields.result:
        raise table.error("done_needs_result", "requires result, the JSONPath of the result")
    return fields


def _result(table: StrictTable) -> Paths | tuple[tuple[str, Paths], ...]:
    value = table.get("result")
    if not isinstance(value, Mapping):
        return table.paths("result")
    parts = table.table("result")
    return tuple((one_line(name, 80), parts.paths(name)) for name in parts.names)


def _fact(facts: StrictTable, name: str) -> FactPaths:
    value = facts.get(name)
    if not isinstance(value, Mapping):
        return FactPaths(one_line(name, 80), facts.paths(name))
    counted = facts.table(name)
    found = FactPaths(one_line(name, 80), counted.paths("count"), counted=True)
    counted.finish()
    return found


def load_stages(table: StrictTable, variables: tuple[str, ...]) -> StageFields:
    """Return the paths of the stages and of their fields; `variables` are those of the job's URL."""
    stages = StageFields(
        items=table.plural_paths("items", "such as $.steps[*]"),
        name=table.paths("name"),
        status=table.paths("status"),
        outcome=table.paths("outcome"),
        progress=_progress(table),
        source=load_source(table, variables),
    )
    table.finish()
    if table.names and not stages.items and table.has("items") is False:
        raise table.error("items", "is missing: the JSONPath of the stages, such as $.steps[*]")
    return stages


def load_result(table: StrictTable, fields: Fields, variables: tuple[str, ...]) -> ResultFields | None:
    """Return the source of a result that is not in the job's own answer; None if the definition has none."""
    source, path = load_source(table, variables), table.paths("path")
    table.finish()
    if source is None:
        if table.names:
            raise table.error("url", "is missing: where the result is, such as /jobs/{id}/result; see fields.result")
        return None
    if fields.done_needs_result:
        raise table.error("url", "and fields.done_needs_result cannot be combined")
    return ResultFields(source, path or ("$",))


def load_phases(table: StrictTable, resources: list[Resource]) -> Phases:
    """Return the meaning of the statuses."""
    words: dict[str, Phase] = {}
    case_sensitive = table.flag("case_sensitive")
    folded: dict[str, Phase] = {}
    for phase in Phase:
        if phase is Phase.UNKNOWN:
            continue
        for word in table.texts(phase.value):
            key = word if case_sensitive else word.casefold()
            if folded.setdefault(key, phase) is not phase:
                raise table.error(phase.value, f"has {one_line(word, 80)!r}, which is also in {folded[key].value}")
            words[word] = phase
    found = Phases(
        words=MappingProxyType(words),
        outcome=frozenset(table.texts("outcome")),
        done=frozenset(table.texts("done")),
        other=table.choice("other", Phase.UNKNOWN),
        missing=table.choice("missing", Phase.UNKNOWN),
        cancelled_codes=frozenset(table.texts("cancelled_codes")),
        by_http_status=MappingProxyType(_by_http_status(table.table("by_http_status"))),
        case_sensitive=case_sensitive,
    )
    table.finish()
    _check_phases(table, found, resources)
    return found


def _by_http_status(table: StrictTable) -> dict[int, Phase]:
    found: dict[int, Phase] = {}
    for key in table.names:
        if not re.fullmatch(r"2\d\d|30[1237]|4(?:0[09]|1[02]|22)", key):
            raise table.error(one_line(key, 20), "must be an HTTP status of 2xx, 3xx, 400, 409, 410, 412 or 422")
        phase = table.choice(key, Phase.UNKNOWN)
        if phase is Phase.SUCCEEDED and not key.startswith(("2", "3")):
            raise table.error(key, "is an error status: it cannot mean succeeded")
        found[int(key)] = phase
    return found


def _check_phases(table: StrictTable, phases: Phases, resources: list[Resource]) -> None:
    def same(word: str) -> str:
        return word if phases.case_sensitive else word.casefold()

    outcome, done = set(map(same, phases.outcome)), set(map(same, phases.done))
    twice = sorted((outcome | done) & set(map(same, phases.words)) | outcome & done)
    if twice:
        key = "outcome" if twice[0] in outcome else "done"
        raise table.error(key, f"has {one_line(twice[0], 80)!r}, which also has a phase")
    if phases.other.terminal:
        raise table.error("other", "must be queued, running or unknown: an unknown status never ends a job")
    if phases.missing.terminal:
        raise table.error("missing", "must be queued or running: a missing status never ends a job")
    fields = [resource.fields for resource in resources]
    if phases.missing is not Phase.UNKNOWN and not all(one.id and one.id_required for one in fields):
        raise table.error("missing", "requires the id field, to recognize a response without a status")
    if phases.cancelled_codes and not all(one.error or one.error_code for one in fields):
        raise table.error("cancelled_codes", "requires the error or error_code field")
    if bool(phases.outcome) is not any(one.outcome for one in fields):
        raise table.error("outcome", "and the outcome field must be used together")
    ends = any(phase.terminal for phase in (*phases.words.values(), *phases.by_http_status.values()))
    if not (any(one.done for one in fields) or phases.done or ends):
        raise table.error("succeeded", "or another final phase is missing: no status would ever end a job")
    for resource in resources:
        if not (resource.fields.status or resource.fields.done or phases.by_http_status):
            where = table.where.rpartition("phases]")[0]
            raise PageError(
                f"{where}fields]: status is missing: set the JSONPath of the status, or of the boolean done"
            )
