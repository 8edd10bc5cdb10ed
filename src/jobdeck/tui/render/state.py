"""States as glyph, word and role: color is never the only sign."""

from dataclasses import dataclass

from jobdeck.domain import glyphs
from jobdeck.domain.attention import Attention, attention
from jobdeck.domain.job import Job, Stage
from jobdeck.domain.phase import Phase
from jobdeck.domain.text import clean
from jobdeck.tui.cell_text import width_of
from jobdeck.tui.render.spans import Role


@dataclass(frozen=True, slots=True)
class State:
    """The look of a state."""

    glyph: str
    """One cell."""
    word: str
    role: Role
    """Determines the color."""
    short: str = ""
    """The word for narrow lists."""

    def label(self, width: int) -> str:
        """Return glyph and word, or the short word if there is no room."""
        whole = f"{self.glyph} {self.word}"
        return whole if width_of(whole) <= width or not self.short else f"{self.glyph} {self.short}"


FAILED = State(glyphs.FAILED, "failed", Role.FAILED)
STALLED = State(glyphs.WARNING, "stalled", Role.STALLED)
UNREACHABLE = State(glyphs.UNREACHABLE, "unreachable", Role.UNREACHABLE, "unreach")
NOT_FOUND = State(glyphs.UNREACHABLE, "not found", Role.UNREACHABLE, "missing")
PARTIAL = State(glyphs.PARTIAL, "partial", Role.PARTIAL)
RUNNING = State(glyphs.RUNNING, "running", Role.RUNNING)
QUEUED = State(glyphs.QUEUED, "queued", Role.QUEUED)
NEW = State(glyphs.NEW, "new", Role.NEW)
DONE = State(glyphs.DONE, "done", Role.DONE)
CANCELLED = State(glyphs.CANCELLED, "cancelled", Role.CANCELLED, "cancel")

ALL_STATES = (FAILED, STALLED, UNREACHABLE, NOT_FOUND, PARTIAL, RUNNING, QUEUED, NEW, DONE, CANCELLED)
"""Every state, most urgent first; an unknown status word counts as running."""

TROUBLE = frozenset({FAILED, STALLED, UNREACHABLE, NOT_FOUND, PARTIAL})
"""The states that need attention."""

ENDED = frozenset({FAILED, PARTIAL, DONE, CANCELLED})
"""The states of finished jobs."""

_BY_ATTENTION = {
    Attention.FAILED: FAILED,
    Attention.STALLED: STALLED,
    Attention.UNREACHABLE: UNREACHABLE,
    Attention.PARTIAL: PARTIAL,
    Attention.RUNNING: RUNNING,
    Attention.QUEUED: QUEUED,
    Attention.DONE: DONE,
}
_BY_PHASE = {
    Phase.QUEUED: QUEUED,
    Phase.RUNNING: RUNNING,
    Phase.SUCCEEDED: DONE,
    Phase.PARTIAL: PARTIAL,
    Phase.FAILED: FAILED,
    Phase.CANCELLED: CANCELLED,
}


def state_category(job: Job) -> State:
    """Return the one of `ALL_STATES` that a job belongs to."""
    if job.not_found and not job.terminal:
        return NOT_FOUND
    if job.phase is Phase.CANCELLED:
        return CANCELLED
    state = _BY_ATTENTION[attention(job)]
    return NEW if state is QUEUED and job.observed is None else state


def job_state(job: Job) -> State:
    """Return the look of a job's state; an unknown status word is shown verbatim."""
    return shown_state(job, state_category(job))


def shown_state(job: Job, state: State) -> State:
    """Return the look of a job in one of `ALL_STATES`."""
    if state is RUNNING and job.phase is Phase.UNKNOWN and job.status is not None:
        return State(glyphs.RUNNING, clean(job.status[:64]), Role.NEW)
    return state


def stage_state(stage: Stage) -> State:
    """Return the look of a stage's state."""
    return _BY_PHASE.get(stage.phase) or State(glyphs.NEW, clean(stage.status[:64]), Role.NEW)
