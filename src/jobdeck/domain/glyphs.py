"""The glyph of every state, of jobs and of checks alike: one cell each, also for terminals without color."""

from collections.abc import Mapping
from types import MappingProxyType

from jobdeck.domain.phase import Phase

FAILED = "✗"
WARNING = "!"
UNREACHABLE = "?"
PARTIAL = "◐"
RUNNING = "●"
QUEUED = "○"
NEW = "·"
DONE = "✓"
CANCELLED = "⊘"

BY_PHASE: Mapping[Phase, str] = MappingProxyType(
    {
        Phase.QUEUED: QUEUED,
        Phase.RUNNING: RUNNING,
        Phase.SUCCEEDED: DONE,
        Phase.PARTIAL: PARTIAL,
        Phase.FAILED: FAILED,
        Phase.CANCELLED: CANCELLED,
        Phase.UNKNOWN: UNREACHABLE,
    }
)
