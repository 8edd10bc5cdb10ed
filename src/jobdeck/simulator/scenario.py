"""Scenarios as frozen data: jobs, rate limits, credentials and faults."""

import json
import math
import random
import re
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from jobdeck.documents import MAX_JSON, MAX_TOML, DocumentError, parse_json, parse_toml
from jobdeck.files import as_utf8, read_regular

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def seeded_random(key: str) -> random.Random:
    """Return a random number generator with the seed `key`."""
    return random.Random(key)  # noqa: S311 - reproducible, no secret


def ulid(key: str) -> str:
    """Return 26 characters of Crockford's base 32 that begin like today's ULIDs."""
    return "01" + "".join(seeded_random(key).choices(_CROCKFORD, k=24))


def object_id(key: str) -> str:
    """Return 24 hexadecimal digits."""
    return f"{seeded_random(key).getrandbits(96):024x}"


def request_id(key: str) -> str:
    """Return a UUID of version 4."""
    return str(uuid.UUID(int=seeded_random(key).getrandbits(128), version=4))


# Rules for reading files into the dataclasses: no unknown keys, no coercion, no NaN.
_FILE_RULES = {"extra": "forbid", "strict": True, "allow_inf_nan": False}
DEFAULT_GROUP = "507f1f77bcf86cd799439011"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.~:-]{0,199}")


class ScenarioError(ValueError):
    """A scenario is invalid; the message names the key and the mistake."""


def check_minimum(name: str, value: float | None, minimum: float) -> None:
    """Raise ScenarioError unless `value` is None or a finite number from `minimum` up."""
    if value is not None and not (math.isfinite(value) and value >= minimum):
        raise ScenarioError(f"{name}: must be at least {minimum:g}, not {value!r}")


def check_positive(name: str, value: float | None) -> None:
    """Raise ScenarioError unless `value` is None or a finite number above 0."""
    if value is not None and not (math.isfinite(value) and value > 0):
        raise ScenarioError(f"{name}: must be above 0, not {value!r}")


def check_fraction(name: str, value: float | None) -> None:
    """Raise ScenarioError unless `value` is None or within 0–1."""
    if value is not None and not 0.0 <= value <= 1.0:
        raise ScenarioError(f"{name}: must be within 0–1, not {value!r}")


class Api(StrEnum):
    """The two simulated APIs."""

    THEHOG = "thehog"
    SONARLY = "sonarly"


class Resource(StrEnum):
    """The endpoint at which a job is polled."""

    OPERATION = "operation"
    ENRICHMENT = "enrichment"
    SEARCH = "search"
    PROSPECTING = "prospecting"


class Outcome(StrEnum):
    """How a job ends. `completed` is Sonarly's name for `succeeded`: either may be written for either API."""

    SUCCEEDED = "succeeded"
    COMPLETED = "completed"
    PARTIAL_SUCCESS = "partial_success"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NEVER = "never"


class ProgressForm(StrEnum):
    """The form in which The Hog reports a job's percentage: an integer, a float, or not at all."""

    INTEGER = "integer"
    FLOAT = "float"
    NONE = "none"


class ResultKind(StrEnum):
    """The built-in results."""

    ENRICHMENT = "enrichment"
    PEOPLE_SEARCH = "people_search"
    COMPANY_SEARCH = "company_search"
    DEEP_RESEARCH = "deep_research"
    CRAWL = "crawl"
    WEB_SEARCH = "web_search"


class PollUrlForm(StrEnum):
    """The form of the poll URL in the body of a 202; `mixed`: it depends on the endpoint."""

    ABSOLUTE = "absolute"
    RELATIVE = "relative"
    MIXED = "mixed"


class ResetForm(StrEnum):
    """The unit of `X-RateLimit-Reset`: seconds from now, epoch seconds, or epoch milliseconds."""

    DELTA = "delta"
    EPOCH_SECONDS = "epoch_s"
    EPOCH_MILLISECONDS = "epoch_ms"


class Algorithm(StrEnum):
    """The way a bucket refills: steadily, or all at once when its window ends."""

    TOKEN_BUCKET = "token_bucket"  # noqa: S105 - not a secret but the name of an algorithm
    FIXED_WINDOW = "fixed_window"


@dataclass(frozen=True, slots=True)
class StageScript:
    """A stage by its `share` of the job's duration (a weight), or by its own `duration` in seconds."""

    __pydantic_config__: ClassVar = _FILE_RULES
    name: str
    share: float | None = None
    duration: float | None = None

    def __post_init__(self) -> None:
        """Check the name and the weight."""
        if not self.name:
            raise ScenarioError("name: must not be empty")
        if self.share is not None and self.duration is not None:
            raise ScenarioError("duration: give share or duration, not both")
        check_positive("share", self.share)
        check_positive("duration", self.duration)

    @property
    def weight(self) -> float:
        """The stage's part of the work, relative to its neighbours."""
        return self.duration or self.share or 1.0


@dataclass(frozen=True, slots=True)
class Stall:
    """A stop of the work at the fraction `at` of its duration, for `seconds`; None: for good."""

    __pydantic_config__: ClassVar = _FILE_RULES
    at: float
    seconds: float | None = None

    def __post_init__(self) -> None:
        """Check the fraction and the seconds."""
        check_fraction("at", self.at)
        check_minimum("seconds", self.seconds, 0)


@dataclass(frozen=True, slots=True)
class JobFailure:
    """The job's own error. `details` is any JSON; searches give `retryable` instead of a code."""

    __pydantic_config__: ClassVar = _FILE_RULES
    code: str = "INTERNAL_ERROR"
    message: str = "The job could not be completed."
    details: object = None
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class JobScript:
    """The life of one job. Times are in simulated seconds."""

    __pydantic_config__: ClassVar = _FILE_RULES
    api: Api = Api.THEHOG
    resource: Resource = Resource.OPERATION
    # Empty: derived from the scenario's seed.
    id: str = ""
    account_group: str = DEFAULT_GROUP
    # Since the start of the simulation, possibly negative; the job cannot be found before.
    arrival: float = 0.0
    queued_for: float = 0.0
    # Of the work; None: the sum of the stages' durations, or 30.
    duration: float | None = None
    # Between two updates of its progress.
    update_every: float = 1.0
    stages: tuple[StageScript, ...] = ()
    outcome: Outcome = Outcome.SUCCEEDED
    # The fraction of the work at which it ends; None: 1, or 0.76 if it fails or is cancelled.
    stops_at: float | None = None
    error: JobFailure | None = None
    # Any JSON; None: the built-in result of `result_kind`.
    result: object = None
    result_kind: ResultKind | None = None
    progress: ProgressForm = ProgressForm.INTEGER
    stall: Stall | None = None
    # After the arrival; from then on the job cannot be found.
    lost_after: float | None = None
    query: str = "platform engineering leaders"
    search_type: str = "web_search"

    def __post_init__(self) -> None:
        """Check that the API can have such a job."""
        if self.id and not _ID.fullmatch(self.id):
            raise ScenarioError(f"id: {self.id!r} is not an ID")
        if (self.resource is Resource.PROSPECTING) != (self.api is Api.SONARLY):
            raise ScenarioError(f"resource: {self.api} has no {self.resource}")
        self._check_outcome()
        check_minimum("queued_for", self.queued_for, 0)
        check_positive("duration", self.duration)
        check_positive("update_every", self.update_every)
        check_minimum("lost_after", self.lost_after, 0)
        check_fraction("stops_at", self.stops_at)
        timed = sum(stage.duration is not None for stage in self.stages)
        if timed and timed != len(self.stages):
            raise ScenarioError("stages: give every stage a duration, or none")
        if timed and self.duration is not None:
            raise ScenarioError("duration: the stages have durations already")

    def _check_outcome(self) -> None:
        partial = self.outcome is Outcome.PARTIAL_SUCCESS
        cancelled = self.outcome is Outcome.CANCELLED
        if (self.api is Api.SONARLY and partial) or (self.resource is Resource.SEARCH and (partial or cancelled)):
            raise ScenarioError(f"outcome: a {self.resource} never ends as {self.outcome}")

    @property
    def run_seconds(self) -> float:
        """The duration of the work without a stall."""
        if self.duration is not None:
            return self.duration
        return sum(stage.duration or 0.0 for stage in self.stages) or 30.0

    @property
    def done_at_end(self) -> float:
        """The fraction of the work that is done when the job ends."""
        if self.stops_at is not None:
            return self.stops_at
        return 0.76 if self.outcome in {Outcome.FAILED, Outcome.CANCELLED} else 1.0


class FaultKind(StrEnum):
    """The kinds of faults, with the fields of `Fault` that they use."""

    STATUS = "status"
    """Answer `status`, in the API's documented error shape from 400 on; `text` is the message."""
    REDIRECT = "redirect"
    """Answer `status` (307 when left out) with `text` as the Location."""
    DELAY = "delay"
    """Send the correct answer `seconds` late. Delays add up, and apply together with one other fault."""
    DRIP = "drip"
    """Send the correct answer, one byte every `seconds`."""
    RESET_BEFORE = "reset_before"
    """Reset the connection before the first byte of the answer."""
    RESET_MIDDLE = "reset_middle"
    """Reset the connection in the middle of the body."""
    TRUNCATED = "truncated"
    """Send only the first half of the JSON, with a matching Content-Length."""
    HTML = "html"
    """Send an HTML page in place of JSON."""
    NOT_UTF8 = "not_utf8"
    """Send bytes that are not UTF-8 within the JSON."""
    EMPTY = "empty"
    """Send no body."""
    WRONG_ID = "wrong_id"
    """Send the answer with the ID `text`, or with an ID that does not exist."""
    NAN = "nan"
    """Send NaN where a number belongs."""
    HUGE = "huge"
    """Send a JSON body of `size` bytes."""
    BOMB = "bomb"
    """Send a small gzip body that inflates to `size` bytes."""
    STATUS_WORD = "status_word"
    """Send `text` as the job's status."""


class Endpoint(StrEnum):
    """The kind of endpoint that a request goes to."""

    POLL = "poll"
    LIST = "list"
    START = "start"
    CANCEL = "cancel"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of some requests.

    A request gets all delays that apply, and the first of the other faults.
    """

    __pydantic_config__: ClassVar = _FILE_RULES
    kind: FaultKind
    # The requests it applies to; None: all.
    api: Api | None = None
    endpoint: Endpoint | None = None
    job: str | None = None
    # In simulated seconds; `end` None: for good.
    start: float = 0.0
    end: float | None = None
    # Most times that it applies.
    count: int | None = None
    probability: float = 1.0
    status: int | None = None
    # Real seconds.
    seconds: float = 1.0
    text: str = ""
    size: int = 16 * 2**20
    # The Retry-After header of a `status` fault.
    retry_after: str | None = None

    def __post_init__(self) -> None:
        """Check the ranges of numbers, and the status."""
        check_minimum("seconds", self.seconds, 0)
        check_minimum("count", self.count, 0)
        check_minimum("size", self.size, 0)
        check_minimum("end", self.end, self.start)
        check_fraction("probability", self.probability)
        if self.kind is FaultKind.STATUS and self.status is None:
            raise ScenarioError("status: a status fault needs one")
        if self.status is not None and not 200 <= self.status <= 599:
            raise ScenarioError(f"status: must be within 200–599, not {self.status}")
        if self.kind is FaultKind.REDIRECT and self.status is not None and not 300 <= self.status <= 399:
            raise ScenarioError(f"status: a redirect is within 300–399, not {self.status}")

    @property
    def refuses(self) -> bool:
        """Whether the request is refused before it has any effect."""
        refused = self.kind is FaultKind.STATUS and (self.status or 0) >= 400
        return refused or self.kind in {FaultKind.REDIRECT, FaultKind.RESET_BEFORE}


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One bucket of an organization: `limit` requests in `window` real seconds, at most `burst` at once."""

    __pydantic_config__: ClassVar = _FILE_RULES
    api: Api
    limit: int
    # `general`, `polling` or `list`; an endpoint without a bucket of its own uses `general`.
    bucket: str = "general"
    window: float = 60.0
    burst: int | None = None
    algorithm: Algorithm = Algorithm.TOKEN_BUCKET
    # Requests a minute of the organization's other clients.
    others: float = 0.0
    # Whether responses report the bucket.
    headers: bool = True
    # Appended to the headers' names (`-poll`).
    suffix: str = ""
    reset: ResetForm = ResetForm.DELTA
    # Whether Retry-After is an HTTP date.
    retry_after_date: bool = False

    def __post_init__(self) -> None:
        """Check that requests can pass, and the bucket's name."""
        check_minimum("limit", self.limit, 1)
        check_minimum("burst", self.burst, 1)
        check_minimum("others", self.others, 0)
        check_positive("window", self.window)
        if self.bucket not in {"general", "polling", "list"}:
            raise ScenarioError(f"bucket: {self.bucket!r} is none of general, polling, list")


@dataclass(frozen=True, slots=True)
class Credentials:
    """One accepted set of credentials: a token, or (The Hog) an access key with its secret key."""

    __pydantic_config__: ClassVar = _FILE_RULES
    api: Api
    token: str | None = field(default=None, repr=False)
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AccountGroup:
    """An account group that Sonarly's keys can see."""

    __pydantic_config__: ClassVar = _FILE_RULES
    id: str = DEFAULT_GROUP
    name: str = "Northwind Robotics"


DEFAULT_LIMITS = (
    RateLimit(Api.THEHOG, 600),
    RateLimit(Api.THEHOG, 300, bucket="polling"),
    RateLimit(Api.SONARLY, 60),
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole simulation. A scenario gives the same answers to the same requests at the same times."""

    __pydantic_config__: ClassVar = _FILE_RULES
    seed: int = 1
    # Simulated seconds in a real one: a job of 60 s at speed 10 takes 6 s by a client's clock.
    speed: float = 1.0
    jobs: tuple[JobScript, ...] = ()
    faults: tuple[Fault, ...] = ()
    # Each replaces the documented limit of its bucket.
    limits: tuple[RateLimit, ...] = ()
    # An API without any accepts all credentials that are not empty.
    credentials: tuple[Credentials, ...] = ()
    account_groups: tuple[AccountGroup, ...] = ()
    poll_urls: PollUrlForm = PollUrlForm.MIXED

    def __post_init__(self) -> None:
        """Fill in missing IDs and groups; check that the IDs of jobs and the buckets of limits are unique."""
        check_positive("speed", self.speed)
        jobs = tuple(job if job.id else replace(job, id=_draw_id(self.seed, n, job)) for n, job in enumerate(self.jobs))
        _unique("jobs", [job.id for job in jobs])
        _unique("limits", [f"{limit.api} {limit.bucket}" for limit in self.limits])
        named = {group.id for group in self.account_groups}
        used = {job.account_group: None for job in jobs if job.api is Api.SONARLY} or {DEFAULT_GROUP: None}
        groups = tuple(AccountGroup(id=group, name=f"Account {group[-4:]}") for group in used if group not in named)
        object.__setattr__(self, "jobs", jobs)
        object.__setattr__(self, "account_groups", self.account_groups + groups)


def _draw_id(seed: int, number: int, job: JobScript) -> str:
    key = f"{seed}/job/{number}"
    return object_id(key) if job.api is Api.SONARLY else f"op_{ulid(key)}"


def _unique(name: str, keys: list[str]) -> None:
    for key, times in Counter(keys).items():
        if times > 1:
            raise ScenarioError(f"{name}: {key!r} is there more than once")


_MAX_PROBLEMS = 20
"""Most problems of a file in one error message."""


def load_scenario(path: Path | str) -> Scenario:
    """Read a scenario from a `.toml` or `.json` file.

    Raises ScenarioError, which names the file and every key that is unknown or has a bad value; OSError if the file
    cannot be read.
    """
    path = Path(path)
    try:
        match path.suffix.lower():
            case ".toml":
                data: object = parse_toml(as_utf8(read_regular(path, MAX_TOML)).decode())
            case ".json":
                data = parse_json(as_utf8(read_regular(path, MAX_JSON)))
            case other:
                raise ScenarioError(
                    f"{path}: a scenario is a .toml or .json file, not {other or 'one without a suffix'}"
                )
    except (UnicodeDecodeError, DocumentError) as error:
        raise ScenarioError(f"{path}: {error}") from error
    return read_scenario(data, name=str(path))


def read_scenario(data: object, name: str = "scenario") -> Scenario:
    """Read a scenario from plain data (dicts, lists, strings, numbers); raises ScenarioError like `load_scenario`."""
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - slower than the server's start, and for files only

    try:
        # As JSON, for which pydantic's strict mode still accepts arrays as tuples and strings as enumerations.
        return TypeAdapter(Scenario).validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        texts = [_problem_text(problem["loc"], problem["type"], problem["msg"]) for problem in problems[:_MAX_PROBLEMS]]
        more = f"; and {len(problems) - _MAX_PROBLEMS} more" if len(problems) > _MAX_PROBLEMS else ""
        raise ScenarioError(f"{name}: " + "; ".join(texts) + more) from error


def _problem_text(location: Sequence[int | str], kind: str, message: str) -> str:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part[:80]}" for part in location).lstrip(".")
    match kind:
        case "unexpected_keyword_argument":
            return f"{where}: unknown key"
        case "value_error":
            # The dataclass's own message begins with the key's name.
            own = message.removeprefix("Value error, ")
            return f"{where}.{own}" if where else own
        case "missing":
            return f"{where}: missing"
        case _:
            return f"{where}: {message[:1].lower()}{message[1:]}" if where else message
