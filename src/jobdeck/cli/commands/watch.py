"""``jobdeck watch``: print a line for every change until all jobs have finished."""

import argparse
import sys

from jobdeck.app.json_shapes import BudgetEvent, WatchedObject, budget_object, job_object, rfc3339
from jobdeck.cli.bootstrap import make_recorder
from jobdeck.cli.event_text import describe_event, describe_late_reason, event_object
from jobdeck.cli.exit_codes import ExitCode, exit_code
from jobdeck.cli.headless import SettledCheck, run_headless
from jobdeck.cli.output import print_json
from jobdeck.cli.run_async import run_printing
from jobdeck.cli.targets import open_targets
from jobdeck.domain import humanize
from jobdeck.domain.events import Event, OutageBegan, OutageEnded, PhaseChanged, ProfileHalted, SleepNoticed
from jobdeck.domain.instant import Clock
from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.engine.engine import Engine
from jobdeck.engine.subscription import ChangeSet
from jobdeck.scheduling.outlook import QuotaSnapshot

BUDGET_SECONDS = 10.0


def run(arguments: argparse.Namespace) -> ExitCode:
    """Print changes until every job has finished or cannot be polled; returns the exit code."""
    context, inputs = open_targets(arguments, arguments.targets)
    printer = ChangePrinter(context.clock, as_json=arguments.json)
    settled = SettledCheck(context.clock, arguments.appear)

    def stop_when(engine: Engine, batch: ChangeSet) -> bool:
        printer.show(engine, batch)
        return settled.all_of(engine)

    recorder = make_recorder(arguments.record, context)
    return exit_code(run_printing(run_headless(context, inputs.targets, stop_when, hooks=True, recorder=recorder)))


class ChangePrinter:
    """Prints changes as lines of text, or as one JSON object each."""

    def __init__(self, clock: Clock, *, as_json: bool) -> None:
        self._clock = clock
        self._as_json = as_json
        self._printed_at = clock.now()
        self._budget: dict[str, QuotaSnapshot] = {}
        self._awaiting_reason: set[JobKey] = set()

    def show(self, engine: Engine, batch: ChangeSet) -> None:
        """Print the events of a batch."""
        for event in batch.events:
            if self._as_json:
                self._object(engine, event)
            else:
                self._line(engine, event)
        if not self._as_json:
            self._reasons(batch)
        sys.stdout.flush()
        if self._as_json:
            self._budgets(engine)

    def _line(self, engine: Engine, event: Event) -> None:
        key = _key_of(event)
        job = engine.jobs.get(key) if key is not None else None
        text = describe_event(event, job)
        if text is None:
            return
        sys.stdout.write(f"{humanize.format_time(event.at.us)}  {f'{key}  ' if key is not None else ''}{text}\n")
        if (
            job is not None
            and job.summary_only
            and isinstance(event, PhaseChanged)
            and event.after is not Phase.SUCCEEDED
        ):
            self._awaiting_reason.add(job.key)

    def _reasons(self, batch: ChangeSet) -> None:
        """Print the reason once it arrives for jobs whose end came from a list."""
        for job in batch.jobs:
            if job.key in self._awaiting_reason and not job.summary_only:
                self._awaiting_reason.discard(job.key)
                if job.reason:
                    sys.stdout.write(
                        f"{humanize.format_time(self._clock.now().us)}  {job.key}  {describe_late_reason(job)}\n"
                    )

    def _budgets(self, engine: Engine) -> None:
        """Print the use of the rate limits when it changed, at most every ten seconds."""
        now = self._clock.now()
        if now.since(self._printed_at) < BUDGET_SECONDS:
            return
        for name, budget in engine.quotas().items():
            if self._budget.get(name) != budget:
                self._budget[name] = budget
                self._printed_at = now
                at = rfc3339(now.us) or ""
                line: BudgetEvent = {"event": "budget", "at": at, "profile": name, **budget_object(budget, now)}
                print_json(line)

    def _object(self, engine: Engine, event: Event) -> None:
        """Print a job's JSON object with ``change``; an event without a job stands alone."""
        key = _key_of(event)
        change = event_object(event)
        if key is None:
            print_json(change)
        elif key in engine.jobs:
            line: WatchedObject = {**job_object(engine.jobs[key], self._clock.now()), "change": change}
            print_json(line)


def _key_of(event: Event) -> JobKey | None:
    return None if isinstance(event, ProfileHalted | OutageBegan | OutageEnded | SleepNoticed) else event.key
