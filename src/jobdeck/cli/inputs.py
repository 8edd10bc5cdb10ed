"""Targets from the command line: arguments, files and standard input."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jobdeck.apis.target_input import MAX_INPUT, parse_input
from jobdeck.apis.targets import ProfileRegistry, TargetError, parse_target
from jobdeck.cli.errors import CommandError
from jobdeck.cli.narration import narrate
from jobdeck.cli.opening import open_wiring
from jobdeck.cli.sources import Source, find_source
from jobdeck.cli.terminal import is_piped
from jobdeck.domain.job import Target
from jobdeck.domain.text import one_line
from jobdeck.files import expand_home
from jobdeck.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the arguments named, in order and without repetition; `piped` when standard input was read."""

    targets: tuple[Target, ...]
    piped: bool


def open_targets(arguments: argparse.Namespace, texts: Sequence[str]) -> tuple[Wiring, Inputs]:
    """Return the wiring, and the targets that `texts` name. The credentials of their profiles were had by then.

    Raises `ConfigError` or `CommandError` (exit 2); nothing was sent, and nothing is running or drawn.
    """
    wiring = open_wiring(arguments)
    inputs = gather_targets(texts, wiring.registry)
    for name in dict.fromkeys(target.key.profile for target in inputs.targets):
        wiring.profile(name)
    return wiring, inputs


def gather_targets(arguments: Sequence[str], registry: ProfileRegistry) -> Inputs:
    """Parse every argument: ``-`` is standard input, an existing file is read, anything else is a target.

    One that may be meant as either is refused, with both ways to say it.
    ``PROFILE:-`` is standard input of which every job that says no more than its ID is one of that profile.
    Raises `CommandError` (exit 2) that names each refused target with its reason; nothing was sent by then.
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
        parsed = parse_input(_read(source), replace(registry, default=source.profile or registry.default))
        for target in parsed.targets:
            found.setdefault(target.key, target)
        refused.extend(reason if reason.startswith(text) else f"{text}: {reason}" for text, reason in parsed.refused)
        if not parsed.targets and not parsed.refused:
            refused.append(f"{'standard input' if source.path is None else one_line(argument, 200)} names no target")
    if refused:
        more = f"\n({len(refused) - 20} more)" if len(refused) > 20 else ""
        raise CommandError("\n".join(refused[:20]) + more)
    return Inputs(tuple(found.values()), any(map(is_piped, arguments)))


def read_source(argument: str) -> bytes:
    """Return what a file holds, or standard input for ``-``; raises `CommandError` when there is none."""
    path = None if argument == "-" else expand_home(argument)
    if path is not None and not path.exists():
        raise CommandError(f"there is no file {one_line(argument, 200)}")
    return _read(Source(argument, path))


def _read(source: Source) -> bytes:
    if source.path is None:
        if sys.stdin.isatty():
            narrate(f"reading standard input; end with {'Ctrl-Z and Enter' if sys.platform == 'win32' else 'Ctrl-D'}")
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
