"""The cancel key: confirm, send one request per job, report the results."""

from collections import Counter
from collections.abc import Callable, Sequence

from jobdeck.domain import humanize
from jobdeck.domain.cancel import CancelOutcome, CancelResult
from jobdeck.domain.job import JobKey
from jobdeck.domain.problem import ProblemKind
from jobdeck.tui.cell_text import elide_middle
from jobdeck.tui.deck_state import DeckServices
from jobdeck.tui.engine_actions import NOT_OPEN
from jobdeck.tui.screens.cancel import CancelScreen

_WORDS = {
    CancelOutcome.ACCEPTED: "accepted",
    CancelOutcome.REFUSED: "refused",
    CancelOutcome.UNKNOWN: "unknown",
    CancelOutcome.NOT_SENT: "not sent",
}


class CancelActions:
    """Cancels jobs after the user confirmed, and reports the result.

    `on_confirmed` is called as soon as the user confirms.
    """

    def __init__(
        self,
        deck: DeckServices,
        on_confirmed: Callable[[], object],
    ) -> None:
        self._state, self._say, self._push, self._run = deck.state, deck.say, deck.push, deck.run
        self._on_confirmed = on_confirmed

    async def open_dialog(self, keys: Sequence[JobKey]) -> None:
        """Open the dialog that confirms the cancelling, then send the requests in the background."""
        engine = self._state.controls
        if engine is None or self._state.paused:
            self._say(NOT_OPEN if engine is None else "polling is paused: press p to resume, then cancel again", True)
            return
        rows = [row for key in keys if (row := self._state.table.row(key)) is not None]
        obstacles = {row.job.key: engine.cancel_obstacle(row.job.key) for row in rows}
        possible = [row for row in rows if not obstacles[row.job.key]]
        reasons = Counter(reason for reason in obstacles.values() if reason)
        if not possible:
            self._say(f"not cancelled: {next(iter(reasons), 'no job is selected')}", True)
            return
        left_out = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
        chosen = [row.job.key for row in possible]

        def confirmed() -> None:
            self._on_confirmed()
            self._run(self._cancel_all(chosen))

        await self._push(CancelScreen(possible, left_out and f"skipped: {left_out}", confirmed))

    async def _cancel_all(self, keys: Sequence[JobKey]) -> None:
        engine = self._state.controls
        if engine is None:
            return
        if len(keys) > 1:
            self._say(f"cancelling {len(keys):,} jobs: one request each, within the rate limit", False)
        results: dict[JobKey, CancelResult] = {}
        rejected: set[str] = set()
        for key in keys:
            if key.profile in rejected:
                continue
            result = results[key] = await engine.cancel(key)
            if result.problem is not None and result.problem.kind is ProblemKind.AUTH:
                rejected.add(key.profile)
        refused = any(result.outcome is not CancelOutcome.ACCEPTED for result in results.values())
        self._say(_summary(results, len(keys) - len(results)), refused)


def _summary(results: dict[JobKey, CancelResult], skipped: int) -> str:
    """Return a summary: counts, and the message of the first request that was not accepted."""
    if len(results) == 1 and not skipped:
        ((key, result),) = results.items()
        return f"{elide_middle(key.id, 40)}: {result.describe()}"
    counts = Counter(result.outcome for result in results.values())
    if skipped:
        counts[CancelOutcome.NOT_SENT] += skipped
    outcomes = ", ".join(f"{counts[outcome]} {word}" for outcome, word in _WORDS.items() if counts[outcome])
    bad = next(((key, one) for key, one in results.items() if one.outcome is not CancelOutcome.ACCEPTED), None)
    first = f" · {elide_middle(bad[0].id, 24)}: {bad[1].describe()}" if bad is not None else ""
    return f"{humanize.pluralize(counts.total(), 'cancel request')}: {outcomes}{first}"
