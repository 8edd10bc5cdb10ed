"""An API described without code: where in its answers what is, and what its words mean. Facts only.

`jobdeck.providers.described` makes these from tables and reads answers by them; every other part that meets a
described API (profiles, targets, the configuration) needs no more of it than this. ``docs/providers.md`` explains
every key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from jobdeck.domain.phase import Phase
from jobdeck.providers.throttling import RateLimitWords
from jobdeck.providers.url_template import ID, UrlTemplate, is_piece

MAX_PARTS = 64
"""Parts of the path that may say where a job is."""

Paths: TypeAlias = tuple[str, ...]
"""JSONPaths that are tried in turn: the first that finds anything but null counts. None at all: not in the answers."""


class ProgressUnit(StrEnum):
    """In what a progress is told: of 1, of 100, as a text such as ``3/4``, or of a total beside it."""

    FRACTION = "fraction"
    PERCENT = "percent"
    RATIO = "ratio"
    COUNT = "count"


class TimeUnit(StrEnum):
    """How moments are written: as RFC 3339, or as a number since the epoch."""

    RFC3339 = "rfc3339"
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"


class AuthScheme(StrEnum):
    """How a profile's token is sent."""

    BEARER = "bearer"
    HEADER = "header"
    BASIC = "basic"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Auth:
    """How a profile's token is sent: `header` and `prefix` are those of a header, `user` (a template) is basic's.

    With `optional`, a profile without a token asks without one.
    """

    scheme: AuthScheme = AuthScheme.BEARER
    header: str = "Authorization"
    prefix: str = ""
    user: str = ""
    optional: bool = False

    @property
    def needed(self) -> bool:
        """Whether a profile cannot do without a token."""
        return self.scheme is not AuthScheme.NONE and not self.optional


@dataclass(frozen=True, slots=True)
class ProgressPaths:
    """Where a progress is, and its total where it is a count."""

    value: Paths = ()
    total: Paths = ()
    unit: ProgressUnit = ProgressUnit.FRACTION


@dataclass(frozen=True, slots=True)
class Fields:
    """Where in an answer about one job what is.

    `id_after_last` cuts an ID out of a longer name; `id_required` says that an answer without one is no answer.
    `done` is a boolean, which absent means false; `done_needs_result` says that done without error and result is
    neither a success nor a failure. `failures` are how many parts of it failed. `created`, `started` and `attempt` tell
    the runs of an ID that is used again apart. `facts` are further scalars by name.
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
    result: Paths = ()
    request_id: Paths = ()
    trace_id: Paths = ()
    created: Paths = ()
    updated: Paths = ()
    ended: Paths = ()
    started: Paths = ()
    attempt: Paths = ()
    time_unit: TimeUnit = TimeUnit.RFC3339
    facts: tuple[tuple[str, Paths], ...] = ()


@dataclass(frozen=True, slots=True)
class StageFields:
    """Which values of an answer are its stages, and where in one of them what is.

    No `name`: a stage is called by its own key in the object that holds it.
    """

    items: Paths = ()
    name: Paths = ()
    status: Paths = ()
    outcome: Paths = ()
    progress: ProgressPaths = ProgressPaths()


@dataclass(frozen=True, slots=True)
class Phases:
    """What statuses mean. A status among `outcome` means what the outcome's word means; `other` are all the rest.

    A status among `done` says that it is over: a failure if there is an error, else a success. `missing` is what no
    status at all means (unknown: such an answer is none). `cancelled_codes` are the error codes of a job that was
    cancelled.
    """

    words: Mapping[str, Phase] = field(default_factory=lambda: MappingProxyType({}))
    outcome: frozenset[str] = frozenset()
    done: frozenset[str] = frozenset()
    other: Phase = Phase.UNKNOWN
    missing: Phase = Phase.UNKNOWN
    cancelled_codes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class JobList:
    """How jobs are listed: where, which parameters page and filter, and where in the answer rows and cursor are.

    `newest_first` and `whole` say what the scheduler may rely on: the order, and that rows tell all that a job's
    own answer tells. `page` is the most rows that one request may ask for. A list without a cursor may count its pages
    from 1 (`page_parameter`), or its rows from 0 (`offset_parameter`).
    """

    url: UrlTemplate
    items: Paths
    query: tuple[tuple[str, str], ...] = ()
    cursor: Paths = ()
    cursor_parameter: str | None = None
    page_parameter: str | None = None
    offset_parameter: str | None = None
    limit_parameter: str | None = None
    status_parameter: str | None = None
    page: int = 100
    newest_first: bool = False
    whole: bool = False

    @property
    def goes_on(self) -> bool:
        """Whether there is a way to a second page."""
        return bool(self.cursor or self.page_parameter or self.offset_parameter)

    def following(self, cursor: str | None, limit: int, rows: int) -> str | None:
        """Return the page or row that a counted list goes on with after a page at `cursor`; None after its last.

        A page that has fewer `rows` than the `limit` that it was asked with is the last one.
        """
        if rows < (min(limit, self.page) if self.limit_parameter is not None else 1):
            return None
        known = int(cursor) if cursor is not None and cursor.isascii() and cursor.isdigit() else None
        if self.page_parameter is not None:
            return str((1 if known is None else known) + 1)
        return str((known or 0) + rows) if self.offset_parameter is not None else None


@dataclass(frozen=True, slots=True)
class Description:
    """A described API. `source` says where it is described, for messages.

    `item` is where in an answer its job is (empty: the answer is the job); `query` may hold the ID instead of `url`.
    `typical` is how many seconds a job usually takes, None where that cannot be said.
    """

    name: str
    source: str
    url: UrlTemplate
    title: str
    base_url: str | None = None
    query: tuple[tuple[str, str], ...] = ()
    dropped_query: frozenset[str] = frozenset()
    item: Paths = ()
    kind: str = "job"
    typical: float | None = None
    requests_per_minute: int | None = None
    request_id_headers: tuple[str, ...] = ("x-request-id",)
    trace_id_headers: tuple[str, ...] = ("x-trace-id",)
    headers: tuple[tuple[str, str], ...] = ()
    forbidden_may_be_rate_limit: bool = False
    rate_limit: RateLimitWords = field(default_factory=RateLimitWords)
    variables: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    auth: Auth = Auth()
    fields: Fields = Fields()
    stages: StageFields = StageFields()
    phases: Phases = Phases()
    list: JobList | None = None

    @property
    def place(self) -> tuple[str, ...]:
        """The variables of a job's URL but its ID: where the job is, and so a part of its identity."""
        return tuple(name for name in self.url.variables if name != ID)

    @property
    def id_parameter(self) -> str | None:
        """The parameter that a job is asked for by; None where its ID is in the path."""
        return next((name for name, value in self.query if value == f"{{{ID}}}"), None)

    def group_of(self, values: Mapping[str, str]) -> str | None:
        """Return the variables' values as the account group of a job's key; None where there are none.

        Raises KeyError for one that is missing; the one of any number of parts may be.
        """
        several = self.url.several
        found = [values.get(name, "") if name == several else values[name] for name in self.place]
        return "/".join(value for value in found if value) or None

    def values_of(self, group: str | None, known: Mapping[str, str]) -> dict[str, str] | None:
        """Return the variables that an account group stands for, `known` ones filled in where it has fewer parts.

        None when it cannot stand for them: too many parts, too few, or one that is no part of a path.
        """
        parts = group.split("/") if group else []
        if len(parts) > MAX_PARTS or not all(is_piece(part) for part in parts):
            return None
        several = self.url.several
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
