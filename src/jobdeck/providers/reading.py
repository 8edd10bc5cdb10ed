"""What a 2xx body says, before it is joined with its exchange."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from jobdeck.domain.job import JobKey, Observation
from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.text import clean
from jobdeck.providers.base import Reply
from jobdeck.providers.fault import Fault
from jobdeck.providers.http import Address, HttpLayer
from jobdeck.providers.json_text import read_json, without_lone_surrogates
from jobdeck.providers.problems import not_json
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
        return Reply(answer.exchange, windows=answer.windows, retry_after=answer.retry_after)
    reading = read(answer.body, answer.exchange.http_status or 0)
    exchange = http.finish(answer, reading.fault, reading.ids)
    if reading.fault is not None:
        return Reply(exchange, windows=answer.windows, body=answer.body)
    return Reply(
        exchange,
        reading.observations,
        answer.windows,
        answer.retry_after,
        reading.next_cursor,
        answer.body,
        reading.gap,
    )
