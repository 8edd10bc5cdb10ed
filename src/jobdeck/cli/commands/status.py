"""``jobdeck status``: poll each target once."""

import argparse
from collections import Counter
from dataclasses import replace

from jobdeck.app.context import ListPolicy
from jobdeck.app.json_shapes import job_object
from jobdeck.cli.bootstrap import open_store_for
from jobdeck.cli.exit_codes import ExitCode, exit_code
from jobdeck.cli.headless import run_headless
from jobdeck.cli.job_text import STATUS_HEADER, describe_row, log_anomalies
from jobdeck.cli.log import STATUS_LINE
from jobdeck.cli.output import print_json, print_table
from jobdeck.cli.rate_limit_notices import blocked_too_long
from jobdeck.cli.run_async import run_async, run_printing
from jobdeck.cli.targets import open_targets
from jobdeck.config import Settings
from jobdeck.domain.instant import Clock
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.domain.problem import Problem
from jobdeck.engine.engine import Engine
from jobdeck.engine.subscription import ChangeSet
from jobdeck.store import Store

MANY = 20
"""Above this many targets, list requests, with up to a hundred jobs each, are tried before polling each job."""

GIVE_UP_AFTER = 3
"""Give up on a profile after this many failed polls without any response."""


def run(arguments: argparse.Namespace) -> ExitCode:
    """Poll each target once, print the states, and return the exit code."""
    context, inputs = open_targets(arguments, arguments.targets)
    began = context.clock.now()
    responses = FirstResponses(inputs.targets, context.clock, as_json=arguments.json)
    try:
        lists = ListPolicy.WHOLE if len(inputs.targets) > MANY else ListPolicy.NONE
        run_printing(run_headless(context, inputs.targets, responses, lists=lists))
    finally:
        STATUS_LINE.clear()
    if responses.unpolled:
        run_async(load_unpolled(arguments, context.settings, responses))
    jobs = [responses.done[target.key] for target in inputs.targets]
    if not arguments.json:
        now = context.clock.now()
        print_table(STATUS_HEADER, [describe_row(job, now, began) for job in jobs])
    return exit_code(jobs)


async def load_unpolled(arguments: argparse.Namespace, settings: Settings, responses: "FirstResponses") -> None:
    """Load the saved state of jobs that were not polled."""
    async with open_store_for(arguments, settings) as store:
        await responses.load_saved(store)


class FirstResponses:
    """Collects each job's first response; JSON is printed as responses arrive.

    `unpolled` are the jobs that are not polled because their profile is down, or has a long cooldown.
    """

    def __init__(self, targets: tuple[Target, ...], clock: Clock, *, as_json: bool) -> None:
        self.done: dict[JobKey, Job] = {}
        self.unpolled: dict[JobKey, Job] = {}
        self._total = len(targets)
        self._clock = clock
        self._as_json = as_json
        self._answered: set[str] = set()
        self._failed: Counter[str] = Counter()

    def __call__(self, engine: Engine, batch: ChangeSet) -> bool:
        """Process a batch; returns whether every target was polled, or no more responses can come."""
        for job in batch.jobs:
            if job.key in self.done or job.awaits_part:
                continue
            if job.problem or (job.answered and (job.confirmed or not job.terminal)):
                engine.stop_polling(job.key)
                self._take(job)
            elif job.terminal:
                # A list or another process reported it: only the job's own response determines the exit code.
                engine.poll_ended(job.key)
            elif job.observed and job.key.profile not in engine.halted():
                engine.poll_now(job.key)
        for profile, problem in self._down(engine, batch).items():
            for job in engine.jobs.values():
                if job.key.profile == profile and job.key not in self.done:
                    self._give_up(job, _not_polled(profile, problem))
        silent = blocked_too_long(engine, self._clock.now())
        for job in engine.jobs.values():
            if job.key.profile in silent and job.key not in self.done:
                self._give_up(job, silent[job.key.profile])
        STATUS_LINE.show(f"{len(self.done)} of {self._total} polled")
        return len(self.done) + len(self.unpolled) == self._total

    async def load_saved(self, store: Store) -> None:
        """Report the jobs that were not polled in their saved state."""
        now, saved = self._clock.now(), await store.load(self.unpolled)
        for key, job in tuple(self.unpolled.items()):
            self._take(replace(saved[key].at(now), problem=job.problem) if key in saved else job)

    def _take(self, job: Job) -> None:
        self.unpolled.pop(job.key, None)
        if self._as_json:
            print_json(job_object(job, self._clock.now()))
            log_anomalies([job])
        # The result was printed, or is not wanted: all results together may take gigabytes.
        self.done[job.key] = job.without_result()

    def _give_up(self, job: Job, problem: Problem) -> None:
        """Stop polling a job; if only a part is missing, it counts as polled."""
        if job.confirmed and job.awaits_part:
            self._take(job)
        else:
            self.unpolled[job.key] = replace(job, problem=problem)

    def _down(self, engine: Engine, batch: ChangeSet) -> dict[str, Problem]:
        """Return the profiles that are not worth another request, each with its problem."""
        down = dict(engine.halted())
        for exchange in batch.exchanges:
            problem = exchange.problem
            if problem is None or problem.kind.reached_server:
                self._answered.add(exchange.profile)
                continue
            self._failed[exchange.profile] += 1
            if exchange.profile not in self._answered and self._failed[exchange.profile] >= GIVE_UP_AFTER:
                down[exchange.profile] = problem
        return down


def _not_polled(profile: str, problem: Problem) -> Problem:
    """Return the problem of a job that was not polled because its profile is down; it has no exchange."""
    return Problem(problem.kind, f"not polled because profile {profile} is down: {problem.message}")
