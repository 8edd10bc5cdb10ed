"""Explains why a directory cannot be used, and what the user can do about it."""

import os
import shlex
import stat
import sys
from pathlib import Path

if sys.platform != "win32":
    import pwd


def explain_access(directory: Path) -> str:
    """Return the part of a path that is in the way, the reason and the remedy, in one line; empty if there is none.

    A directory that does not exist is fine if it can be created.
    """
    try:
        return _explain(directory.expanduser().absolute())
    except (OSError, ValueError, RuntimeError) as error:
        return f"{directory}: {getattr(error, 'strerror', None) or error}"


def explain_file(path: Path) -> str:
    """Return why an existing file cannot be read and written, and the remedy, in one line; empty if it can."""
    try:
        if not path.exists() or _allowed(path, os.R_OK | os.W_OK):
            return ""
        quoted = shlex.quote(str(path))
        if _owned_by_other(path):
            return f'{path} belongs to {_owner(path)}: sudo chown "$(id -un)" {quoted}'
    except OSError:
        return ""
    return f"no permission to read and write {path}: chmod u+rw {quoted}"


def _explain(directory: Path) -> str:
    above = Path(directory.anchor)
    for place in (*reversed(directory.parents), directory):
        try:
            state = place.stat()
        except FileNotFoundError:
            if place.is_symlink():
                target = place.parent / place.readlink()
                return f"{place} links to {target}, which does not exist: mkdir -p {shlex.quote(str(target))}"
            return _denied(above, os.W_OK | os.X_OK)
        if not stat.S_ISDIR(state.st_mode):
            return f"{place} is a file, not a directory: move it out of the way"
        if not _allowed(place, os.X_OK):
            return _denied(place, os.X_OK)
        above = place
    return _denied(directory, os.R_OK | os.W_OK | os.X_OK)


def _denied(directory: Path, rights: int) -> str:
    """Return why an existing directory denies these rights; empty if it grants them."""
    if _allowed(directory, rights):
        return ""
    if hasattr(os, "statvfs") and os.statvfs(directory).f_flag & os.ST_RDONLY and not _owned_by_other(directory):
        return f"{directory} is on a read-only file system"
    quoted = shlex.quote(str(directory))
    if not _owned_by_other(directory):
        return f"no permission to write to {directory}: chmod u+rwx {quoted}"
    remedy = f'sudo chown -R "$(id -un)" {quoted}' if _is_below_own_home(directory) else "set HOME to your own"
    return f"{directory} belongs to {_owner(directory)}: {remedy}"


def _allowed(directory: Path, rights: int) -> bool:
    return os.access(directory, rights, effective_ids=os.access in os.supports_effective_ids)


def _owned_by_other(path: Path) -> bool:
    return hasattr(os, "geteuid") and path.stat().st_uid != os.geteuid()


def _is_below_own_home(directory: Path) -> bool:
    try:
        home = Path.home()
    except RuntimeError:
        return False  # unknown
    return home in directory.parents and not _owned_by_other(home)


def _owner(path: Path) -> str:
    number = path.stat().st_uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
