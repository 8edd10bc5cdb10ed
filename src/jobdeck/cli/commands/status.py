"""``jobdeck status``: one look at each target."""

import argparse
from collections import Counter
from dataclasses import replace

from jobdeck.app.context import ListPolicy
from jobdeck.app.json_shapes import job_object
from jobdeck.cli.exit_codes import ExitCode, exit_code
from jobdeck.cli.headless import run_headless
from jobdeck.cli.job_text import STATUS_HEADER, describe_row
from jobdeck.cli.log import STATUS_LINE
from jobdeck.cli.output import print_json, print_table
from jobdeck.cli.rate_limit_notices import blocked_too_long
from jobdeck.cli.run_async import run_async, run_printing
from jobdeck.cli.store import open_store_for
from jobdeck.cli.summary import log_anomalies
from jobdeck.cli.targets import open_targets
from jobdeck.config import Settings
from jobdeck.domain.instant import Clock
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.domain.problem import Problem
from jobdeck.engine.engine import Engine
from jobdeck.engine.subscription import ChangeSet
from jobdeck.store import Store

MANY = 20
"""Targets from which on a list, which tells of a hundred jobs at once, is worth asking before each job is."""

GIVE_UP_AFTER = 3
"""Failed looks after which a profile that never answered is asked no more: the rest would wait for nothing."""


def run(arguments: argparse.Namespace) -> ExitCode:
    """Ask once for each target, print what came, and return the exit code."""
    context, inputs = open_targets(arguments, arguments.targets)
    began = context.clock.now()
    check = SingleCheck(inputs.targets, context.clock, as_json=arguments.json)
    try:
        lists = ListPolicy.WHOLE if len(inputs.targets) > MANY else ListPolicy.NONE
        run_printing(run_headless(context, inputs.targets, check, lists=lists))
    finally:
        STATUS_LINE.clear()
    if check.unasked:
        run_async(recall_unasked(arguments, context.settings, check))
    jobs = [check.done[target.key] for target in inputs.targets]
    if not arguments.json:
        now = context.clock.now()
        print_table(STATUS_HEADER, [describe_row(job, now, began) for job in jobs])
    return exit_code(jobs)


async def recall_unasked(arguments: argparse.Namespace, settings: Settings, check: "SingleCheck") -> None:
    """Take what is remembered of the jobs that a check left unasked."""
    async with open_store_for(arguments, settings) as store:
        await check.recall(store)


class SingleCheck:
    """Takes each job's first exchange; JSON is printed as responses arrive.

    `unasked` are the jobs whose profile is down, or has a cooldown too long to wait for.
    """

    def __init__(self, targets: tuple[Target, ...], clock: Clock, *, as_json: bool) -> None:
        self.done: dict[JobKey, Job] = {}
        self.unasked: dict[JobKey, Job] = {}
        self._total = len(targets)
        self._clock = clock
        self._as_json = as_json
        self._answered: set[str] = set()
        self._failed: Counter[str] = Counter()

    def __call__(self, engine: Engine, batch: ChangeSet) -> bool:
        """Take what is new; true when every target has been polled, or no more responses can come."""
        for job in batch.jobs:
            if job.key in self.done or job.awaits_part:
                continue
            if job.problem or (job.answered and (job.confirmed or not job.terminal)):
                engine.stop_polling(job.key)
                self._take(job)
            elif job.terminal:
                # Told by a list or another process: only its own answer decides the exit code.
                engine.poll_ended(job.key)
            elif job.observed and job.key.profile not in engine.halted():
                engine.poll_now(job.key)
        for profile, problem in self._down(engine, batch).items():
            for job in engine.jobs.values():
                if job.key.profile == profile and job.key not in self.done:
                    self._leave(job, _not_asked(profile, problem))
        silent = blocked_too_long(engine, self._clock.now())
        for job in engine.jobs.values():
            if job.key.profile in silent and job.key not in self.done:
                self._leave(job, silent[job.key.profile])
        STATUS_LINE.show(f"{len(self.done)} of {self._total} polled")
        return len(self.done) + len(self.unasked) == self._total

    async def recall(self, store: Store) -> None:
        """Take the jobs that were not asked for in the state in which they are remembered."""
        now, saved = self._clock.now(), await store.load(self.unasked)
        for key, job in tuple(self.unasked.items()):
            self._take(replace(saved[key].at(now), problem=job.problem) if key in saved else job)

    def _take(self, job: Job) -> None:
        self.unasked.pop(job.key, None)
        if self._as_json:
            print_json(job_object(job, self._clock.now()))
            log_anomalies([job])
        # It is on standard output, or not asked for: together they may take gigabytes.
        self.done[job.key] = job.without_result()

    def _leave(self, job: Job, problem: Problem) -> None:
        """Ask no more about a job; one of which a part alone is missing was answered."""
        if job.confirmed and job.awaits_part:
            self._take(job)
        else:
            self.unasked[job.key] = replace(job, problem=problem)

    def _down(self, engine: Engine, batch: ChangeSet) -> dict[str, Problem]:
        """Return the profiles not worth another request, with the problem that says so."""
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


def _not_asked(profile: str, problem: Problem) -> Problem:
    """Return the problem of a job that was not asked for because its profile is down; it has no exchange."""
    return Problem(problem.kind, f"not polled because profile {profile} is down: {problem.message}")
