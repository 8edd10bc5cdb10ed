"""Processes of jobdeck that need not import it: they are forked from one that has.

To start Python and to import the screen and the HTTP client takes 0.9 s of CPU, and the rest of what such a test has a
process do 0.4. A process from here is one of its own all the same: its session, streams, environment and signals are
what is asked for. What a test breaks before anything is imported, and how Python itself starts, needs a fresh one.
"""

import atexit
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.reduction import DupFd
from pathlib import Path
from signal import Signals
from typing import Any

_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(["tests.support.preloaded"])
# Waited for, it counts as ours, and so does the CPU of all that it has forked.
atexit.register(forkserver._forkserver._stop)


class Forked:
    """A process that runs Python code in a session of its own; what `subprocess.Popen` has, as far as tests need it.

    `streams` are the descriptors of its standard streams.
    """

    def __init__(
        self, code: str, arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path, streams: tuple[int, int, int]
    ) -> None:
        inherited = [_Inherited(stream) for stream in streams]
        self._process = _FORKING.Process(target=_run, args=(code, list(arguments), dict(env), str(cwd), inherited))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code once it has ended; minus the signal that ended it."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self._process.exitcode
        assert code is not None, f"it still runs after {timeout} s"
        return code

    def send_signal(self, number: Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()


class _Inherited:
    """A descriptor that the process gets as one of its own."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __reduce__(self) -> tuple[Any, ...]:
        return _detach, (DupFd(self._descriptor),)


def _detach(duplicate: Any) -> int:
    return int(duplicate.detach())


def _run(code: str, arguments: list[str], env: dict[str, str], cwd: str, streams: list[int]) -> None:
    os.setsid()
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = open(number, "w" if number else "r", encoding="utf-8", closefd=False)  # noqa: SIM115 - to the end
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.argv = ["jobdeck", *arguments]
    exec(code, {"__name__": "__main__"})
