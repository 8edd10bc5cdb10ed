"""Targets from the command line: arguments, files and stdin."""

import argparse
import os
import re
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jobdeck.apis.mistakes import is_file_name
from jobdeck.apis.targets import MAX_INPUT, ProfileRegistry, TargetError, is_absolute, parse_target
from jobdeck.app.context import AppContext
from jobdeck.cli.bootstrap import open_context
from jobdeck.cli.exit_codes import CommandError
from jobdeck.cli.log import log
from jobdeck.cli.streams import is_piped
from jobdeck.domain.job import Target
from jobdeck.domain.text import one_line
from jobdeck.files import expand_home

if TYPE_CHECKING:
    from jobdeck.apis.target_input import Parsed

_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,9}$")
_SIGNS_OF_AN_ID = re.compile(r"[0-9_~:-]")
_CERTAINLY_AN_ID = re.compile(r"[a-z]{2,12}_[A-Za-z0-9]{10,}|[0-9a-f]{24}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WAYS_OF_PATHS = ("./", "../", "~", ".\\", "..\\")


@dataclass(frozen=True, slots=True)
class Source:
    """A source of targets."""

    name: str
    path: Path | None = None
    """None stands for stdin."""
    profile: str | None = None
    """The profile of bare IDs; None stands for the default."""


@dataclass(frozen=True, slots=True)
class TargetInputs:
    """The targets of the arguments."""

    targets: tuple[Target, ...]
    """In order, without duplicates."""
    piped: bool
    """Whether stdin was read."""


def open_targets(arguments: argparse.Namespace, texts: Sequence[str]) -> tuple[AppContext, TargetInputs]:
    """Return the context, and the targets that `texts` name, after loading the credentials of their profiles.

    Raises `ConfigError` or `CommandError` (exit 2), before anything was sent or drawn.
    """
    context = open_context(arguments)
    inputs = gather_targets(texts, context.registry, getattr(arguments, "batch", None) or "")
    for name in dict.fromkeys(target.key.profile for target in inputs.targets):
        context.profile(name)
    return context, inputs


def gather_targets(arguments: Sequence[str], registry: ProfileRegistry, batch: str = "") -> TargetInputs:
    """Parse every argument: `-` is stdin, an existing file is read, anything else is a target.

    An ambiguous argument is rejected, naming both spellings. With ``PROFILE:-``, bare IDs from stdin belong to PROFILE.
    `batch` names the batch of all targets; without it, several targets from one source form a batch named after the
    source, unless they have one. Raises `CommandError` (exit 2) with the reason for each rejected target, before
    anything was sent.
    """
    found: dict[object, Target] = {}
    refused: list[str] = []
    for argument in arguments:
        try:
            source = find_source(argument, registry)
            if source is None:
                target = parse_target(argument.strip(), registry)
                found.setdefault(target.key, target)
                continue
        except TargetError as error:
            refused.append(str(error))
            continue
        parsed = _parse(_read(source), replace(registry, default=source.profile or registry.default))
        name = _batch_name(source) if len(parsed.targets) > 1 else ""
        for target in parsed.targets:
            found.setdefault(target.key, replace(target, batch=name))
        refused.extend(reason if reason.startswith(text) else f"{text}: {reason}" for text, reason in parsed.refused)
        if not parsed.targets and not parsed.refused:
            refused.append(f"{'standard input' if source.path is None else one_line(argument, 200)} contains no target")
    if refused:
        more = f"\n({len(refused) - 20} more)" if len(refused) > 20 else ""
        raise CommandError("\n".join(refused[:20]) + more)
    targets = (replace(target, batch=batch, replaces_batch=True) if batch else target for target in found.values())
    return TargetInputs(tuple(targets), any(map(is_piped, arguments)))


def _parse(data: bytes, registry: ProfileRegistry) -> "Parsed":
    from jobdeck.apis.target_input import parse_input  # noqa: PLC0415 - 10 ms, and most targets are in arguments

    return parse_input(data, registry)


def _batch_name(source: Source) -> str:
    """Return the batch name of a source: the file's name, or the time of piping."""
    if source.path is not None and source.path.name and "/dev/" not in str(source.path):
        return one_line(source.path.stem, 60)
    return f"piped {datetime.now(UTC):%m-%d %H:%M}"


def read_source(argument: str) -> bytes:
    """Return the content of a file, or of stdin for ``-``; raises `CommandError` if it cannot be read."""
    path = None if argument == "-" else expand_home(argument)
    if path is not None and not path.exists():
        raise CommandError(f"no such file: {one_line(argument, 200)}")
    return _read(Source(argument, path))


def _read(source: Source) -> bytes:
    if source.path is None:
        if sys.stdin.isatty():
            log(f"reading standard input; press {'Ctrl-Z and Enter' if sys.platform == 'win32' else 'Ctrl-D'}")
        return _capped(sys.stdin.buffer.read(MAX_INPUT + 1), "standard input")
    try:
        with source.path.open("rb") as file:
            return _capped(file.read(MAX_INPUT + 1), source.name)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CommandError(f"cannot read {one_line(source.name, 200)}: {reason}") from None


def _capped(data: bytes, name: str) -> bytes:
    if len(data) > MAX_INPUT:
        raise CommandError(f"{one_line(name, 200)} is larger than {MAX_INPUT // 1024 // 1024} MiB")
    return data


def find_source(argument: str, registry: ProfileRegistry) -> Source | None:
    """Return the source that an argument names; None if it is a target itself.

    Raises `TargetError` for an ambiguous argument and for a path with nothing to read, and `CommandError` if the file
    system gives no answer.
    """
    name = argument.removesuffix(":-")
    if argument == "-" or (name != argument and name in registry.profiles):
        return Source(argument, profile=None if argument == "-" else name)
    if not argument or is_absolute(argument) or (":" in argument and argument.partition(":")[0] in registry.profiles):
        return None
    path = expand_home(argument)
    state = _state_of(argument, path)
    if state is None:
        _refuse_missing(argument, registry)
        return None
    if stat.S_ISDIR(state.st_mode):
        if _CERTAINLY_AN_ID.fullmatch(argument):
            return None  # results are often kept in folders named like the job
        job = _as_job(argument, registry)
        hint = f"; for the job, write {job}" if job else ""
        raise TargetError(f"{one_line(argument, 200)} is a directory, not a file with targets{hint}")
    if not (stat.S_ISREG(state.st_mode) or stat.S_ISFIFO(state.st_mode)):  # a shell's <(…) is a pipe
        if _same(state, 0):
            return Source(argument)  # /dev/stdin
        raise TargetError(f"{one_line(argument, 200)} is a device or a socket, not a file with targets")
    if job := _as_job(argument, registry):
        if stat.S_ISREG(state.st_mode) and (state.st_size == 0 or _same(state, 1) or _same(state, 2)):
            return None  # created by a `> ID` on the same command line
        raise TargetError(f"{one_line(argument, 200)} could be a file or a job: write ./{argument} or {job}")
    return Source(argument, path)


def _state_of(argument: str, path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        if "/" not in argument and not os.access(".", os.X_OK):
            return None  # this folder cannot be searched, so that no file was meant
        if not _is_path(argument):
            return None  # the name is too long for a file
        raise CommandError(f"cannot read {one_line(argument, 200)}: {error.strerror or type(error).__name__}") from None


def _refuse_missing(argument: str, registry: ProfileRegistry) -> None:
    shown = one_line(argument, 200)
    if argument.startswith("/"):
        try:
            parse_target(argument, registry)
        except TargetError as error:
            raise TargetError(f"{error}; no such file either") from None
    elif _is_path(argument):
        raise TargetError(f"{shown}: no such file")
    elif argument in registry.profiles:
        raise TargetError(f"{shown} is a profile, not a job: write {shown}:ID")


def _is_path(argument: str) -> bool:
    """Whether an argument is written like a path or a file name."""
    if argument.startswith(_WAYS_OF_PATHS) or argument in {".", ".."} or is_file_name(argument):
        return True
    first, slash, _ = argument.partition("/")
    return bool(slash) and os.path.isdir(first or "/")  # noqa: PTH112 - pathlib's raises where nothing may be searched


def _as_job(argument: str, registry: ProfileRegistry) -> str:
    """Return how to write the job that an argument may stand for; empty if it does not look like an ID."""
    if _EXTENSION.search(argument) or not all(_SIGNS_OF_AN_ID.search(piece) for piece in argument.split("/")):
        return ""
    try:
        return str(parse_target(argument, registry).key)
    except TargetError:
        return ""


def _same(state: os.stat_result, descriptor: int) -> bool:
    """Whether a file is the same as one of the standard streams."""
    if sys.platform == "win32":
        return False
    try:
        return os.path.samestat(state, os.fstat(descriptor))
    except OSError:
        return False
