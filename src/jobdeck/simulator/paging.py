"""Cursors that stay right while jobs come, go and change."""

import re
from collections.abc import Sequence

from jobdeck.simulator.dialect import bad_value
from jobdeck.simulator.evolution import JobState

_CURSOR = re.compile(r"(-?[0-9.e+-]{1,40})~(.{1,200})")


def page_of(states: Sequence[JobState], cursor: str | None, limit: int) -> tuple[Sequence[JobState], str | None]:
    """The page of `states` (newest first) behind `cursor`, and the cursor of the next one. Raises ApiError (400).

    A cursor names a place in the order, not a job: the job it was made from may have left the filtered list.
    """
    rest = [state for state in states if _place(state) < _parse(cursor)] if cursor is not None else states
    page = rest[:limit]
    if len(rest) <= limit:
        return page, None
    created, job_id = _place(page[-1])
    return page, f"{created!r}~{job_id}"


def _place(state: JobState) -> tuple[float, str]:
    return state.created, state.script.id


def _parse(cursor: str) -> tuple[float, str]:
    match = _CURSOR.fullmatch(cursor)
    try:
        if match is not None:
            return float(match[1]), match[2]
    except ValueError:
        pass
    raise bad_value("query.cursor", "cursor is not one of ours", "isCursor")
