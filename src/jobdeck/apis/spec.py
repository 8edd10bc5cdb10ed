"""What one page says about an API: facts only, no I/O and no reading of answers.

`jobdeck.apis.loader` makes an `ApiSpec` from a page's tables and checks it; ``docs/providers.md`` explains every key.
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
"""Parts of a path that may say where a job is."""

UNKNOWN_LIMIT = 60
"""Requests a minute to begin with where neither the page nor the profile names a limit."""

Paths: TypeAlias = tuple[str, ...]
"""JSONPaths (or ``header:NAME``) tried in turn: the first that finds anything but null counts. Empty: never there."""

_NO_TEXTS: Mapping[str, str] = MappingProxyType({})
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]{0,31})\}")
_HEX = re.compile(r"[0-9A-Fa-f-]+")
_ULID = re.compile(r"(?:[A-Za-z]{1,16}_)?[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{26}")


def placeholders(template: str) -> tuple[str, ...]:
    """Return the names in braces of a text such as ``"Bearer {token}"``."""
    return tuple(_PLACEHOLDER.findall(template))


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return `template` with the values of its names; raises KeyError for one that is missing."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)


class ProgressUnit(StrEnum):
    """How a progress is written: of 1, of 100, as a text such as ``3/4``, or as a count with a total beside it."""

    FRACTION = "fraction"
    PERCENT = "percent"
    RATIO = "ratio"
    COUNT = "count"


class TimeUnit(StrEnum):
    """How times are written. `AUTO` takes RFC 3339 texts, and numbers since the epoch by their size."""

    AUTO = "auto"
    RFC3339 = "rfc3339"
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"


@dataclass(frozen=True, slots=True)
class AuthMethod:
    """One way to authenticate: headers whose templates hold the names of secrets, or a basic user and password.

    `env` names the environment variable that customarily holds each secret.
    """

    headers: Mapping[str, str] = field(default_factory=lambda: _NO_TEXTS)
    basic_user: str = ""
    basic_password: str = ""
    env: Mapping[str, str] = field(default_factory=lambda: _NO_TEXTS)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets it needs, in the order in which they are written."""
        found = [name for template in self.headers.values() for name in placeholders(template)]
        return tuple(dict.fromkeys([*found, *placeholders(self.basic_password)]))


@dataclass(frozen=True, slots=True)
class ProgressPaths:
    """Where a progress is, and its total where it is a count."""

    value: Paths = ()
    total: Paths = ()
    unit: ProgressUnit = ProgressUnit.FRACTION


@dataclass(frozen=True, slots=True)
class FactPaths:
    """A further value to show. A `counted` one shows how often each word occurs among all that the path finds."""

    name: str
    paths: Paths
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Fields:
    """Where in an answer about one job everything is.

    `id_after_last` cuts an ID out of a longer name; without `id_required` an answer that names no job is taken as
    the job's own. `done` is a boolean whose absence means false; `done_needs_result` makes done without error and
    result a problem. `failures` counts the parts that failed, of `failures_total`. `result` may be several named
    paths, which make one object. `attempt` and `started` tell a new run of an ID from the one before.
    """

    id: Paths = ()
    id_after_last: str = ""
    id_required: bool = True
    kind: Paths = ()
    status: Paths = ()
    outcome: Paths = ()
    done: Paths = ()
    done_needs_result: bool = False
    progress: ProgressPaths = ProgressPaths()
    error: Paths = ()
    error_code: Paths = ()
    error_message: Paths = ()
    failures: Paths = ()
    failures_total: Paths = ()
    result: Paths | tuple[tuple[str, Paths], ...] = ()
    request_id: Paths = ()
    trace_id: Paths = ()
    attempt: Paths = ()
    created: Paths = ()
    started: Paths = ()
    updated: Paths = ()
    ended: Paths = ()
    time_unit: TimeUnit = TimeUnit.AUTO
    facts: tuple[FactPaths, ...] = ()


@dataclass(frozen=True, slots=True)
class PartSource:
    """Where a part of a job is that its own answer has not.

    That is below the base URL, with the variables of the job's URL, or at a URL that the answer has at `link`.
    """

    url: UrlTemplate | None = None
    link: Paths = ()
    query: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class StageFields:
    """Which values of an answer (that of `source`, if there is one) are its stages, and where in one everything is.

    Where no `name` is found, a stage is called by its own key in the object that holds it.
    """

    items: Paths = ()
    name: Paths = ()
    status: Paths = ()
    outcome: Paths = ()
    progress: ProgressPaths = ProgressPaths()
    source: PartSource | None = None


@dataclass(frozen=True, slots=True)
class ResultFields:
    """Where a result is that is not in the job's own answer: at `path` in that of `source`."""

    source: PartSource
    path: Paths = ("$",)


@dataclass(frozen=True, slots=True)
class Phases:
    """What statuses mean, compared without case unless `case_sensitive`.

    A status among `outcome` means what the outcome's word means; one among `done` is over: failed if there is an
    error, else succeeded. `other` is what all other words mean, `missing` what no status at all means (unknown: such
    an answer is a problem). `cancelled_codes` are error codes of a job that was cancelled. `by_http_status` is what
    an HTTP status means by itself, such as 202 while a job runs.
    """

    words: Mapping[str, Phase] = field(default_factory=lambda: MappingProxyType({}))
    outcome: frozenset[str] = frozenset()
    done: frozenset[str] = frozenset()
    other: Phase = Phase.UNKNOWN
    missing: Phase = Phase.UNKNOWN
    cancelled_codes: frozenset[str] = frozenset()
    by_http_status: Mapping[int, Phase] = field(default_factory=lambda: MappingProxyType({}))
    case_sensitive: bool = False

    def needs_no_body(self, http_status: int) -> bool:
        """Whether an answer of this status says how a job is without any body.

        An empty 200 says nothing of a success: a proxy may have lost what it had to say.
        """
        phase = self.by_http_status.get(http_status)
        return phase is not None and (phase is not Phase.SUCCEEDED or http_status == 204 or http_status >= 300)

    def in_phases(self, *phases: Phase) -> tuple[str, ...]:
        """Return the words of the given phases, phase by phase, as the page spells them."""
        return tuple(word for phase in phases for word, meant in self.words.items() if meant is phase)


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of job that an API has, and how one is polled.

    `query` may hold the ID instead of `url`. `item` is where in an answer the job is (empty: the answer is the job).
    `interval` is how many seconds to leave between two polls, `young` that a job of this kind may end within
    seconds, and `typical` the seconds that one usually takes (None: unknown until learnt). `accepted_if` are paths
    that an accepted body of this resource has and others have not. `body` is sent with a POST.
    """

    name: str
    url: UrlTemplate
    query: tuple[tuple[str, str], ...] = ()
    dropped_query: frozenset[str] = frozenset()
    method: str = "GET"
    body: str = ""
    item: Paths = ()
    kind: str = ""
    id_pattern: str = ""
    interval: float = 5.0
    young: bool = False
    typical: float | None = None
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
    def place(self) -> tuple[str, ...]:
        """The variables of the URL but the ID: where a job is, and so a part of its identity."""
        return tuple(name for name in self.url.variables if name != ID)

    @property
    def id_parameter(self) -> str | None:
        """The query parameter that holds the ID; None where the path does."""
        return next((name for name, value in self.query if value == f"{{{ID}}}"), None)

    def is_same_id(self, found: str, wanted: str) -> bool:
        """Whether two IDs are the same: GUIDs, hexadecimal IDs and ULIDs may come back in another case."""
        if found == wanted:
            return True
        caseless = _HEX.fullmatch(wanted) or _ULID.fullmatch(wanted)
        return bool(caseless) and found.casefold() == wanted.casefold()

    def scope_of(self, values: Mapping[str, str]) -> str | None:
        """Return the place's values as one text, the account group of a job's key; None where there are none.

        Raises KeyError for one that is missing; the one that stands for any number of parts may be.
        """
        several = self.url.greedy_variable
        found = [values.get(name, "") if name == several else values[name] for name in self.place]
        return "/".join(value for value in found if value) or None

    def parse_scope(self, scope: str | None, known: Mapping[str, str]) -> dict[str, str] | None:
        """Return the variables that such a text stands for, `known` ones filled in where it has fewer parts.

        None when it cannot stand for them: too many parts, too few, or one that is no part of a path.
        """
        parts = scope.split("/") if scope else []
        known = {name: value for name, value in known.items() if all(map(is_piece, value.split("/")))}
        if len(parts) > MAX_PARTS or not all(is_piece(part) for part in parts):
            return None
        several = self.url.greedy_variable
        names = [name for name in self.place if name != several]
        if len(parts) < len(names):
            missing = [name for name in names if name not in known]
            if len(parts) != len(missing):
                return None
            given = {name: known[name] for name in self.place if name in known}
            return {**given, **dict(zip(missing, parts, strict=True))}
        if several is None:
            return dict(zip(names, parts, strict=True)) if len(parts) == len(names) else None
        ahead = self.place.index(several)
        behind = len(names) - ahead
        middle = parts[ahead : len(parts) - behind]
        if not middle and several in known:
            middle = [known[several]]
        ends = parts[:ahead] + parts[len(parts) - behind :]
        return {**dict(zip(names, ends, strict=True)), **({several: "/".join(middle)} if middle else {})}


@dataclass(frozen=True, slots=True)
class ListSpec:
    """How jobs are listed: where, which parameters page and filter, and where rows and cursor are.

    `shows` are the resources whose jobs are rows. `newest_first` and `whole` say what the scheduler may rely on: the
    order, and that rows hold all that a job's own answer holds. `page` is the most rows that one request may ask
    for. A `more` that is false ends the list whatever the cursor says. A list without a cursor may count its pages
    from 1 (`page_parameter`) or its rows from 0 (`offset_parameter`). `live` and `ended` are the statuses that
    `status_parameter` may filter by. With `missing_is_empty` an answer without its list has no rows; otherwise that
    is a problem.
    """

    url: UrlTemplate
    shows: tuple[str, ...]
    items: Paths
    query: tuple[tuple[str, str], ...] = ()
    cursor: Paths = ()
    cursor_parameter: str = ""
    more: Paths = ()
    page_parameter: str = ""
    offset_parameter: str = ""
    limit_parameter: str = ""
    status_parameter: str = ""
    live: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    page: int = 100
    newest_first: bool = False
    whole: bool = False
    missing_is_empty: bool = False

    @property
    def has_pages(self) -> bool:
        """Whether there is a way to a second page."""
        return bool(self.cursor or self.page_parameter or self.offset_parameter)

    def next_counted(self, cursor: str | None, limit: int, rows: int) -> str | None:
        """Return the page or row that a counted list goes on with after a page at `cursor`; None after its last.

        A page with fewer `rows` than the `limit` that was asked for is the last one.
        """
        if rows < (min(limit, self.page) if self.limit_parameter else 1):
            return None
        known = int(cursor) if cursor is not None and cursor.isascii() and cursor.isdigit() else None
        if self.page_parameter:
            return str((1 if known is None else known) + 1)
        return str((known or 0) + rows) if self.offset_parameter else None


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is around every answer. `failed` are values that say that the request failed although HTTP says 200."""

    data: Paths = ()
    error: Paths = ()
    failed: tuple[tuple[str, object], ...] = ()
    request_id: Paths = ()
    trace_id: Paths = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of URLs and headers: its default, and the list of its values where the API has one."""

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
    """How the body that accepts a job names it: by an ID, or by a poll URL. `refuse` are paths with a reason."""

    id: Paths = ()
    url: Paths = ()
    scope: Paths = ()
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
    """An API. `source` says which file or table it comes from, for messages; the first resource is the default one.

    With `automatic_profile` a profile of its name is there as soon as its environment variables are set, without a
    configuration; of several the one with the lowest number is the default. `typical` is how many seconds a job takes
    of which its resource does not say so.
    """

    name: str
    source: str
    title: str
    resources: Mapping[str, Resource]
    base_url: str = ""
    base_url_env: str = ""
    typical: float | None = None
    automatic_profile: int | None = None
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
        """What a bare ID means."""
        return next(iter(self.resources.values()))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of all secrets that a profile of this API may give."""
        return tuple(dict.fromkeys(name for method in self.auth for name in method.secrets))

    @property
    def needs_secret(self) -> bool:
        """Whether a profile cannot do without a secret."""
        return bool(self.auth) and not self.auth_optional

    @property
    def defaults(self) -> dict[str, str]:
        """The variables that have a default, with it."""
        return {name: variable.default for name, variable in self.variables.items() if variable.default}

    def list_showing(self, resource: str) -> ListSpec | None:
        """Return the list whose rows are jobs of a resource; None when there is none."""
        return next((spec for spec in self.lists if resource in spec.shows), None)

    def cancel_of(self, resource: str) -> ActionSpec | None:
        """Return how a job of a resource is cancelled; None where the page does not say."""
        return next((action for action in self.cancel if resource in action.resources), None)
