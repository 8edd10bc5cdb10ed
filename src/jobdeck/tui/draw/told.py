"""What each exchange told about a job, in words: from its timeline."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job
from jobdeck.domain.phase import Phase
from jobdeck.domain.timeline import Moment, MomentKind

BAD_ENDS = frozenset({Phase.FAILED.value, Phase.PARTIAL.value})


Which: TypeAlias = tuple[str | None, int]
"""Which exchange: its ID for support, and when it began, for some servers give every answer the same ID."""


@dataclass(frozen=True, slots=True)
class Told:
    """Words by exchange, and those exchanges that showed a job's bad end."""

    words: Mapping[Which, str] = field(default_factory=dict)
    bad: frozenset[Which] = frozenset()


def which(exchange: Exchange) -> Which:
    """Return what tells an exchange from all others of its job."""
    return exchange.support_id, exchange.started.us


def told(job: Job, moments: Iterable[Moment], exchanges: Iterable[Exchange]) -> Told:
    """Return what a job's timeline says of each of its `exchanges`, which are newest first."""
    known: dict[str | None, list[Which]] = {}
    for exchange in exchanges:
        known.setdefault(exchange.support_id, []).append(which(exchange))
    notes: dict[Which, list[str]] = {}
    bad: list[Which] = []
    for moment in moments:
        same = known.get(moment.request_id)
        if moment.request_id is None or not same:
            continue
        # Of several with that ID, it was the newest one that had begun by then.
        teller = next((each for each in same if each[1] <= moment.at_us), same[-1])
        text = _words(moment)
        if text:
            notes.setdefault(teller, []).append(text)
        if moment.kind is MomentKind.PHASE and moment.after in BAD_ENDS:
            bad.append(teller)
    joined = {teller: ", ".join(parts) for teller, parts in notes.items()}
    reason = " ".join(job.reason)
    for teller in bad:
        joined[teller] = f"{joined[teller]}: {reason}" if reason else joined[teller]
    return Told(joined, frozenset(bad))


def _words(moment: Moment) -> str:
    match moment.kind:
        case MomentKind.PHASE:
            began = moment.before in {None, Phase.UNKNOWN.value}
            return moment.text if began else f"{moment.before} → {moment.text}"
        case MomentKind.STAGE:
            return f"{moment.stage} {moment.after}"
        case MomentKind.ANOMALY | MomentKind.RUN:
            return moment.text
        case MomentKind.RECOVERED:
            return f"seen again {moment.text}".rstrip()
        case MomentKind.PROBLEM | MomentKind.ACCEPTED | MomentKind.WATCHED:
            return ""
