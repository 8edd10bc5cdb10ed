"""What a 2xx body says, before it is joined with its exchange."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import JobKey, Observation
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.text import clean
from jobdeck.providers.base import Reply
from jobdeck.providers.fault import Fault
from jobdeck.providers.http import Address, Answer, HttpLayer
from jobdeck.providers.json_text import read_json, without_lone_surrogates
from jobdeck.providers.problems import not_json
from jobdeck.providers.repair import Repaired, repair_in_slices
from jobdeck.scheduling.actions import ListPage

MAX_CURSOR = 2_048

ModelT = TypeVar("ModelT", bound=BaseModel)


class Tolerant(BaseModel):
    """A model of somebody else's JSON: unknown fields are no fault, and errors never echo the input."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, frozen=True)


@dataclass(frozen=True, slots=True)
class Reading:
    """Observations or a fault, the (request ID, trace ID) in the body, and the cursor of a list's next page.

    `gap` says what of a list could not be read; None when all could.
    """

    observations: tuple[Observation, ...] = ()
    fault: Fault | None = None
    ids: tuple[str | None, str | None] = (None, None)
    next_cursor: str | None = None
    gap: str | None = None


def parse(model: type[ModelT], body: bytes, status: int) -> ModelT | Fault:
    """Return the body as `model`, or why it is none: no JSON at all, or JSON of another shape."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            mended = without_lone_surrogates(body)
            return not_json(body, status) if mended == body else parse(model, mended, status)
        where = ".".join(str(part) for part in first["loc"])
        return protocol(f"the answer is not what it should be: {f'{where}: ' if where else ''}{first['msg']}")


def parse_rows(
    body: bytes, http_status: int, names: Iterable[str]
) -> tuple[list[dict[str, object]], Mapping[str, object]] | Fault:
    """Return the rows of a list and its envelope: a bare array (no envelope), or an object with one in `names`.

    Rows that are no objects are left out, so that one of them does not lose the others.
    """
    try:
        value = read_json(body)
    except ValueError:
        return not_json(body, http_status)
    envelope: Mapping[str, object] = value if isinstance(value, dict) else {}
    rows = next((envelope[name] for name in names if isinstance(envelope.get(name), list)), value)
    if not isinstance(rows, list):
        return protocol("the answer has no list of jobs")
    return [row for row in rows if isinstance(row, dict)], envelope


def protocol(message: str) -> Fault:
    """Return the fault of an answer that is JSON, but not the answer that was asked for."""
    return Fault(ProblemKind.PROTOCOL, message)


def check_identity(found: str | None, wanted: str) -> Fault | None:
    """Return a fault unless an answer is about the job that was asked for."""
    if found is None:
        return protocol("the answer does not say which job it is about")
    if found != wanted:
        return protocol(
            f"the answer is about another job: {clean(found, limit=200)} instead of {clean(wanted, limit=200)}"
        )
    return None


def check_answer(found: str | None, status: str | None, wanted: str) -> Fault | None:
    """Return a fault unless an answer is about the job that was asked for, and says its status."""
    fault = check_identity(found, wanted)
    return protocol("the answer has no status") if fault is None and status is None else fault


def cursor_of(value: object) -> str | None:
    """Return a list's cursor for its next page; None when there is none, or none that could be sent back."""
    return value if isinstance(value, str) and 0 < len(value) <= MAX_CURSOR else None


def limit_within(most: int, page: ListPage) -> str:
    """Return how many rows to ask for, as a query says it: those of the page, 1 to `most`."""
    return str(min(max(page.limit, 1), most))


_ANY = ('"?"', "1", "[1]", "true")
"""What a value that could not be read may have been: an error in words, a count, a list of failures, a flag."""


async def _repaired(body: bytes, charset: str | None) -> Repaired | None:
    repaired = None
    for step in repair_in_slices(body, charset):
        repaired = step
        await asyncio.sleep(0)
    return repaired


def read_repaired(read: Callable[[bytes, int], Reading], repaired: Repaired, status: int, *, one: bool) -> Reading:
    """Return what `read` finds in a body that was no strict JSON; `one` says that it is about one job.

    Of an answer that is cut short a success is not believed, for what contradicts it may be what is missing, nor is the
    last row of a list. A success must hold whatever stands where a value could not be read.
    """
    reading = read(repaired.body, status)
    if repaired.unread and any(row.phase is Phase.SUCCEEDED for row in reading.observations):
        reading = _without_doubtful(reading, [read(repaired.with_unread_as(value), status) for value in _ANY], one=one)
    if not repaired.cut:
        return reading
    if not one:
        return replace(reading, observations=reading.observations[:-1], next_cursor=None)
    told = next((row.status for row in reading.observations if row.phase is Phase.SUCCEEDED), None)
    if told is None:
        return reading
    return Reading(
        fault=protocol(f"answer cut short: it says {told}, but what may contradict that is missing"), ids=reading.ids
    )


def _without_doubtful(reading: Reading, others: list[Reading], *, one: bool) -> Reading:
    """Return a reading without the successes that are none, or not there, in one of the `others`."""
    sure = [{(row.account_group, row.id, row.phase) for row in other.observations} for other in others]
    rows = tuple(
        row
        for row in reading.observations
        if row.phase is not Phase.SUCCEEDED or all((row.account_group, row.id, row.phase) in told for told in sure)
    )
    if not one or len(rows) == len(reading.observations):
        return replace(reading, observations=rows)
    return Reading(
        fault=protocol("damaged answer: it says succeeded, but a value that may contradict that cannot be read"),
        ids=reading.ids,
    )


def noted(reading: Reading, notes: tuple[str, ...], *, one: bool) -> Reading:
    """Return a reading that says how its answer was damaged: the job of a poll, or what of a list could not be read."""
    if not notes or reading.fault is not None:
        return reading
    note = f"damaged answer, read leniently: {', '.join(notes)}"
    if one:
        return replace(reading, observations=tuple(replace(row, note=note) for row in reading.observations))
    return replace(reading, gap=f"{reading.gap}; {note}" if reading.gap else note)


async def ask(
    http: HttpLayer, where: Address | str, read: Callable[[bytes, int], Reading], job: JobKey | None = None
) -> Reply:
    """Send a request, and join a good answer with what `read` finds in its body, given with the HTTP status.

    `where` may be the reason why there is nothing to send, which is the reply's problem then.
    """
    if isinstance(where, str):
        return Reply(http.refuse(where, job).exchange)
    answer = await http.get(where, job)
    if answer.body is None:
        return _reply(answer.exchange, answer)
    status, one = answer.exchange.http_status or 0, job is not None
    reading, notes = read(answer.body, status), answer.notes
    if reading.fault is not None and reading.fault.kind is ProblemKind.NOT_JSON:
        repaired = await _repaired(answer.body, answer.charset)
        if repaired is not None:
            reading, notes = read_repaired(read, repaired, status, one=one), (*notes, *repaired.notes)
    reading = noted(reading, notes, one=one)
    fault = reading.fault
    if fault is not None:
        fault, answer = http.refusal(answer, fault)
    exchange = http.finish(answer, fault, reading.ids)
    observations, body = await http.without_words(reading.observations, answer.body or b"")
    if fault is not None:
        return _reply(exchange, answer, body=body)
    return _reply(exchange, answer, observations, body, reading)


def _reply(
    exchange: Exchange,
    answer: Answer,
    observations: tuple[Observation, ...] = (),
    body: bytes | None = None,
    reading: Reading | None = None,
) -> Reply:
    wait = answer.wait
    return Reply(
        exchange,
        observations,
        answer.windows,
        None if wait is None else wait.seconds,
        None if reading is None else reading.next_cursor,
        body,
        None if reading is None else reading.gap,
        None if wait is None else wait.asked,
    )
