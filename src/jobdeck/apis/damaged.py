"""Answers that are no strict JSON, or pruned: only conclusions that the unreadable part cannot contradict are used."""

from collections.abc import Callable
from dataclasses import replace

from jobdeck.apis.extract import ParsedBody, ResponseBody
from jobdeck.domain.job import DROPPED_RESULT, JobError, Observation
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.http.marker import Marker
from jobdeck.http.problems import ProblemDraft
from jobdeck.http.repair import Repaired

Parse = Callable[[ResponseBody], ParsedBody]

_ANY = ('"?"', "1", "[1]", "true")
"""Possible values in place of one that could not be read: an error message, a count, a list of failures, a flag."""


def is_damaged(parsed: ParsedBody) -> bool:
    """Whether an answer could not be parsed because it is no strict JSON."""
    return parsed.problem is not None and parsed.problem.kind is ProblemKind.NOT_JSON


def parse_repaired(parse: Parse, repaired: Repaired, response: ResponseBody, *, one: bool) -> ParsedBody:
    """Return the result of `parse` for a repaired body; `one`: the answer is about one job.

    A success counts only if no value in place of an unreadable one contradicts it. In a truncated answer a success does
    not count at all, since the missing part may contradict it, nor does the last row of a list.
    """
    parsed = parse(replace(response, data=repaired.body))
    if repaired.unread and any(row.phase is Phase.SUCCEEDED for row in parsed.observations):
        others = [parse(replace(response, data=repaired.with_unread_as(value))) for value in _ANY]
        parsed = _without_doubtful(parsed, others, one=one)
    if not repaired.cut:
        return parsed
    if not one:
        return replace(parsed, observations=parsed.observations[:-1], next_cursor=None)
    status = next((row.status for row in parsed.observations if row.phase is Phase.SUCCEEDED), None)
    if status is None:
        return parsed
    return _refused(parsed, f"truncated response: it says {status}, but the missing part could contradict that")


def with_notes(parsed: ParsedBody, notes: tuple[str, ...], *, one: bool) -> ParsedBody:
    """Return `parsed` with notes on the damage: in its job's note if `one`, else in the partial error of the list."""
    if not notes or parsed.problem is not None:
        return parsed
    note = f"malformed response, parsed leniently: {', '.join(notes)}"
    if one:
        noted = (replace(row, note=f"{note}; {row.note}" if row.note else note) for row in parsed.observations)
        return replace(parsed, observations=tuple(noted))
    return replace(parsed, partial_error=f"{parsed.partial_error}; {note}" if parsed.partial_error else note)


def without_markers(parsed: ParsedBody, marker: Marker) -> ParsedBody:
    """Return `parsed` with words in place of markers, and without a pruned result, whose size becomes a fact."""
    return replace(parsed, observations=tuple(_without_markers(row, marker) for row in parsed.observations))


def _without_markers(row: Observation, marker: Marker) -> Observation:
    words = marker.replace_by_words
    facts = tuple((name, words(value)) for name, value in row.facts)
    if row.result is not None and marker.is_in(row.result):
        facts = ((DROPPED_RESULT, str(marker.size(row.result))), *facts)
        row = replace(row, result=None)
    error = row.error
    if error is not None:
        parts = (error.code, error.message, error.details)
        error = JobError(*(None if part is None else words(part) for part in parts))
    stages = tuple(replace(one, name=words(one.name), status=words(one.status)) for one in row.stages)
    return replace(row, status=words(row.status), stages=stages, error=error, facts=facts)


def _without_doubtful(parsed: ParsedBody, others: list[ParsedBody], *, one: bool) -> ParsedBody:
    """Return `parsed` without the successes that are missing in one of the `others`."""
    states = [{(row.account_group, row.id, row.phase) for row in other.observations} for other in others]
    rows = tuple(
        row
        for row in parsed.observations
        if row.phase is not Phase.SUCCEEDED or all((row.account_group, row.id, row.phase) in each for each in states)
    )
    if not one or len(rows) == len(parsed.observations):
        return replace(parsed, observations=rows)
    return _refused(
        parsed, "malformed response: it says succeeded, but a value that could contradict that cannot be read"
    )


def _refused(parsed: ParsedBody, message: str) -> ParsedBody:
    return replace(parsed, observations=(), problem=ProblemDraft(ProblemKind.PROTOCOL, message))
