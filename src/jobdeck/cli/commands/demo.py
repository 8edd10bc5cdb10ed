"""``jobdeck demo``: the screen on the built-in simulator."""

import argparse
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from jobdeck.apis.pages import PageLibrary
from jobdeck.apis.profile import CANCEL, Profile
from jobdeck.apis.targets import parse_target
from jobdeck.app.context import AppContext
from jobdeck.app.data_store import data_dir
from jobdeck.app.live_session import LiveSession
from jobdeck.cli.bootstrap import make_recorder
from jobdeck.cli.screen import require_terminal, run_screen
from jobdeck.config import ConfigError, ProfileSettings, Settings
from jobdeck.config.credentials import SecretRef
from jobdeck.domain.job import Target
from jobdeck.scheduling.estimates import Estimates
from jobdeck.simulator.demo import DEMO_PROFILES, demo_batch, demo_durations, demo_scenario, demo_targets
from jobdeck.simulator.scenario import Scenario
from jobdeck.simulator.server import ThreadedSimulator

DEMO_LIMIT = 300
"""Requests per minute: the limit that the vendor's newer documentation gives for polling."""


def run(arguments: argparse.Namespace) -> int:
    """Serve the demo's jobs on loopback, and open the screen on them."""
    require_terminal(piped=False)
    scenario = demo_scenario(jobs=arguments.jobs, seed=arguments.seed, speed=arguments.speed)
    with ThreadedSimulator(scenario) as simulator:
        context, targets = open_demo(scenario, simulator.url, arguments.speed)
        notices = ("demo: simulated jobs over real HTTP on this machine",)
        session = LiveSession(context, targets, notices, recorder=make_recorder(arguments.record, context))
        return run_screen(session, command="demo", hints=HintFile(os.environ))


class HintFile:
    """Remembers completed hints in a file beside the database, or, if it cannot be written, for this run."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.done: set[str] = set()
        self._path: Path | None = None
        with suppress(ConfigError, OSError, ValueError):
            self._path = data_dir(env) / "hints"
            self.done.update(self._path.read_text("utf-8").split())

    def mark_done(self, action: str) -> None:
        """Save that a hint is not needed any more."""
        self.done.add(action)
        if self._path is not None:
            with suppress(OSError):
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._path.write_text("\n".join(sorted(self.done)) + "\n", "utf-8")


def open_demo(scenario: Scenario, url: str, speed: float) -> tuple[AppContext, tuple[Target, ...]]:
    """Return the demo's context for a simulator at `url`, and its jobs."""
    context = AppContext({}, settings=demo_settings(url), keep=False, estimates=demo_estimates(speed))
    registry = context.registry
    named = zip(demo_targets(scenario), scenario.jobs, strict=True)
    return context, tuple(replace(parse_target(text, registry), batch=demo_batch(job)) for text, job in named)


def demo_estimates(speed: float) -> Mapping[str, str]:
    """Return initial duration estimates for each profile, as if it had watched such jobs before."""
    known: dict[str, Estimates] = {}
    for duration in demo_durations():
        estimates = known.setdefault(duration.profile, Estimates())
        estimates.add_sample(duration.kind, duration.seconds / speed, duration.stage)
    return {name: json.dumps(estimates.export()) for name, estimates in known.items()}


def demo_settings(url: str) -> Settings:
    """Return settings with a profile for each API, pointing at the simulator at `url`."""
    library = PageLibrary()
    profiles = {}
    for one in DEMO_PROFILES:
        spec = library.spec(one.api)
        allow = frozenset({CANCEL} if spec.cancel else ())
        profile = Profile.create(one.name, spec, base_url=url, requests_per_minute=DEMO_LIMIT, allow=allow)
        refs = {name: SecretRef(value, "demo") for name, value in one.secrets.items()}
        profiles[one.name] = ProfileSettings(profile, MappingProxyType(refs))
    return Settings(MappingProxyType(profiles), DEMO_PROFILES[0].name, None)
