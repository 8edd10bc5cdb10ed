"""``jobdeck demo``: the screen on the embedded simulator."""

import argparse
from types import MappingProxyType

from jobdeck.cli.open_screen import run_screen
from jobdeck.cli.recording import make_recorder
from jobdeck.cli.sitting import Sitting
from jobdeck.cli.terminal import require_terminal
from jobdeck.config import ProfileSettings, Settings
from jobdeck.config.credentials import SecretRef
from jobdeck.providers.profile import Profile
from jobdeck.providers.targets import parse_target
from jobdeck.simulator.demo import demo_scenario, demo_targets
from jobdeck.simulator.threaded import ThreadedSimulator
from jobdeck.wiring import Wiring

DEMO_LIMIT = 300
"""Requests a minute: what the vendor's newer pages give for polling."""


def run(arguments: argparse.Namespace) -> int:
    """Serve the demo's jobs on loopback and open the screen on them."""
    require_terminal(piped=False)
    scenario = demo_scenario(jobs=arguments.jobs, seed=arguments.seed, speed=arguments.speed)
    with ThreadedSimulator(scenario) as simulator:
        wiring = Wiring({}, settings=demo_settings(simulator.url), keep=False)
        directory = wiring.directory
        targets = tuple(parse_target(text, directory) for text in demo_targets(scenario))
        notices = ("a demo: simulated jobs, real HTTP on this machine",)
        sitting = Sitting(wiring, targets, notices, recorder=make_recorder(arguments.record, wiring))
        return run_screen(sitting, command="demo")


def demo_settings(url: str) -> Settings:
    """Return a profile for each API, asking the simulator at `url`."""
    hog = Profile.create("hog", "thehog", base_url=url, requests_per_minute=DEMO_LIMIT)
    sonarly = Profile.create("sonarly", "sonarly", base_url=url, requests_per_minute=DEMO_LIMIT)
    profiles = {
        "hog": ProfileSettings(
            hog, access_key=SecretRef("ak_simulated", "demo"), secret_key=SecretRef("sk_simulated", "demo")
        ),
        "sonarly": ProfileSettings(sonarly, token=SecretRef("sk_live_simulated", "demo")),
    }
    return Settings(MappingProxyType(profiles), "hog", None)
