"""The banner, and the text of an empty list."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from jobdeck.app.session import WatchListSummary
from jobdeck.domain import humanize
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import JobKey
from jobdeck.domain.problem import Problem
from jobdeck.tui.cell_text import truncate
from jobdeck.tui.render.spans import EMPTY, Line, Role, truncate_line


@dataclass(frozen=True, slots=True)
class UnreachableProfile:
    """A profile none of whose unfinished jobs can be polled."""

    profile: str
    job: JobKey | None
    """One of these jobs."""
    since: Instant | None
    """The last successful poll; None if there was none."""
    problem: Problem | None = None
    """The latest problem."""
    next_try: float | None = None
    """When it is polled next, in monotonic seconds."""


def banner_lines(
    width: int,
    halted: Mapping[str, Problem],
    unreachable: Sequence[UnreachableProfile],
    now: Instant,
    failure: str | None,
    *,
    storage_error: str = "",
    read_only: bool = False,
) -> list[Line]:
    """Return a line for each problem of the whole deck; `storage_error` is why persistence is off, or empty."""
    lines: list[Line] = []
    if failure is not None:
        lines.append(
            ((f" ✗ {truncate(failure, 200)}", Role.FAILED), ("  data below is out of date · q to quit", Role.TEXT))
        )
    since = {one.profile: one.since for one in unreachable}
    for name, problem in halted.items():
        at = since.get(name)
        since_when = f", no data since {humanize.format_recent(at.us, now)}" if at is not None else ""
        then = "run `jobdeck doctor`" if read_only else "run `jobdeck doctor`, then press R"
        text = (f" ✗ {truncate(name, 40)}: {_reason(problem)}", Role.FAILED)
        rest = f"  polling stopped{since_when}  {problem.message}"
        lines.append((text, (f"  {then}", Role.TEXT), (rest, Role.DIM)))
    lines += [_unreachable_line(one, now, read_only=read_only) for one in unreachable if one.profile not in halted]
    if storage_error:
        lines.append(((" ! nothing is being saved", Role.WARN), (f"  {truncate(storage_error, 200)}", Role.TEXT)))
    return [truncate_line(line, width) for line in lines]


def _unreachable_line(one: UnreachableProfile, now: Instant, *, read_only: bool) -> Line:
    since = f"since {humanize.format_recent(one.since.us, now)}" if one.since is not None else "yet"
    head = (f" ? {truncate(one.profile, 40)}: no data {since}", Role.UNREACHABLE)
    if one.problem is None:
        return (head, ("  no response", Role.TEXT))
    again = ""
    if one.next_try is not None:
        again = f", next try in {humanize.format_duration(one.next_try - now.mono)}{'' if read_only else ' (R: now)'}"
    return (head, (f"  {_reason(one.problem)}{again}", Role.TEXT), (f"  {one.problem.message}", Role.DIM))


def _reason(problem: Problem) -> str:
    return f"{problem.kind.label} ({problem.http_status})" if problem.http_status is not None else problem.kind.label


OPENING: tuple[Line, ...] = (EMPTY, (("  starting…", Role.DIM),))
"""Shown until the engine is open."""

NO_JOBS: tuple[Line, ...] = (EMPTY, (("  No jobs yet.", Role.STRONG),))


@dataclass(frozen=True, slots=True)
class EmptyDeck:
    """What an empty deck offers."""

    profiles: Sequence[str] = ()
    """Profiles whose jobs can be discovered."""
    last: WatchListSummary | None = None


def _offers(deck: EmptyDeck, now: Instant) -> Iterator[Line]:
    yield (("  a", Role.KEY), ("   add IDs, poll URLs or 202 responses (paste many)", Role.TEXT))
    if deck.profiles:
        names = " · ".join(truncate(name, 40) for name in deck.profiles)
        text = "   discover recent jobs from your APIs"
        yield (("  D", Role.KEY), (text, Role.TEXT), (f"   {names}", Role.DIM))
    if deck.last is not None:
        when = f", {humanize.format_recent(deck.last.used_us, now)}" if deck.last.used_us is not None else ""
        count = f"   {humanize.pluralize(deck.last.jobs, 'job')}{when}"
        yield (("  l", Role.KEY), ("   open the last watch list", Role.TEXT), (count, Role.DIM))
    yield (("      curl … | jobdeck -", Role.TEXT), ("     watch the job a request starts", Role.DIM))
    yield (("      jobdeck demo", Role.TEXT), ("           simulated jobs, no account needed", Role.DIM))


NOTHING_PASSES: tuple[Line, ...] = (
    EMPTY,
    (("  No matching jobs, ", Role.STRONG), ("esc", Role.KEY), (" clears the filter", Role.DIM)),
)


def empty_lines(
    failure: str | None, total: int, now: Instant, *, opened: bool, offers: EmptyDeck | None
) -> tuple[Line, ...]:
    """Return the text of a list without rows; `total` counts hidden jobs too. A failure is shown elsewhere.

    `offers` is None if nothing can be added.
    """
    if failure is not None:
        return ()
    if not opened:
        return OPENING
    if total:
        return NOTHING_PASSES
    return NO_JOBS if offers is None else (*NO_JOBS, EMPTY, *_offers(offers, now))
