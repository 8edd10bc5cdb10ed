"""Everything about one job as lines: problems first, then stages, then details."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from jobdeck.domain import humanize
from jobdeck.domain.attention import stale, stalled, unreachable
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import DROPPED_RESULT, EVICTED_RESULT, Job, Source, StageRecord
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.ratelimit import describe_wait
from jobdeck.domain.text import MESSAGE_LIMIT, clean
from jobdeck.scheduling.outlook import NextPoll
from jobdeck.tui.cell_text import DETAIL_LIMIT, pad, truncate, width_of, wrap
from jobdeck.tui.render.spans import EMPTY, Line, Role, Span, bar, line_width, sparkline, truncate_line
from jobdeck.tui.render.state import FAILED, NOT_FOUND, PARTIAL, job_state, stage_state
from jobdeck.tui.render.tabs import NO_MEANINGS, Meanings, layout, meaning_of

LABEL = 10
LONGEST_LABEL = 26
MESSAGE_LINES = 12
"""Lines of one message: more would push the rest of the job off the pane."""

FACT_LINES = 60
MESSAGE_CELLS = MESSAGE_LIMIT + 64
"""The limit of a message plus the note about its full length, which is not cut again."""


@dataclass(frozen=True, slots=True)
class ScheduleInfo:
    """What the engine is going to do about a job."""

    plan: NextPoll | None = None
    """None if the job is not scheduled."""
    paused: bool = False
    halted: Problem | None = None
    blocked_until: float | None = None
    blocked_by: ProblemKind | None = None
    blocked_asked: float | None = None
    read_only: bool = False
    """The session is read-only: no key changes what is polled."""
    past: bool = False
    """It is a recording, in which the next poll is known."""
    meanings: Meanings = field(default_factory=lambda: NO_MEANINGS)
    """Explanations of the values of the job's facts."""


def detail_lines(
    job: Job, outlook: ScheduleInfo, now: Instant, width: int, samples: Sequence[tuple[float, float]] = ()
) -> list[Line]:
    """Return the lines about a job, except its result, at most `width` cells wide.

    `samples` are (monotonic seconds, fraction) for each change of its progress.
    """
    lines = [_headline(job, now)]
    lines.extend(_reason(job, width))
    lines.extend(_problem(job, outlook, now, width))
    lines.extend(_stages(job, now, width, read_only=outlook.read_only))
    lines.extend(support_lines(job, now, width))
    lines.extend(_over_time(job, samples, now, width))
    for anomaly in job.anomalies:
        lines.extend(_paragraph("! ", anomaly, width, Role.WARN))
    lines.append(EMPTY)
    lines.extend(_facts(job, outlook, now, width))
    return [truncate_line(line, width) for line in lines]


def result_lines(result: str, width: int) -> list[Line]:
    """Return the size of a result and its first lines."""
    count = len(result)
    head: list[Span] = [("result".ljust(LABEL), Role.DIM), (humanize.format_size(count), Role.TEXT)]
    body = wrap(layout(result), width - 1)
    if count > DETAIL_LIMIT:
        head.append((f"  (the first {DETAIL_LIMIT:,} of {count:,} characters)", Role.WARN))
    return [EMPTY, truncate_line(head, width), *(((" " + text, Role.TEXT),) for text in body)]


def next_step(job: Job, outlook: ScheduleInfo, now: Instant) -> str:
    """Return what happens next to a job, in words; empty if nothing will."""
    if job.terminal:
        return ""
    if outlook.halted is not None:
        return f"polling of {job.key.profile} stopped until its API key is fixed: run `jobdeck doctor`"
    if outlook.paused:
        return "paused" if outlook.read_only else "paused (p resumes)"
    attempt = f"attempt {job.failures + 1}, " if job.failures else ""
    wait_until = job.problem.retry_at_us if job.problem is not None else None
    if wait_until is not None and wait_until > now.us:
        left = humanize.format_duration((wait_until - now.us) / 1e6)
        return f"waiting {left} as the server asked, until {humanize.format_recent(wait_until, now)}"
    if outlook.plan is None:
        return ""
    due = outlook.plan.due
    if outlook.blocked_until is not None and outlook.blocked_until > max(due, now.mono):
        until = now.later(outlook.blocked_until - now.mono)
        why = describe_wait(outlook.blocked_by, outlook.blocked_asked)
        return f"{attempt}no request before {humanize.format_recent(until.us, now)}: {why}"
    seconds = due - now.mono
    if outlook.past:
        followed = f"{humanize.format_duration(seconds)} later" if seconds >= 1 else "immediately"
        return f"{attempt}next poll followed {followed}"
    return (
        f"{attempt}next poll in {humanize.format_duration(seconds)}"
        if seconds >= 1
        else f"{attempt}next poll when the rate limit allows"
    )


def support_lines(job: Job, now: Instant, width: int) -> list[Line]:
    """Return the ID that support asks for, or why there is none; then the latest ID and that of the 202 response."""
    if job.support_id is None:
        if job.http_status is not None:
            text = "none in the latest response"
        elif job.observed is not None:
            text = "none: no response to the latest request"
        else:
            text = "none yet: waiting for the first response"
        lines: list[Line] = [(("request".ljust(LABEL), Role.DIM), (text, Role.DIM))]
    else:
        lines = _id_lines(job.support_ids, _when(job, now), width)
        if job.end_id is not None and job.newest_id != job.end_id:
            lines += _id_lines((job.request_id, job.trace_id), "latest", width)
    accepted = (job.target.accepted_request_id, job.target.accepted_trace_id)
    if any(accepted):
        lines += _id_lines(accepted, "accepted", width)
    return lines


def _when(job: Job, now: Instant) -> str:
    """Return the origin of the ID for support: ``failed at 17:35:01Z``, or the latest exchange with its HTTP status."""
    if job.end_id is not None and job.ended is not None:
        return f"{job.phase.value} at {humanize.format_recent(job.ended.us, now)}"
    return "latest" if job.http_status is None else f"latest, HTTP {job.http_status}"


def _id_lines(ids: tuple[str | None, str | None], note: str, width: int) -> list[Line]:
    """Return a line with the request ID, or else the trace ID; the note gets its own line if there is no room."""
    request_id, trace_id = ids
    label = "request" if request_id else "trace"
    shown = clean((request_id or trace_id or "none: no response")[:256])
    line: Line = ((label.ljust(LABEL), Role.DIM), (shown, Role.ID))
    if line_width(line) + 2 + width_of(note) <= width:
        return [(*line, (f"  {note}", Role.DIM))]
    return [line, ((" " * LABEL + note, Role.DIM),)]


def _headline(job: Job, now: Instant) -> Line:
    state = job_state(job)
    spans: list[Span] = [(f"{state.glyph} {state.word}", state.role)]
    if job.status is not None:
        spans += [("  status ", Role.DIM), (clean(job.status[:256]), Role.STRONG)]
    if job.progress is not None and not (job.terminal and job.summary_only):
        spans.append((f"  {humanize.format_percent(job.progress)}", Role.TEXT))
    if job.observed is not None:
        mark = "" if job.elapsed_exact else "at least "
        spans += [("  elapsed ", Role.DIM), (f"{mark}{humanize.format_elapsed(job.elapsed(now))}", Role.TEXT)]
        spans += [("  updated ", Role.DIM), *_seen(job, now)]
    elif state is not NOT_FOUND:
        spans.append(("  waiting for the first response", Role.DIM))
    return tuple(spans)


def _seen(job: Job, now: Instant) -> Line:
    if job.observed is None:
        return (("never", Role.DIM),)
    if job.terminal and job.source is Source.MEMORY:
        return ((f"{humanize.format_duration(now.since(job.observed))} ago, in an earlier session", Role.TEXT),)
    if job.terminal:
        return ((f"{humanize.format_recent(job.observed.us, now)}, final", Role.TEXT),)
    role = Role.UNREACHABLE if unreachable(job) else Role.WARN if stale(job, now) else Role.TEXT
    return ((f"{humanize.format_duration(now.since(job.observed))} ago", role),)


def _reason(job: Job, width: int) -> list[Line]:
    if job.error is None and not job.reason:
        return []
    state = PARTIAL if job.phase is Phase.PARTIAL else FAILED
    text = "  ".join(job.reason) or "failed (no reason given)"
    return _paragraph(f"{state.glyph} ", text, width, state.role)


def _problem(job: Job, outlook: ScheduleInfo, now: Instant, width: int) -> list[Line]:
    lines: list[Line] = []
    problem = job.trouble
    if problem is not None:
        status = f" (HTTP {problem.http_status})" if problem.http_status is not None else ""
        lines += _paragraph("? ", f"{problem.kind.label}{status}: {problem.message}", width, Role.UNREACHABLE)
    if job_state(job) is NOT_FOUND:
        lines += _paragraph("  ", "the server doesn't know this job (polled more than once)", width, Role.DIM)
    step = next_step(job, outlook, now)
    if step and _pressing(job, outlook):
        lines.append((("  → ", Role.DIM), (step, Role.TEXT)))
    return lines


def _pressing(job: Job, outlook: ScheduleInfo) -> bool:
    """Whether the next step is shown at the top, because the job cannot be seen."""
    troubled = job.trouble is not None or job.observed is None
    return not job.terminal and (troubled or outlook.paused or outlook.halted is not None)


def _stages(job: Job, now: Instant, width: int, *, read_only: bool) -> list[Line]:
    if not job.stages:
        return []
    longest = max(width_of(clean(record.stage.name[:64])) for record in job.stages)
    name_width = min(max(longest, 6), 20 if width >= 70 else 12)
    bar_width = min(30, max(8, width - name_width - 46))
    lines = [_stage(record, now, name_width, bar_width) for record in job.stages]
    if job.terminal and job.summary_only:
        seen = (
            f"stages as of {humanize.format_recent(job.whole.us, now)}"
            if job.whole is not None
            else "last known stages"
        )
        ask = "" if read_only else " (r fetches the final ones)"
        lines.insert(0, ((f"{seen}, before the job finished{ask}", Role.DIM),))
    return lines


def _stage(record: StageRecord, now: Instant, name_width: int, bar_width: int) -> Line:
    stage = record.stage
    state = stage_state(stage)
    percent = humanize.format_percent(stage.progress) if stage.progress is not None else ""
    elapsed = "–"
    if record.started is not None:
        elapsed = humanize.format_elapsed((record.ended or now).since(record.started))
    spans: list[Span] = [
        (pad(stage.name, name_width) + " ", Role.TEXT),
        (pad(state.label(9), 9) + " ", state.role),
        *bar(stage.progress, bar_width, state.role),
        (pad(percent, 5, right=True), Role.TEXT),
        (pad(elapsed, 8, right=True), Role.DIM if elapsed == "–" else Role.TEXT),
    ]
    if record.changed is not None and not stage.phase.terminal:
        spans.append((f"  changed {humanize.format_duration(now.since(record.changed))} ago", Role.DIM))
    return tuple(spans)


def _over_time(job: Job, samples: Sequence[tuple[float, float]], now: Instant, width: int) -> list[Line]:
    lines: list[Line] = []
    until = job.ended if job.ended is not None else now
    drawn = sparkline(samples, until.mono, min(30, max(8, width - 40)))
    if drawn:
        role = job_state(job).role
        over = f"  in {humanize.format_duration(until.mono - samples[0][0])}"
        lines.append((("progress".ljust(LABEL), Role.DIM), (drawn, role), (over, Role.DIM)))
    if stalled(job) and job.changed is not None and job.observed is not None:
        still = humanize.format_duration(job.observed.since(job.changed))
        usual = (
            f"; similar jobs change within {humanize.format_duration(job.stall_after)}"
            if job.stall_after is not None
            else ""
        )
        lines += _paragraph("! ", f"no change for {still}{usual}", width, Role.STALLED)
    return lines


def _facts(job: Job, outlook: ScheduleInfo, now: Instant, width: int) -> list[Line]:
    facts: list[tuple[str, str]] = [("job", str(job.key)), ("kind", job.kind)]
    if job.target.watched_by:
        facts.append(("watched by", ", ".join(job.target.watched_by)))
    if job.acknowledged and (who := job.acknowledged_by) is not None:
        facts.append(("acknowledged", f"by {who.name}, {humanize.format_recent(who.at_us, now)}"))
    for label, us in (("created", job.created_us), ("updated", job.updated_us), ("ended", job.ended_us)):
        if us is not None:
            facts.append((label, humanize.format_datetime(us)))
    if job.changed is not None:
        age, moment = now.since(job.changed), job.changed.us
        facts.append(("changed", f"{humanize.format_duration(age)} ago, {humanize.format_recent(moment, now)}"))
    step = next_step(job, outlook, now)
    if step and not _pressing(job, outlook):
        facts.append(("next", step.removeprefix("next ")))
    for name, value in job.facts:
        if name in {DROPPED_RESULT, EVICTED_RESULT}:
            said = humanize.describe_missing_result(job.dropped_result, job.evicted_result)
            facts.append(("result", said.removeprefix("result ") or value))
            continue
        meaning = meaning_of(outlook.meanings, name, value)
        facts.append((name, f"{value}: {meaning}" if meaning else value))
    if job.error is not None and job.error.details:
        facts.append(("details", layout(job.error.details)))
    longest = max(width_of(truncate(label, LONGEST_LABEL)) for label, _ in facts)
    label_width = max(LABEL, min(longest + 1, width // 3))
    return [line for label, value in facts for line in _fact(label, label_width, value, width)]


def _fact(label: str, label_width: int, value: str, width: int) -> list[Line]:
    head = pad(label, label_width - 1) + " "
    first, *rest = wrap(value, width - label_width, limit=MESSAGE_CELLS, most=FACT_LINES)
    return [((head, Role.DIM), (first, Role.TEXT)), *(((" " * label_width + text, Role.TEXT),) for text in rest)]


def _paragraph(mark: str, text: str, width: int, role: Role) -> list[Line]:
    first, *rest = wrap(text, width - len(mark), limit=MESSAGE_CELLS, most=MESSAGE_LINES)
    return [((mark + first, role),), *(((" " * len(mark) + line, role),) for line in rest)]
