"""``jobdeck simulate``: run only the simulator."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from jobdeck.apis.pages import PageLibrary
from jobdeck.apis.spec import ApiSpec
from jobdeck.cli.exit_codes import LISTEN_ERRORS, CommandError, ExitCode
from jobdeck.cli.run_async import start_collecting
from jobdeck.domain.text import one_line
from jobdeck.simulator.demo import DEMO_PROFILES, DemoProfile, demo_scenario, demo_targets
from jobdeck.simulator.scenario import Scenario, ScenarioError, load_scenario
from jobdeck.simulator.server import serve_forever


def run(arguments: argparse.Namespace) -> ExitCode:
    """Serve until a signal; once the port is open, print what to type in another terminal."""
    scenario = _scenario(arguments)
    targets = demo_targets(scenario)
    start_collecting()
    try:
        serve_forever(scenario, port=arguments.port, on_ready=lambda url: _explain(url, targets))
    except OSError as error:
        if error.errno not in LISTEN_ERRORS:
            raise
        message = f"cannot listen on port {arguments.port}: {error.strerror or type(error).__name__}"
        raise CommandError(message) from None
    return ExitCode.OK


def _scenario(arguments: argparse.Namespace) -> Scenario:
    seed = 1 if arguments.seed is None else arguments.seed
    if arguments.scenario is None:
        scenario = demo_scenario(jobs=arguments.jobs or 24, seed=seed)
    else:
        if arguments.jobs is not None:
            raise CommandError("--jobs cannot be combined with --scenario")
        try:
            scenario = load_scenario(Path(arguments.scenario))
        except ScenarioError as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            message = f"cannot read {one_line(arguments.scenario, 200)}: {error.strerror or type(error).__name__}"
            raise CommandError(message) from None
        if arguments.seed is not None:
            scenario = replace(scenario, seed=seed)
    return scenario if arguments.speed is None else replace(scenario, speed=arguments.speed)


def _explain(url: str, targets: Sequence[str]) -> None:
    library = PageLibrary()
    settings = "".join(f"  {_setting(_variables(library.spec(one.api), one, url))}\n" for one in DEMO_PROFILES)
    sys.stderr.write(
        f"jobdeck: simulating {len(targets)} jobs from two APIs on {url} (Ctrl-C to stop). In another terminal:\n\n"
        f"{settings}"
        f"  jobdeck {' '.join(targets[:3])}\n\n"
    )
    sys.stderr.flush()
    for target in targets:
        sys.stdout.write(f"{target}\n")
    sys.stdout.flush()


def _variables(spec: ApiSpec, profile: DemoProfile, url: str) -> dict[str, str]:
    """Return the environment variables that point a profile of an API at the simulator."""
    way = next(way for way in spec.auth if set(way.secrets) == profile.secrets.keys())
    return {spec.base_url_env: url, **{way.env[name]: profile.secrets[name] for name in way.secrets}}


def _setting(variables: Mapping[str, str]) -> str:
    """Return the shell command that sets variables; on Windows for PowerShell."""
    if sys.platform == "win32":
        return "; ".join(f"$env:{name}='{value}'" for name, value in variables.items())
    return "export " + " ".join(f"{name}={value}" for name, value in variables.items())
