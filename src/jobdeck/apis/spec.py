"""The definition of an API as data: no I/O, no parsing of answers.

`jobdeck.apis.loader` makes an `ApiSpec` from the tables of a file and checks it; ``docs/providers.md`` explains every
key.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from jobdeck.apis.url_template import ID, UrlTemplate, is_piece
from jobdeck.domain.job import Part
from jobdeck.domain.phase import Phase
from jobdeck.http.throttling import RateLimitWords

MAX_PARTS = 64
"""Most path segments in an account group."""

UNKNOWN_LIMIT = 60
"""Requests a minute to begin with if neither the definition nor the profile has a limit."""

Paths: TypeAlias = tuple[str, ...]
"""JSONPaths (or ``header:NAME``), tried in turn: the first value other than null counts. Empty: there is no value."""

_NO_TEXTS: Mapping[str, str] = MappingProxyType({})
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]{0,31})\}")
_HEX = re.compile(r"[0-9A-Fa-f-]+")
_ULID = re.compile(r"(?:[A-Za-z]{1,16}_)?[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{26}")


def placeholders(template: str) -> tuple[str, ...]:
    """Return the names in braces of a text such as ``"Bearer {token}"``."""
    return tuple(_PLACEHOLDER.findall(template))


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return `template` with the values of its names; raises KeyError if one is missing."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)


class ProgressUnit(StrEnum):
    """The notation of a progress: of 1, of 100, a text such as ``3/4``, or a count with a separate total."""

    FRACTION = "fraction"
    PERCENT = "percent"
    RATIO = "ratio"
    COUNT = "count"


class TimeUnit(StrEnum):
    """The notation of times; `AUTO` accepts RFC 3339, and numbers since the epoch with a unit by their size."""

    AUTO = "auto"
    RFC3339 = "rfc3339"
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"


@dataclass(frozen=True, slots=True)
class AuthMethod:
    """One way to authenticate: headers whose templates contain the names of secrets, or a basic user and password."""

    headers: Mapping[str, str] = field(default_factory=lambda: _NO_TEXTS)
    basic_user: str = ""
    basic_password: str = ""
    # The environment variable that customarily holds each secret.
    env: Mapping[str, str] = field(default_factory=lambda: _NO_TEXTS)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets it needs, in order of appearance."""
        found = [name for template in self.headers.values() for name in placeholders(template)]
        return tuple(dict.fromkeys([*found, *placeholders(self.basic_password)]))


@dataclass(frozen=True, slots=True)
class ProgressPaths:
    """The paths of a progress, and of its total if it is a count."""

    value: Paths = ()
    total: Paths = ()
    unit: ProgressUnit = ProgressUnit.FRACTION


@dataclass(frozen=True, slots=True)
class FactPaths:
    """An additional value to show; if `counted`, how often each word occurs among the values at the paths."""

    name: str
    paths: Paths
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Fields:
    """The paths of the fields in an answer about one job."""

    id: Paths = ()
    # Only the text after the last occurrence of this one is the ID.
    id_after_last: str = ""
    # False: an answer that names no job counts as that of the requested job.
    id_required: bool = True
    kind: Paths = ()
    status: Paths = ()
    # The word that counts if the status is among `Phases.outcome`.
    outcome: Paths = ()
    # A boolean; false if missing.
    done: Paths = ()
    # Whether a job that is done must have an error or a result.
    done_needs_result: bool = False
    progress: ProgressPaths = ProgressPaths()
    error: Paths = ()
    error_code: Paths = ()
    error_message: Paths = ()
    # The number of failed parts of a job, and of all parts.
    failures: Paths = ()
    failures_total: Paths = ()
    # Several named paths make one object.
    result: Paths | tuple[tuple[str, Paths], ...] = ()
    request_id: Paths = ()
    trace_id: Paths = ()
    # `attempt` and `started` distinguish the runs of an ID.
    attempt: Paths = ()
    created: Paths = ()
    started: Paths = ()
    updated: Paths = ()
    ended: Paths = ()
    time_unit: TimeUnit = TimeUnit.AUTO
    facts: tuple[FactPaths, ...] = ()


@dataclass(frozen=True, slots=True)
class PartSource:
    """The location of a part that the job's own answer lacks: either `url` or `link`."""

    # Below the base URL, with the variables of the job's URL.
    url: UrlTemplate | None = None
    # Paths of the part's URL in the job's answer.
    link: Paths = ()
    query: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class StageFields:
    """The paths of the stages in an answer, and of the fields in a stage."""

    items: Paths = ()
    # Without a name, a stage is called by its key in its container.
    name: Paths = ()
    status: Paths = ()
    outcome: Paths = ()
    progress: ProgressPaths = ProgressPaths()
    # Set if the stages are not in the job's own answer.
    source: PartSource | None = None


@dataclass(frozen=True, slots=True)
class ResultFields:
    """The location of a result that is not in the job's own answer: at `path` in the answer of `source`."""

    source: PartSource
    path: Paths = ("$",)


@dataclass(frozen=True, slots=True)
class Phases:
    """The meaning of statuses."""

    words: Mapping[str, Phase] = field(default_factory=lambda: MappingProxyType({}))
    # Statuses of jobs that have ended, where the word at `Fields.outcome` has the phase.
    outcome: frozenset[str] = frozenset()
    # Statuses of jobs that have ended: failed if there is an error, else succeeded.
    done: frozenset[str] = frozenset()
    # The phase of all other statuses.
    other: Phase = Phase.UNKNOWN
    # The phase of an answer without a status; UNKNOWN: such an answer is a problem.
    missing: Phase = Phase.UNKNOWN
    # Error codes of cancelled jobs.
    cancelled_codes: frozenset[str] = frozenset()
    # The meaning of an HTTP status by itself, such as 202 while a job runs.
    by_http_status: Mapping[int, Phase] = field(default_factory=lambda: MappingProxyType({}))
    # Whether statuses are compared with case.
    case_sensitive: bool = False

    def needs_no_body(self, http_status: int) -> bool:
        """Whether an answer with this HTTP status shows the state of a job without a body.

        An empty 200 shows no success: a proxy may have lost the body.
        """
        phase = self.by_http_status.get(http_status)
        return phase is not None and (phase is not Phase.SUCCEEDED or http_status == 204 or http_status >= 300)

    def in_phases(self, *phases: Phase) -> tuple[str, ...]:
        """Return the words of the given phases, phase by phase, as the definition spells them."""
        return tuple(word for phase in phases for word, meant in self.words.items() if meant is phase)


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of job of an API, and how such jobs are polled."""

    name: str
    url: UrlTemplate
    # It may contain the ID if `url` does not.
    query: tuple[tuple[str, str], ...] = ()
    # Parameters of pasted poll URLs that are ignored.
    dropped_query: frozenset[str] = frozenset()
    method: str = "GET"
    # Sent with a POST.
    body: str = ""
    # Paths of the job in an answer; empty: the answer is the job.
    item: Paths = ()
    kind: str = ""
    id_pattern: str = ""
    # Seconds between two polls.
    interval: float = 5.0
    # Whether jobs may end within seconds, so that young ones are polled sooner.
    young: bool = False
    # Seconds that a job usually takes; None: unknown until learnt.
    typical: float | None = None
    # Paths that only accepted bodies of this resource have.
    accepted_if: Paths = ()
    fields: Fields = Fields()
    stages: StageFields = StageFields()
    result: ResultFields | None = None

    @property
    def parts(self) -> dict[Part, PartSource]:
        """The parts of a job that have a URL of their own."""
        found = {Part.STAGES: self.stages.source, Part.RESULT: self.result.source if self.result else None}
        return {part: source for part, source in found.items() if source is not None}

    @property
    def group_variables(self) -> tuple[str, ...]:
        """The variables of the URL other than the ID; their values make the account group, a part of a job's key."""
        return tuple(name for name in self.url.variables if name != ID)

    @property
    def id_parameter(self) -> str | None:
        """The query parameter that holds the ID; None if the path holds it."""
        return next((name for name, value in self.query if value == f"{{{ID}}}"), None)

    def is_same_id(self, found: str, wanted: str) -> bool:
        """Whether two IDs are the same; GUIDs, hexadecimal IDs and ULIDs may differ in case."""
        if found == wanted:
            return True
        caseless = _HEX.fullmatch(wanted) or _ULID.fullmatch(wanted)
        return bool(caseless) and found.casefold() == wanted.casefold()

    def account_group_of(self, values: Mapping[str, str]) -> str | None:
        """Return the values of `group_variables` joined by slashes: a job's account group; None if there are none.

        Raises KeyError if a value is missing, except that of the greedy variable.
        """
        greedy = self.url.greedy_variable
        found = [values.get(name, "") if name == greedy else values[name] for name in self.group_variables]
        return "/".join(value for value in found if value) or None

    def parse_account_group(self, account_group: str | None, defaults: Mapping[str, str]) -> dict[str, str] | None:
        """Return the values of `group_variables` in an account group; `defaults` fill in those that it lacks.

        None if it does not fit: too many segments, too few, or one that is no segment of a path.
        """
        parts = account_group.split("/") if account_group else []
        defaults = {name: value for name, value in defaults.items() if all(map(is_piece, value.split("/")))}
        if len(parts) > MAX_PARTS or not all(is_piece(part) for part in parts):
            return None
        greedy = self.url.greedy_variable
        names = [name for name in self.group_variables if name != greedy]
        if len(parts) < len(names):
            missing = [name for name in names if name not in defaults]
            if len(parts) != len(missing):
                return None
            given = {name: defaults[name] for name in self.group_variables if name in defaults}
            return {**given, **dict(zip(missing, parts, strict=True))}
        if greedy is None:
            return dict(zip(names, parts, strict=True)) if len(parts) == len(names) else None
        before = self.group_variables.index(greedy)
        after = len(names) - before
        middle = parts[before : len(parts) - after]
        if not middle and greedy in defaults:
            middle = [defaults[greedy]]
        ends = parts[:before] + parts[len(parts) - after :]
        return {**dict(zip(names, ends, strict=True)), **({greedy: "/".join(middle)} if middle else {})}


@dataclass(frozen=True, slots=True)
class ListSpec:
    """A list of jobs."""

    url: UrlTemplate
    # The resources whose jobs are its rows.
    shows: tuple[str, ...]
    items: Paths
    query: tuple[tuple[str, str], ...] = ()
    cursor: Paths = ()
    cursor_parameter: str = ""
    # A boolean; false ends the list whatever the cursor is.
    more: Paths = ()
    # For a list without a cursor: it counts its pages from 1, or its rows from 0.
    page_parameter: str = ""
    offset_parameter: str = ""
    limit_parameter: str = ""
    status_parameter: str = ""
    # Statuses that `status_parameter` may filter by: of jobs that go on, and of jobs that have ended.
    live: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    # Most rows of a page.
    page: int = 100
    # Whether the scheduler may rely on this order.
    newest_first: bool = False
    # Whether rows have all fields of the jobs' own answers.
    whole: bool = False
    # Whether an answer without the list counts as empty; else it is a problem.
    missing_is_empty: bool = False

    @property
    def has_pages(self) -> bool:
        """Whether a second page can be requested."""
        return bool(self.cursor or self.page_parameter or self.offset_parameter)

    def next_counted(self, cursor: str | None, limit: int, rows: int) -> str | None:
        """Return the cursor after a page at `cursor`, for a list that counts pages or rows; None after the last page.

        A page with fewer `rows` than the requested `limit` is the last one.
        """
        if rows < (min(limit, self.page) if self.limit_parameter else 1):
            return None
        current = int(cursor) if cursor is not None and cursor.isascii() and cursor.isdigit() else None
        if self.page_parameter:
            return str((1 if current is None else current) + 1)
        return str((current or 0) + rows) if self.offset_parameter else None


@dataclass(frozen=True, slots=True)
class Envelope:
    """The object around the data of every answer."""

    data: Paths = ()
    error: Paths = ()
    # Paths and the values that mean a failure of the request, whatever the HTTP status.
    failed: tuple[tuple[str, object], ...] = ()
    request_id: Paths = ()
    trace_id: Paths = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of URLs and headers: its default, and the list of its values if the API has one."""

    default: str = ""
    url: UrlTemplate | None = None
    items: Paths = ()
    value: Paths = ()
    cursor: Paths = ()
    cursor_parameter: str = ""
    more: Paths = ()
    limit_parameter: str = ""
    page: int = 100


@dataclass(frozen=True, slots=True)
class Accepted:
    """How the body that accepts a job names it."""

    id: Paths = ()
    # The poll URL.
    url: Paths = ()
    account_group: Paths = ()
    # Paths that only bodies without a job to watch have, each with the reason to show.
    refuse: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """A request that acts on jobs of some `resources`, such as cancelling one, and the phases in which it is sent."""

    url: UrlTemplate
    resources: tuple[str, ...]
    method: str = "POST"
    body: str = ""
    phases: tuple[Phase, ...] = (Phase.QUEUED, Phase.RUNNING)


@dataclass(frozen=True, slots=True)
class ApiSpec:
    """An API."""

    name: str
    # The file or table it comes from, for messages.
    source: str
    title: str
    # The first one is the default.
    resources: Mapping[str, Resource]
    base_url: str = ""
    base_url_env: str = ""
    # Seconds that a job takes, for resources that do not say.
    typical: float | None = None
    requests_per_minute: int | None = None
    request_id_headers: tuple[str, ...] = ("x-request-id",)
    trace_id_headers: tuple[str, ...] = ("x-trace-id",)
    headers: Mapping[str, str] = field(default_factory=lambda: _NO_TEXTS)
    forbidden_may_be_rate_limit: bool = False
    rate_limit: RateLimitWords = field(default_factory=RateLimitWords)
    auth: tuple[AuthMethod, ...] = ()
    auth_optional: bool = False
    envelope: Envelope = Envelope()
    variables: Mapping[str, Variable] = field(default_factory=lambda: MappingProxyType({}))
    phases: Phases = Phases()
    lists: tuple[ListSpec, ...] = ()
    accepted: Accepted = Accepted()
    cancel: tuple[ActionSpec, ...] = ()
    explain: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def default_resource(self) -> Resource:
        """The resource of a bare ID."""
        return next(iter(self.resources.values()))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of all secrets that a profile of this API may have."""
        return tuple(dict.fromkeys(name for method in self.auth for name in method.secrets))

    @property
    def needs_secret(self) -> bool:
        """Whether a profile requires a secret."""
        return bool(self.auth) and not self.auth_optional

    @property
    def defaults(self) -> dict[str, str]:
        """The default values of variables."""
        return {name: variable.default for name, variable in self.variables.items() if variable.default}

    def list_showing(self, resource: str) -> ListSpec | None:
        """Return the list that shows jobs of a resource; None if there is none."""
        return next((spec for spec in self.lists if resource in spec.shows), None)

    def cancel_of(self, resource: str) -> ActionSpec | None:
        """Return the action that cancels jobs of a resource; None if there is none."""
        return next((action for action in self.cancel if resource in action.resources), None)
