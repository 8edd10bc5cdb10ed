"""Runs the user's hooks: no shell, no API keys, always with a time limit."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from jobdeck.config.programs import Hook
from jobdeck.domain.job import Job
from jobdeck.domain.text import one_line
from jobdeck.http.credentials import secrets_seen
from jobdeck.http.redactor import Redactor

HOOK_SECONDS = 30.0
AT_ONCE = 4
VALUE_LIMIT = 1_000
LEAST_KEY = 8
"""Minimum length of a key to redact; a shorter one is not accepted as a key, and may be any word."""

Describe = Callable[[Job], Mapping[str, Any]]
"""Returns the JSON object of a job."""


class HookRunner:
    """Runs hooks for finished jobs, at most four at a time, each in its own process group."""

    def __init__(
        self,
        hooks: Sequence[Hook],
        environ: Mapping[str, str],
        secret_variables: frozenset[str],
        describe: Describe,
        on_error: Callable[[str], object],
    ) -> None:
        """Create the runner; `on_error` gets a line for each failed hook."""
        self._hooks = tuple(hooks)
        self._environ = dict(environ)
        self._secret_variables = secret_variables
        self._describe = describe
        self._on_error = on_error
        self._slots = asyncio.Semaphore(AT_ONCE)

    def wants(self, job: Job, *, team: bool = False) -> bool:
        """Whether any hook of the user, or of the `team`, applies to a finished job."""
        return any(hook.wants(job) for hook in self._hooks if hook.team is team)

    async def run(self, job: Job, *, team: bool = False) -> None:
        """Run the hooks of the user, or of the `team`, that apply to a job, one after the other. Never raises."""
        for hook in self._hooks:
            if hook.team is team and hook.wants(job):
                await self.run_program(hook.run, f"hook {hook.name}", job)

    async def run_program(self, run: Sequence[str], name: str, job: Job) -> None:
        """Run a program for a job, like a hook; a failure is reported with `name`. Never raises."""
        async with self._slots:
            failure = await self._run(run, job)
        if failure is not None:
            self._on_error(f"{name}: {failure}")

    async def _run(self, run: Sequence[str], job: Job) -> str | None:
        described = {key: value for key, value in self._describe(job).items() if key != "result"}
        data = json.dumps(described, ensure_ascii=True, allow_nan=False).encode() + b"\n"
        silent = asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *run,
                stdin=asyncio.subprocess.PIPE,
                stdout=silent,
                stderr=silent,
                env={**without_secrets(self._environ, self._secret_variables, secrets_seen()), **job_variables(job)},
                start_new_session=True,
                creationflags=_UNSEEN,
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            return f"could not start: {reason or type(error).__name__}"
        try:
            async with asyncio.timeout(HOOK_SECONDS):
                await process.communicate(data)
        except TimeoutError:
            return f"killed after {HOOK_SECONDS:.0f} s"
        finally:
            # Processes started by the hook end with it, even if this is cancelled.
            with suppress(OSError):
                await _kill(process)
            if process.returncode is None:
                await process.wait()
        return f"exited with code {process.returncode}" if process.returncode else None


if sys.platform == "win32":
    # A console of its own: no window, and Ctrl-C for jobdeck does not reach it.
    _UNSEEN = subprocess.CREATE_NO_WINDOW

    async def _kill(process: asyncio.subprocess.Process) -> None:
        # Windows has no process groups: the tree is found from its root, which must still be running.
        if process.returncode is None:
            silent = asyncio.subprocess.DEVNULL
            command = ("taskkill", "/F", "/T", "/PID", str(process.pid))
            with suppress(OSError):
                killer = await asyncio.create_subprocess_exec(
                    *command, stdin=silent, stdout=silent, stderr=silent, creationflags=_UNSEEN
                )
                await killer.wait()
            if process.returncode is None:
                process.kill()
else:
    _UNSEEN = 0

    async def _kill(process: asyncio.subprocess.Process) -> None:
        os.killpg(process.pid, signal.SIGKILL)


def without_secrets(
    environ: Mapping[str, str], secret_variables: frozenset[str], secrets: Iterable[str] = ()
) -> dict[str, str]:
    """Return an environment without API keys, whatever their variable or spelling.

    `secrets` are keys from elsewhere, such as files.
    """
    known = {environ[name].strip() for name in secret_variables if name in environ}
    redactor = Redactor({*known, *(secret for secret in secrets if len(secret) >= LEAST_KEY)})
    return {
        name: value for name, value in environ.items() if name not in secret_variables and redactor.text(value) == value
    }


def job_variables(job: Job) -> dict[str, str]:
    """Return the environment variables for a hook: values are clean and on one line, empty if unknown."""
    error = job.error
    values = {
        "JOB": str(job.key),
        "JOB_ID": job.key.id,
        "PROFILE": job.key.profile,
        "ACCOUNT_GROUP": job.key.account_group,
        "KIND": job.kind,
        "PHASE": job.phase.value,
        "STATUS": job.status,
        "REQUEST_ID": job.request_id,
        "TRACE_ID": job.trace_id,
        "ERROR_CODE": error.code if error is not None else None,
        "ERROR_MESSAGE": error.message if error is not None else None,
    }
    return {f"JOBDECK_{name}": one_line(value or "", VALUE_LIMIT) for name, value in values.items()}
