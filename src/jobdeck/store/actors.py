"""Who writes: one run of one process, told apart from every other on this and other machines."""

import os
import platform
import re
import sys
from functools import cache
from pathlib import Path
from uuid import uuid4

_NAME = re.compile(r"(.+):([0-9]{1,10})-[0-9a-f]{8}", re.DOTALL)


def new_actor() -> str:
    """Return a name for this run: where it runs, the process, and eight random digits."""
    return f"{_place()}:{os.getpid()}-{uuid4().hex[:8]}"


def has_gone(actor: str) -> bool:
    """Whether the process of an actor is certainly no more; False for one elsewhere, of which nobody here can tell.

    A number that another process was given since counts as the old one: a lease then ends by its time, as it does
    for every process of another machine.
    """
    named = _NAME.fullmatch(actor)
    if named is None or named[1] != _place():
        return False
    return not _may_run(int(named[2]))


if sys.platform == "win32":
    import ctypes

    _INVALID_PARAMETER = 87
    _QUERY = 0x1000  # PROCESS_QUERY_LIMITED_INFORMATION
    _STILL_ACTIVE = 259
    _LARGEST = 0xFFFFFFFF

    def _may_run(number: int) -> bool:
        # Here, os.kill() with 0 is not a question: it is Ctrl-C.
        if number > _LARGEST:
            return True
        system = ctypes.WinDLL("kernel32", use_last_error=True)
        system.OpenProcess.restype = ctypes.c_void_p
        handle = system.OpenProcess(_QUERY, False, ctypes.c_uint32(number))
        if not handle:
            return ctypes.get_last_error() != _INVALID_PARAMETER
        code = ctypes.c_uint32(_STILL_ACTIVE)
        system.GetExitCodeProcess(ctypes.c_void_p(handle), ctypes.byref(code))
        system.CloseHandle(ctypes.c_void_p(handle))
        return code.value == _STILL_ACTIVE
else:

    def _may_run(number: int) -> bool:
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return False
        except (OSError, OverflowError):
            return True
        return True


@cache
def _place() -> str:
    """Return within what a process number means one process: this machine, and the container where there is one."""
    try:
        space = f"/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        space = ""
    return platform.node() + space
