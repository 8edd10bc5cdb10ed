"""Who writes: one run of one process, told apart from every other on this and other machines."""

import os
import platform
import re
from functools import cache
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
    try:
        os.kill(int(named[2]), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


@cache
def _place() -> str:
    """Return within what a process number means one process: this machine, and the container where there is one."""
    try:
        space = f"/{os.stat('/proc/self/ns/pid').st_ino}"  # noqa: PTH116 - not worth pathlib's import
    except OSError:
        space = ""
    return platform.node() + space
