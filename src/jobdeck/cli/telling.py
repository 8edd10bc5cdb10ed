"""Hooks for commands and the screen: the job's own JSON object is what a hook is told."""

from collections.abc import Callable

from jobdeck.cli.output import job_object
from jobdeck.wiring import Running, Wiring
from jobdeck.wiring.hooks import HookRunner
from jobdeck.wiring.telling import Teller


def make_teller(wiring: Wiring, running: Running, complain: Callable[[str], object]) -> Teller:
    """Return what runs the configured hooks and gives notices; `complain` hears of hooks that fail."""
    settings = wiring.settings
    hooks = HookRunner(
        settings.hooks,
        wiring.env,
        settings.secret_variables,
        lambda job: job_object(job, wiring.clock.now()),
        complain,
    )
    return Teller(running.store, wiring.clock, hooks)
