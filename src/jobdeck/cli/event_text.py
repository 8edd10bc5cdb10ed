"""Events as one line of text, or as a JSON object."""

from typing import Any

from jobdeck.app.json_shapes import problem_object, rfc3339
from jobdeck.cli.job_text import describe_id, describe_reason
from jobdeck.domain import humanize
from jobdeck.domain.events import (
    AnomalyMet,
    Event,
    JobAdded,
    JobRemoved,
    OutageBegan,
    OutageEnded,
    PhaseChanged,
    ProblemMet,
    ProfileHalted,
    ProgressChanged,
    Recovered,
    RunBegan,
    SleepNoticed,
    StageChanged,
)
from jobdeck.domain.job import Job
from jobdeck.domain.phase import Phase


def describe_event(event: Event, job: Job | None = None) -> str | None:
    """Return the event in words; None for events that are not worth a line.

    With the `job` of the event, a finished job's line includes its reason and the ID for support.
    """
    match event:
        case PhaseChanged(before=before, after=after, status=status):
            word = after.value if after.value == status else f"{after.value} ({status})"
            change = f"{'first seen' if before is Phase.UNKNOWN else before.value} -> {word}"
            return f"{change}{_end(event, job)}" if after.terminal else change
        case StageChanged(stage=stage, before=before, after=after):
            return f"{stage}: {before.value if before else 'new'} -> {after.value}"
        case ProgressChanged(stage=stage, after=after):
            name = f"{stage}: " if stage else ""
            return f"{name}{'progress no longer reported' if after is None else humanize.format_percent(after)}"
        case ProblemMet(problem=problem, failures=failures):
            again = f" ({failures} in a row)" if failures > 1 else ""
            return f"poll failed: {problem.kind.label}: {problem.message}{again}"
        case Recovered(failures=failures):
            return f"reachable again after {failures} failed poll{'s' if failures > 1 else ''}"
        case RunBegan(message=message):
            return f"new run: {message}"
        case AnomalyMet(message=message):
            return f"anomaly: {message}"
        case ProfileHalted(profile=profile, problem=problem):
            return f"profile {profile}: polling stopped: {problem.kind.label}: {problem.message}"
        case OutageBegan(profile=profile, problem=problem):
            return f"profile {profile} is down: {problem.kind.label}: {problem.message}"
        case OutageEnded(profile=profile, seconds=seconds):
            return f"profile {profile} is back after {round(seconds)} s"
        case SleepNoticed(seconds=seconds):
            return f"this machine was asleep for {round(seconds)} s; refreshing every job"
        case JobAdded() | JobRemoved():
            return None


def describe_late_reason(job: Job) -> str:
    """Return the reason of a job's end that arrived after the end."""
    parts = (f"{job.phase.value}: {describe_reason(job)}", describe_id(job.request_id, job.trace_id))
    return "  ".join(part for part in parts if part)


def event_object(event: Event) -> dict[str, Any]:
    """Return the event as a JSON object: ``event`` is its name, ``at`` its time, the rest depends on the name."""
    head: dict[str, Any] = {"at": rfc3339(event.at.us)}
    match event:
        case PhaseChanged(before=before, after=after, status=status):
            return {**head, "event": "phase", "before": before.value, "after": after.value, "status": status}
        case StageChanged(stage=stage, before=before, after=after):
            was = before.value if before else None
            return {**head, "event": "stage", "stage": stage, "before": was, "after": after.value}
        case ProgressChanged(stage=stage, before=before, after=after):
            return {**head, "event": "progress", "stage": stage, "before": before, "after": after}
        case ProblemMet(problem=problem, failures=failures):
            return {**head, "event": "problem", "problem": problem_object(problem), "failures": failures}
        case Recovered(failures=failures):
            return {**head, "event": "recovered", "failures": failures}
        case RunBegan(run=run, message=message):
            return {**head, "event": "run", "run": run, "message": message}
        case AnomalyMet(message=message):
            return {**head, "event": "anomaly", "message": message}
        case ProfileHalted(profile=profile, problem=problem):
            return {**head, "event": "halted", "profile": profile, "problem": problem_object(problem)}
        case OutageBegan(profile=profile, problem=problem):
            return {**head, "event": "outage", "profile": profile, "problem": problem_object(problem)}
        case OutageEnded(profile=profile, seconds=seconds):
            return {**head, "event": "outage_over", "profile": profile, "seconds": round(seconds, 1)}
        case SleepNoticed(seconds=seconds):
            return {**head, "event": "slept", "seconds": round(seconds, 1)}
        case JobAdded() | JobRemoved():
            return {**head, "event": "added" if isinstance(event, JobAdded) else "removed"}


def _end(event: PhaseChanged, job: Job | None) -> str:
    error = describe_reason(job) if job is not None else ""
    # The job's request ID may be from a later response; APIs without request IDs have trace IDs.
    trail = describe_id(event.request_id, job.trace_id if job is not None else None)
    return "".join(f"  {part}" for part in (error, trail) if part)
