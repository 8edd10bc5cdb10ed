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
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.reduction import DupFd
from pathlib import Path
from signal import Signals
from subprocess import CompletedProcess
from tempfile import TemporaryFile
from typing import Any

ROOT = Path(__file__).parents[2]
RUN = "from jobdeck.__main__ import run\nrun()"

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


class Piped(Forked):
    """A process with a pipe to its standard input and from its output, in lines; its errors are in `said`."""

    def __init__(self, *arguments: str, env: Mapping[str, str], code: str = RUN) -> None:
        theirs, ours = os.pipe()
        reading, writing = os.pipe()
        self.stdin, self.stdout = os.fdopen(ours, "w", encoding="utf-8"), os.fdopen(reading, encoding="utf-8")
        self._errors = TemporaryFile()  # noqa: SIM115 - until it is closed
        super().__init__(code, arguments, env=env, cwd=ROOT, streams=(theirs, writing, self._errors.fileno()))
        os.close(theirs)
        os.close(writing)

    def tell(self, line: str) -> None:
        self.stdin.write(f"{line}\n")
        self.stdin.flush()

    def line(self) -> str:
        """Return the next line of its output; fails when there is none."""
        line = self.stdout.readline()
        assert line, self.said
        return line.strip()

    @property
    def said(self) -> str:
        """Its standard error so far."""
        # Not read(): its place in the file is that of who writes it.
        return os.pread(self._errors.fileno(), os.fstat(self._errors.fileno()).st_size, 0).decode()

    def close(self) -> None:
        """Kill it, unless it has ended, and let go of what belongs to it."""
        self.kill()
        self.wait()
        for file in (self.stdin, self.stdout, self._errors):
            with suppress(BrokenPipeError):
                file.close()


def forked(
    *arguments: str,
    env: Mapping[str, str],
    code: str = RUN,
    stdin: str | int = "",
    stdout: int | None = None,
    stderr: int | None = None,
    encoding: str = "utf-8",
) -> CompletedProcess[str]:
    """Run jobdeck, or other code, to its end; what does not go to a descriptor is returned."""
    with TemporaryFile() as given:
        if isinstance(stdin, str):
            given.write(stdin.encode())
            given.seek(0)
        (out, to_out), (err, to_err) = os.pipe(), os.pipe()
        given_to = stdin if isinstance(stdin, int) else given.fileno()
        streams = (given_to, to_out if stdout is None else stdout, to_err if stderr is None else stderr)
        process = Forked(code, arguments, env=env, cwd=ROOT, streams=streams)
        os.close(to_out)
        os.close(to_err)
        with os.fdopen(out, encoding=encoding) as written, os.fdopen(err, encoding=encoding) as said:
            # One after the other: no command says as much as a pipe holds.
            texts = written.read(), said.read()
        return CompletedProcess(arguments, process.wait(150), *texts)


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
