"""A process in which Python looks as on Windows, as far as that can be had elsewhere.

What only POSIX has is gone: modules, functions, signals, handlers of signals in an event loop, the terminal's name.
What only Windows has is there: an open file can be neither renamed nor replaced nor deleted, `os.kill` with 0 is
Ctrl-C, and a few calls of the system answer. Paths, line ends, consoles and processes stay what they are here.
"""

import asyncio
import ctypes
import errno
import importlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

MODULES = frozenset({"fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"})
FUNCTIONS = (
    "chown ctermid fchmod fchown fork forkpty getegid geteuid getgid getgroups getloadavg getpgid getpgrp getsid"
    " getuid initgroups killpg lchown mkfifo mknod nice openpty setgid setpgid setpriority setsid setuid statvfs"
    " sysconf tcgetpgrp ttyname uname"
)
SIGNALS = "SIGALRM SIGCHLD SIGCONT SIGHUP SIGPIPE SIGQUIT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGUSR1 SIGUSR2 SIGWINCH"
LIBRARIES = (
    "apsw concurrent.futures.thread email.message encodings.idna getpass gzip h11 httpcore._backends.anyio httpx"
    " importlib.metadata inspect logging multiprocessing pydantic.main rich.console selectors shutil ssl"
    " starlette.routing tempfile textual.app textual.drivers.linux_driver textual.pilot textual.widgets.text_area"
    " tomllib unittest.mock uvicorn websockets webbrowser zoneinfo"
)
"""What looks at the platform when it is imported, and could not work here as on Windows."""

FILE_IN_USE = 32
_TEMPORARY = 1 << 30


def pretend() -> None:
    """Make this process look as on Windows; before anything of jobdeck is imported."""
    for name in LIBRARIES.split():
        importlib.import_module(name)
    importlib.import_module("anyio._backends._asyncio")
    asyncio.new_event_loop().close()  # chosen by the platform when the first is made
    _take_away()
    _bring()
    sys.platform = "win32"


def _take_away() -> None:
    for name in FUNCTIONS.split():
        if hasattr(os, name):
            delattr(os, name)
    for name in SIGNALS.split():
        if hasattr(signal, name):
            delattr(signal, name)
    for name in MODULES:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, _Hidden())

    def add_signal_handler(*_: object) -> None:
        raise NotImplementedError

    asyncio.SelectorEventLoop.add_signal_handler = add_signal_handler  # type: ignore[method-assign, assignment] - so it is there


class _Hidden(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in MODULES:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


def _bring() -> None:
    constants: tuple[tuple[Any, str, int], ...] = (
        (os, "O_TEMPORARY", _TEMPORARY),
        (os, "O_NOINHERIT", 0),
        (os, "O_BINARY", 0),
        (signal, "SIGBREAK", 21),
        (socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR),
        (subprocess, "CREATE_NO_WINDOW", 0),
    )
    for module, name, value in constants:
        setattr(module, name, value)
    shutil._winapi = SimpleNamespace(NeedCurrentDirectoryForExePath=lambda _: False)  # type: ignore[attr-defined] - only there
    _bring_files()
    _bring_processes()


def _bring_files() -> None:
    opened, closed, unlink = os.open, os.close, os.unlink
    temporary: dict[int, str] = {}

    def open_file(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if os.fspath(path) == "/dev/tty":
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        descriptor = opened(path, flags & ~_TEMPORARY, mode, dir_fd=dir_fd)
        if flags & _TEMPORARY:
            temporary[descriptor] = os.fspath(path)
        return descriptor

    def close_file(descriptor: int) -> None:
        closed(descriptor)
        if name := temporary.pop(descriptor, None):
            unlink(name)

    os.open, os.close = open_file, close_file
    for name in ("rename", "replace", "unlink", "remove"):
        setattr(os, name, _refusing_open_files(getattr(os, name)))


def _refusing_open_files(change: Callable[..., None]) -> Callable[..., None]:
    def careful(*paths: Any, **options: Any) -> None:
        in_use = {str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()}
        for path in paths:
            if isinstance(path, str | Path) and str(Path(path).absolute()) in in_use:
                raise PermissionError(errno.EACCES, "The process cannot access the file", str(path))
        change(*paths, **options)

    return careful


def _bring_processes() -> None:
    kill = os.kill

    def send(process: int, number: int) -> None:
        if number in {0, 1}:
            raise AssertionError(f"os.kill({process}, {number}) is Ctrl-C")
        kill(process, number)

    class Kernel32:
        def __init__(self) -> None:
            self.error = 0

        def __getattr__(self, name: str) -> Callable[..., int]:
            def call(*arguments: Any) -> int:
                if name == "OpenProcess":
                    try:
                        kill(arguments[2].value, 0)
                    except ProcessLookupError:
                        self.error = 87
                        return 0
                    return arguments[2].value
                assert name in {"GetExitCodeProcess", "CloseHandle"}, name
                return 1

            self.__dict__[name] = call
            return call

    kernel = Kernel32()
    os.kill = send
    ctypes.WinDLL = lambda *_, **__: kernel  # type: ignore[attr-defined] - only there
    ctypes.get_last_error = lambda: kernel.error  # type: ignore[attr-defined] - only there
