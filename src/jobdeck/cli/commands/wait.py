"""``jobdeck wait``: block until the jobs have finished; the exit code is the outcome."""

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

from jobdeck.app.json_shapes import job_object
from jobdeck.cli.bootstrap import make_recorder
from jobdeck.cli.commands.watch import ChangePrinter
from jobdeck.cli.exit_codes import ExitCode, exit_code
from jobdeck.cli.headless import SettledCheck, TimedOutError, run_headless
from jobdeck.cli.job_text import describe_summary, log_anomalies
from jobdeck.cli.log import STATUS_LINE, log
from jobdeck.cli.output import print_json
from jobdeck.cli.run_async import run_printing
from jobdeck.cli.targets import open_targets
from jobdeck.domain import humanize
from jobdeck.domain.attention import unreachable
from jobdeck.domain.instant import Clock, Instant
from jobdeck.domain.job import Job, JobKey
from jobdeck.domain.phase import Phase
from jobdeck.engine.engine import Engine
from jobdeck.engine.subscription import ChangeSet

IN_MEMORY = 8 * 1024 * 1024
"""Bytes of results kept in memory before a file is used: 300 results of 1 MB took 412 MB of memory."""


class ResultFile:
    """Stores the newest result of each job in an unnamed temporary file, which no other user can open.

    If it cannot be written, `error` is the error, and later results are dropped.
    """

    def __init__(self) -> None:
        self.error: OSError | None = None
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed by `close`
        self._places: dict[JobKey, tuple[int, int, int]] = {}
        self._end = 0

    def put(self, job: Job) -> None:
        """Store the result of a job, if it has one."""
        if job.result is None or self.error is not None:
            return
        digest = hash(job.result)
        if job.key in self._places and self._places[job.key][2] == digest:
            return
        body = job.result.encode("utf-8", "surrogatepass")
        try:
            self._file.seek(self._end)
            self._file.write(body)
            self._file.flush()
        except OSError as error:
            self.error = error
            return
        self._places[job.key] = self._end, len(body), digest
        self._end += len(body)

    def whole(self, job: Job) -> Job:
        """Return the job with its result, if that was evicted from memory and is stored here."""
        place = self._places.get(job.key)
        if job.evicted_result is None or place is None:
            return job
        self._file.seek(place[0])
        return replace(job, result=self._file.read(place[1]).decode("utf-8", "surrogatepass"))

    def close(self) -> None:
        """Delete the file."""
        self._file.close()


def run(arguments: argparse.Namespace) -> ExitCode:
    """Wait for all targets, or for one with ``--any``; returns 124 after the time limit."""
    with closing(ResultFile()) as results:
        return _run(arguments, results)


def _run(arguments: argparse.Namespace, results: ResultFile) -> ExitCode:
    context, inputs = open_targets(arguments, arguments.targets)
    recorder = make_recorder(arguments.record, context)
    waiting = Waiting(arguments, context.clock, results)
    try:
        jobs = run_printing(
            run_headless(context, inputs.targets, waiting, arguments.timeout, hooks=True, recorder=recorder)
        )
        code = wait_code(jobs, by_any=waiting.ended_by_any)
    except TimedOutError as error:
        jobs, code = error.jobs, ExitCode.TIMED_OUT
    finally:
        STATUS_LINE.clear()
    if arguments.json:
        now = context.clock.now()
        for job in jobs:
            whole = results.whole(job)
            print_json(job_object(whole, now))
            log_anomalies([whole])
        if (unwritten := results.error) is not None:
            log(f"some large results are missing: cannot write a temporary file: {unwritten.strerror}")
    else:
        if outcome := "\n".join(describe_summary(jobs, brief=not STATUS_LINE.possible or code is ExitCode.TIMED_OUT)):
            log(outcome)
        if code is ExitCode.TIMED_OUT:
            log(f"timed out with {describe_rest(jobs)}")
    return code


def wait_code(jobs: Sequence[Job], *, by_any: bool) -> ExitCode:
    """Return the exit code of a finished wait; OK only if every relevant job has finished."""
    code = exit_code([job for job in jobs if has_ended(job)] if by_any else jobs)
    if code is ExitCode.OK and not by_any and not all(map(has_ended, jobs)):
        return ExitCode.UNREACHABLE
    return code


class Waiting:
    """Decides when a wait is over: when jobs finished, or can never be polled. A failed poll does not end it."""

    def __init__(self, arguments: argparse.Namespace, clock: Clock, results: ResultFile) -> None:
        self.ended_by_any = False
        self._results = results
        self._arguments = arguments
        self._clock = clock
        self._settled = SettledCheck(clock, arguments.appear)
        live = arguments.json or STATUS_LINE.possible
        self._printer = None if live else ChangePrinter(clock, as_json=False)

    def __call__(self, engine: Engine, batch: ChangeSet) -> bool:
        """Show a batch's changes; returns whether the wait is over."""
        jobs = tuple(engine.jobs.values())
        if self._arguments.json:
            for job in batch.jobs:
                self._results.put(job)
        if self._printer is not None:
            self._printer.show(engine, batch)
        elif not self._arguments.json:
            STATUS_LINE.show(describe_jobs(jobs, self._clock.now()))
        over = [job for job in jobs if self._settled(engine, job)]
        ended = [job for job in over if has_ended(job)]
        if self._arguments.fail_fast and any(job.phase is Phase.FAILED for job in ended):
            return True
        if self._arguments.any and ended:
            self.ended_by_any = True
            return True
        return len(over) == len(jobs)


def has_ended(job: Job) -> bool:
    """Whether a job's own response in this run says that it has finished."""
    return job.terminal and job.confirmed


def describe_rest(jobs: tuple[Job, ...]) -> str:
    """Return how many jobs are unfinished, how many of them have no data, and how many ends are unconfirmed."""
    going = [job for job in jobs if not job.terminal]
    unseen = [job for job in going if job.observed is None]
    unconfirmed = [job for job in jobs if job.terminal and not job.confirmed]
    parts = [f"{len(going)} of {len(jobs)} unfinished"] if going or not unconfirmed else []
    if unseen:
        parts.append(f"{len(unseen)} with no data ({_why_unseen(unseen[0])})")
    if unconfirmed:
        parts.append(f"{len(unconfirmed)} of {len(jobs)} finished but not confirmed ({_why_unseen(unconfirmed[0])})")
    return ", ".join(parts)


def _why_unseen(job: Job) -> str:
    problem = job.trouble
    return "no response yet" if problem is None else f"{problem.kind.label}: {problem.message}"


def describe_jobs(jobs: tuple[Job, ...], now: Instant) -> str:
    """Return the counts by state, the slowest job, and the age of the oldest data."""
    going = [job for job in jobs if not job.terminal]
    counts = [(sum(job.phase is phase for job in jobs), phase.value) for phase in Phase]
    unseen = sum(job.observed is None for job in jobs)
    parts = [f"{count} {'waiting' if word == 'unknown' else word}" for count, word in counts if count]
    if no_data := sum(unreachable(job) for job in jobs):
        parts.append(f"{no_data} unreachable")
    if going:
        slowest = max(going, key=lambda job: job.elapsed(now))
        parts.append(f"longest {slowest.key.id} {humanize.format_duration(slowest.elapsed(now))}")
    ages = [age for job in going if (age := job.age(now)) is not None]
    if ages:
        parts.append(f"oldest update {humanize.format_duration(max(ages))} ago")
    elif unseen:
        parts.append("no response yet")
    return ", ".join(parts)
