"""Exit codes: a contract with users' scripts."""

from __future__ import annotations

import errno
import signal
from enum import IntEnum
from typing import TYPE_CHECKING

from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.text import clean, mask_keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jobdeck.domain.job import Job


class ExitCode(IntEnum):
    """The exit codes of all commands."""

    OK = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3
    NOT_ALLOWED = 4
    CANCELLED = 5
    NOT_FOUND = 6
    UNREACHABLE = 7
    INTERNAL = 70
    TIMED_OUT = 124
    HANGUP = 129
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143


SIGNAL_CODES = {
    getattr(signal, name): code
    for name, code in (("SIGTERM", ExitCode.TERMINATED), ("SIGHUP", ExitCode.HANGUP))
    if hasattr(signal, name)
}
"""Signals that end a command, besides SIGINT, which Python handles; Windows has no SIGHUP."""

# Order of precedence: definite failures first, then "unreachable", which may hide a failure, then milder outcomes.
_ORDER = (
    ExitCode.FAILED,
    ExitCode.NOT_ALLOWED,
    ExitCode.NOT_FOUND,
    ExitCode.UNREACHABLE,
    ExitCode.PARTIAL,
    ExitCode.CANCELLED,
    ExitCode.OK,
)


_OUTCOMES = {
    Phase.SUCCEEDED: ExitCode.OK,
    Phase.PARTIAL: ExitCode.PARTIAL,
    Phase.FAILED: ExitCode.FAILED,
    Phase.CANCELLED: ExitCode.CANCELLED,
}


def exit_code(jobs: Iterable[Job]) -> ExitCode:
    """Return the one exit code for several jobs.

    It is the first that applies of failed, not allowed, not found, unreachable, partial, cancelled; else OK, even if
    some are unfinished.
    """
    return worst(map(job_code, jobs))


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the first of several codes in the order of `exit_code`; OK for none."""
    return min(codes, key=_ORDER.index, default=ExitCode.OK)


def job_code(job: Job) -> ExitCode:
    """Return a job's exit code: its outcome if a response in this run confirmed it, otherwise the reason there is none.

    Saved data, a list or another process cannot confirm an outcome: without a response in this run the job counts as
    unreachable. OK for an unfinished job.
    """
    if job.confirmed and job.terminal:
        return _OUTCOMES[job.phase]
    if job.trouble is not None:
        return problem_code(job.trouble.kind)
    return ExitCode.OK if job.answered and not job.terminal else ExitCode.UNREACHABLE


def problem_code(kind: ProblemKind) -> ExitCode:
    """Return the code for a problem: 4 for a rejected key or missing permission, 6 for not found, 7 for all others."""
    match kind:
        case ProblemKind.AUTH | ProblemKind.PERMISSION:
            return ExitCode.NOT_ALLOWED
        case ProblemKind.NOT_FOUND:
            return ExitCode.NOT_FOUND
        case _:
            return ExitCode.UNREACHABLE


LISTEN_ERRORS = frozenset({errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES, errno.EPERM})
"""Possible errors of a port that the user chose; any other error of a server is a bug."""


class CommandError(Exception):
    """A command cannot continue. Each line of the message is printed to stderr; `code` is the exit code."""

    def __init__(self, message: str, code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(clean(mask_keys(message), lines=True))
        self.code = code
