"""The lines of a recording as they are read: anybody may have written them, so every field is checked and cleaned."""

from functools import partial
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, TypeAdapter

from jobdeck.domain.job import Part
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.text import clean
from jobdeck.domain.timeline import MomentKind
from jobdeck.recording.limits import MAX_TEXT

DAYS_US = 400 * 86_400 * 1_000_000
EPOCH_US = 10**17

Line: TypeAlias = Annotated[str, Field(max_length=4_500), AfterValidator(clean)]
Lines: TypeAlias = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(partial(clean, lines=True))]
Text: TypeAlias = Annotated[str, Field(max_length=MAX_TEXT)]
Id: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.~:-]{0,199}$")]
Place: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.~:@+-]{1,200}(?:/[A-Za-z0-9_.~:@+-]{1,200}){0,63}$")]
"""An account group; of a described API the parts of a path, such as ``octocat/.github``."""

Fraction: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Seconds: TypeAlias = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Wish: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""Seconds that a server asked to wait, which may be any."""

Left: TypeAlias = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(ge=0, le=10**12)]
Span: TypeAlias = Annotated[int, Field(ge=-DAYS_US, le=DAYS_US)]
Ago: TypeAlias = Annotated[int, Field(ge=-DAYS_US, le=EPOCH_US)]
Epoch: TypeAlias = Annotated[int, Field(ge=-EPOCH_US, le=EPOCH_US)]
Status: TypeAlias = Annotated[int, Field(ge=0, le=999)]
Stages: TypeAlias = tuple[tuple[Line, Line, Phase, Fraction | None], ...]
Facts: TypeAlias = tuple[tuple[Line, Lines], ...]
Error: TypeAlias = tuple[Line | None, Lines | None, Lines | None]
PatchPiece: TypeAlias = Text | tuple[Span, Count]


class Wire(BaseModel):
    """A part of a line: nothing unknown in it, and errors never echo it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)


class ProblemWire(Wire):
    """A problem; `retry` in microseconds from the line's moment."""

    kind: ProblemKind
    text: Line
    s: Status | None = None
    r: Line | None = None
    tr: Line | None = None
    retry: Span | None = None


class ExchangeWire(Wire):
    """An exchange of `d` microseconds that ended `a` microseconds before the line's moment.

    `q` is by how much its place in the order of sending is beyond that of the exchange before it in the recording.
    `pt` is the part of the job that alone was asked for, and how often that had failed before.
    """

    a: Span
    d: Annotated[int, Field(ge=0, le=DAYS_US)]
    u: Line | None = None
    m: Line = "GET"
    j: Count | None = None
    s: Status | None = 200
    r: Line | None = None
    br: Line | None = None
    tr: Line | None = None
    n: Count | None = None
    q: Annotated[int, Field(ge=-EPOCH_US, le=EPOCH_US)] = 1
    date: Annotated[int, Field(ge=-EPOCH_US, le=EPOCH_US)] | None = 0
    p: ProblemWire | None = None
    pt: tuple[Part, Count] | None = None


class ObservationWire(Wire):
    """What an observation says otherwise than the last of its kind; `moved` has the stages' progress alone.

    `percent` stands for a progress that is one in the answer, where its fraction has all the digits of a float.
    """

    status: Line = ""
    phase: Phase = Phase.UNKNOWN
    progress: Fraction | None = None
    percent: Annotated[float, Field(ge=0, le=100)] = 0.0
    error: Error | None = None
    result: Lines | None = None
    kind: Line | None = None
    created_us: Epoch | None = None
    updated_us: Epoch | None = None
    ended_us: Epoch | None = None
    facts: Facts = ()
    attempt: Line | None = None
    started_us: Epoch | None = None
    stages: Stages = ()
    moved: tuple[Fraction | None, ...] = ()
    note: Line | None = None
    elsewhere: tuple[Part, ...] = ()
    row: bool = False


class JobWire(Wire):
    """A job's state; its moments in microseconds before the line's moment."""

    added: Ago = 0
    status: Line | None = None
    phase: Phase = Phase.UNKNOWN
    kind: Line = ""
    progress: Fraction | None = None
    stages: tuple[tuple[Line, Line, Phase, Fraction | None, Ago | None, Ago | None, Ago | None], ...] = ()
    error: Error | None = None
    result: Lines | None = None
    facts: Facts = ()
    created_us: Epoch | None = None
    updated_us: Epoch | None = None
    ended_us: Epoch | None = None
    observed: Ago | None = None
    asked: Ago | None = None
    whole: Ago | None = None
    changed: Ago | None = None
    ended: Ago | None = None
    seen_queued: bool = False
    outlined: bool = False
    sequence: Annotated[int, Field(ge=-EPOCH_US, le=EPOCH_US)] = 0
    run: Annotated[int, Field(ge=1, le=10**9)] = 1
    begun: Ago | None = None
    attempt: Line | None = None
    started_us: Epoch | None = None
    missing_since: Ago | None = None
    not_found: bool = False
    problem: ProblemWire | None = None
    failures: Count = 0
    misses: Count = 0
    http_status: Status | None = None
    request_id: Line | None = None
    trace_id: Line | None = None
    anomalies: tuple[Line, ...] = ()
    outage: ProblemWire | None = None
    acknowledged: bool = False
    interval: Seconds = 5.0
    eta: tuple[Left, Left] | None = None
    stall_after: Seconds | None = None


class BudgetWire(Wire):
    """What changed of a budget; its moments in microseconds since the recording began."""

    limit: Seconds = 0
    used: Count = 0
    blocked_until: Span | None = None
    resets: Span | None = None
    paused: bool = False
    halted: bool = False
    list_limit: Seconds | None = None
    pages: Count = 0
    covered: Count = 0
    alone: Count = 0
    window: Seconds | None = None
    window_limit: Count = 0
    window_used: Count = 0
    blocked_by: ProblemKind | None = None
    blocked_asked: Wish | None = None


class Timed(Wire):
    """Every line: `t` microseconds after the one before, `ago` before that, `w` how the clocks stand from here on."""

    t: Annotated[int, Field(ge=0, le=DAYS_US)]
    ago: Annotated[int, Field(ge=0, le=DAYS_US)] = 0
    w: Span | None = None


class JobLine(Timed):
    """A target that later lines name by its number: that of this line among its kind."""

    k: Literal["job"]
    key: tuple[Line, Place | None, Id]
    api: Line
    resource: str
    accepted_r: Line | None = None
    accepted_tr: Line | None = None
    accepted: bool = False


class AddLine(Timed):
    """A target began to be watched."""

    k: Literal["add"]
    j: Count


class RestoreLine(Timed):
    """A job began to be watched in a remembered state."""

    k: Literal["restore"]
    j: Count
    s: JobWire


class AdoptLine(Timed):
    """Another process told of a job."""

    k: Literal["adopt"]
    j: Count
    s: JobWire
    x: ExchangeWire | None = None
    missing: bool = False


class RemoveLine(Timed):
    """A job was no longer watched."""

    k: Literal["remove"]
    j: Count


class AckLine(Timed):
    """A person noted the trouble of a job."""

    k: Literal["ack"]
    j: Count
    on: bool


class PollLine(Timed):
    """One job was asked for."""

    k: Literal["poll"]
    j: Count
    x: ExchangeWire
    o: ObservationWire | None = None
    b: tuple[PatchPiece, ...] | None = None


class ListLine(Timed):
    """A list was asked for: of the watched jobs in it, those that say again what they said have only a number."""

    k: Literal["list"]
    of: Line
    x: ExchangeWire
    rows: Annotated[tuple[Count | tuple[Count, ObservationWire], ...], Field(max_length=10_000)] = ()
    b: tuple[PatchPiece, ...] | None = None


class RecallLine(Timed):
    """What was remembered of a job was fetched."""

    k: Literal["recall"]
    j: Count
    x: Annotated[tuple[ExchangeWire, ...], Field(max_length=10_000)] = ()
    m: Annotated[
        tuple[tuple[Epoch, MomentKind, Line, Line | None, Line | None, Line | None, Line | None], ...],
        Field(max_length=10_000),
    ] = ()


class DarkLine(Timed):
    """No job of a profile could be seen, or they could again."""

    k: Literal["dark"]
    of: Line
    p: ProblemWire | None = None


class ExpectLine(Timed):
    """What was expected of jobs: number, interval, the two ends of what is left, when to call it stalled."""

    k: Literal["expect"]
    e: Annotated[tuple[tuple[Count, Seconds, Left | None, Left | None, Seconds | None], ...], Field(max_length=10_000)]


class EventLine(Timed):
    """Something happened to a whole profile, or to the machine."""

    k: Literal["event"]
    e: Literal["halted", "outage", "outage over", "slept"]
    of: Line = ""
    p: ProblemWire | None = None
    seconds: Seconds = 0.0


class StandLine(Timed):
    """How the polling stood, as far as that changed."""

    k: Literal["stand"]
    paused: bool | None = None
    b: dict[Line, BudgetWire] = {}
    h: dict[Line, ProblemWire] | None = None


class EndLine(Timed):
    """The recording was ended in order."""

    k: Literal["end"]


LineOfJob: TypeAlias = AddLine | RestoreLine | AdoptLine | RemoveLine | AckLine | PollLine | RecallLine
AnyLine: TypeAlias = LineOfJob | JobLine | ListLine | DarkLine | ExpectLine | EventLine | StandLine | EndLine

LINE: TypeAdapter[AnyLine] = TypeAdapter(Annotated[AnyLine, Discriminator("k")])


class HeaderWire(BaseModel):
    """The first line; what a later version adds to it is no fault."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, frozen=True)

    format: Literal["jobdeck-recording"]
    version: Annotated[int, Field(ge=1, le=10**6)]
    jobdeck: Line = ""
    started_us: Annotated[int, Field(ge=0, le=EPOCH_US)]
    profiles: dict[Line, Line] = {}


def told(wire: BaseModel) -> dict[str, Any]:
    """Return the fields that a line names, None among them."""
    return {name: getattr(wire, name) for name in wire.model_fields_set}
