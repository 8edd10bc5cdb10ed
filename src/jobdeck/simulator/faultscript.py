"""A fault that the simulator plays on purpose, as a fact."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from jobdeck.simulator.vocabulary import FILE_RULES, Api, ScenarioError, at_least, fraction


class FaultKind(StrEnum):
    """What goes wrong. Each says which fields of the fault it reads."""

    STATUS = "status"
    """Answer `status`, in the API's documented error shape from 400 on; `text` is the message."""
    REDIRECT = "redirect"
    """Answer `status` (307 when left out) with `text` as the Location."""
    DELAY = "delay"
    """Answer rightly, `seconds` late. Delays add up and go along with one other fault."""
    DRIP = "drip"
    """Answer rightly, one byte every `seconds`."""
    RESET_BEFORE = "reset_before"
    """Reset the connection before a byte of the answer."""
    RESET_MIDDLE = "reset_middle"
    """Reset the connection in the middle of the body."""
    TRUNCATED = "truncated"
    """Send the first half of the JSON as though it were the whole."""
    HTML = "html"
    """Send an HTML page with the right status."""
    NOT_UTF8 = "not_utf8"
    """Send bytes that are not UTF-8 within the JSON."""
    EMPTY = "empty"
    """Send no body."""
    WRONG_ID = "wrong_id"
    """Answer for the job `text`, or for one that does not exist."""
    NAN = "nan"
    """Send NaN where a number belongs."""
    HUGE = "huge"
    """Send a JSON body of `size` bytes."""
    BOMB = "bomb"
    """Send a small gzip body that inflates to `size` bytes."""
    STATUS_WORD = "status_word"
    """Put `text` where the job's status belongs."""


class Endpoint(StrEnum):
    """What sort of endpoint a request asks for."""

    POLL = "poll"
    LIST = "list"
    START = "start"
    CANCEL = "cancel"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong for requests of `api`, `endpoint` and `job` (each: all, when left out).

    It strikes from `start` until `end` in simulated seconds (left out: for good), at most `count` times, each
    time with `probability`. `retry_after` is that header of a `status` fault, word for word. `seconds` are real.
    The first fault that strikes is played, after every delay that strikes.
    """

    __pydantic_config__: ClassVar = FILE_RULES
    kind: FaultKind
    api: Api | None = None
    endpoint: Endpoint | None = None
    job: str | None = None
    start: float = 0.0
    end: float | None = None
    count: int | None = None
    probability: float = 1.0
    status: int | None = None
    seconds: float = 1.0
    text: str = ""
    size: int = 16 * 2**20
    retry_after: str | None = None

    def __post_init__(self) -> None:
        """Refuse numbers outside their range, and a status where none can be sent."""
        at_least("seconds", self.seconds, 0)
        at_least("count", self.count, 0)
        at_least("size", self.size, 0)
        at_least("end", self.end, self.start)
        fraction("probability", self.probability)
        if self.kind is FaultKind.STATUS and self.status is None:
            raise ScenarioError("status: a status fault needs one")
        if self.status is not None and not 200 <= self.status <= 599:
            raise ScenarioError(f"status: must be within 200–599, not {self.status}")
        if self.kind is FaultKind.REDIRECT and self.status is not None and not 300 <= self.status <= 399:
            raise ScenarioError(f"status: a redirect is within 300–399, not {self.status}")

    @property
    def turns_away(self) -> bool:
        """Whether the request is refused before anything is done for it."""
        refused = self.kind is FaultKind.STATUS and (self.status or 0) >= 400
        return refused or self.kind in {FaultKind.REDIRECT, FaultKind.RESET_BEFORE}
