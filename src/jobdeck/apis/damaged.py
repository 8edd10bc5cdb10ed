"""Answers that are no strict JSON, or pruned: believed no further than what could be read of them goes."""

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
"""What a value that could not be read may have been: an error in words, a count, a list of failures, a flag."""


def is_damaged(parsed: ParsedBody) -> bool:
    """Whether an answer could not be read because it is no JSON."""
    return parsed.problem is not None and parsed.problem.kind is ProblemKind.NOT_JSON


def parse_repaired(parse: Parse, repaired: Repaired, response: ResponseBody, *, one: bool) -> ParsedBody:
    """Return what `parse` finds in a repaired body; `one` says that it is about one job.

    Of an answer that is cut short a success is not believed, for what contradicts it may be what is missing, nor is the
    last row of a list. A success must hold whatever stands where a value could not be read.
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
    """Return the same with how its answer was damaged: a note of its job, or in what of a list could not be read."""
    if not notes or parsed.problem is not None:
        return parsed
    note = f"malformed response, parsed leniently: {', '.join(notes)}"
    if one:
        noted = (replace(row, note=f"{note}; {row.note}" if row.note else note) for row in parsed.observations)
        return replace(parsed, observations=tuple(noted))
    return replace(parsed, partial_error=f"{parsed.partial_error}; {note}" if parsed.partial_error else note)


def without_markers(parsed: ParsedBody, marker: Marker) -> ParsedBody:
    """Return what a pruned answer says with words for what was dropped, and of a dropped result its size alone."""
    return replace(parsed, observations=tuple(_without_markers(row, marker) for row in parsed.observations))


def _without_markers(row: Observation, marker: Marker) -> Observation:
    words = marker.in_words
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
    """Return the same without the successes that are none, or not there, in one of the `others`."""
    certain = [{(row.account_group, row.id, row.phase) for row in other.observations} for other in others]
    rows = tuple(
        row
        for row in parsed.observations
        if row.phase is not Phase.SUCCEEDED or all((row.account_group, row.id, row.phase) in known for known in certain)
    )
    if not one or len(rows) == len(parsed.observations):
        return replace(parsed, observations=rows)
    return _refused(
        parsed, "malformed response: it says succeeded, but a value that could contradict that cannot be read"
    )


def _refused(parsed: ParsedBody, message: str) -> ParsedBody:
    return replace(parsed, observations=(), problem=ProblemDraft(ProblemKind.PROTOCOL, message))
