"""What each exchange told about a job, in words: from its timeline."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jobdeck.domain.job import Job
from jobdeck.domain.phase import Phase
from jobdeck.domain.timeline import Moment, MomentKind

BAD_ENDS = frozenset({Phase.FAILED.value, Phase.PARTIAL.value})


@dataclass(frozen=True, slots=True)
class Told:
    """Words by the request or trace ID of an exchange, and the IDs of those that showed a job's bad end."""

    words: Mapping[str, str] = field(default_factory=dict)
    bad: frozenset[str] = frozenset()


def told(job: Job, moments: Iterable[Moment]) -> Told:
    """Return what a job's timeline says of each exchange."""
    notes: dict[str, list[str]] = {}
    bad: list[str] = []
    for moment in moments:
        if moment.request_id is None:
            continue
        text = _words(moment)
        if text:
            notes.setdefault(moment.request_id, []).append(text)
        if moment.kind is MomentKind.PHASE and moment.after in BAD_ENDS:
            bad.append(moment.request_id)
    joined = {id_: ", ".join(parts) for id_, parts in notes.items()}
    reason = " ".join(job.reason)
    for id_ in bad:
        joined[id_] = f"{joined[id_]}: {reason}" if reason else joined[id_]
    return Told(joined, frozenset(bad))


def _words(moment: Moment) -> str:
    match moment.kind:
        case MomentKind.PHASE:
            began = moment.before in {None, Phase.UNKNOWN.value}
            return moment.text if began else f"{moment.before} → {moment.text}"
        case MomentKind.STAGE:
            return f"{moment.stage} {moment.after}"
        case MomentKind.ANOMALY:
            return moment.text
        case MomentKind.RECOVERED:
            return f"seen again {moment.text}".rstrip()
        case MomentKind.PROBLEM | MomentKind.ACCEPTED | MomentKind.WATCHED:
            return ""
