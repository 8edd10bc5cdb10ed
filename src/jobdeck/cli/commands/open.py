"""``jobdeck [TARGET…]``: open the screen."""

import argparse
from typing import TYPE_CHECKING

from jobdeck.app.live_session import LiveSession
from jobdeck.cli.bootstrap import make_recorder, open_context
from jobdeck.cli.screen import read_keys_from_terminal, require_terminal, run_screen
from jobdeck.cli.streams import is_piped
from jobdeck.cli.targets import open_targets
from jobdeck.config import ConfigError

if TYPE_CHECKING:
    from jobdeck.app.context import AppContext
    from jobdeck.domain.job import Target


def run(arguments: argparse.Namespace) -> int:
    """Open the screen on the targets, and return its exit code."""
    piped = any(map(is_piped, arguments.targets))
    require_terminal(piped=piped)
    context, targets = _named(arguments) if arguments.targets else (open_context(arguments), ())
    if context.settings.keys:
        _refuse_built_in(context)
    for settings in context.settings.profiles.values():
        settings.prompt()
    if piped:
        read_keys_from_terminal()
    recorder = make_recorder(arguments.record, context)
    session = LiveSession(context, targets, context.settings.notices, lists=arguments.discover, recorder=recorder)
    session.batch = arguments.batch or "" if not targets else ""
    return run_screen(session, mouse=context.settings.mouse)


def _refuse_built_in(context: "AppContext") -> None:
    """Raise `ConfigError` if a configured key is built in."""
    from jobdeck.tui.program_keys import taken_key  # noqa: PLC0415 - for those with keys of their own

    taken = taken_key(one.key for one in context.settings.keys)
    if taken is not None:
        key, label = taken
        raise ConfigError(f"{context.settings.path}: [keys] {key}: built in ({label}), choose another key")


def _named(arguments: argparse.Namespace) -> "tuple[AppContext, tuple[Target, ...]]":
    context, inputs = open_targets(arguments, arguments.targets)
    return context, inputs.targets
