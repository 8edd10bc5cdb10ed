"""``jobdeck doctor``: check everything that jobdeck depends on."""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TextIO

from jobdeck import __version__
from jobdeck.apis.pages import built_in_names
from jobdeck.apis.profile import Profile
from jobdeck.app.context import AppContext
from jobdeck.app.data_store import StoreUnusableError, open_own_store
from jobdeck.app.direct_client import RateLimitedError
from jobdeck.app.discovery import listing_obstacle
from jobdeck.app.json_shapes import CheckObject
from jobdeck.cli.bootstrap import open_context, open_store_for
from jobdeck.cli.commands.discover import profiles_of
from jobdeck.cli.doctor_body import show_body
from jobdeck.cli.exit_codes import ExitCode, problem_code
from jobdeck.cli.output import print_json
from jobdeck.cli.rate_limit_notices import RateLimitNotices
from jobdeck.cli.run_async import run_async
from jobdeck.cli.screen import DUMB, screen_stream
from jobdeck.config import ConfigError, Settings
from jobdeck.config.settings import default_path
from jobdeck.domain import glyphs, humanize
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.problem import Problem
from jobdeck.domain.ratelimit import RateWindow
from jobdeck.scheduling.actions import ListPage
from jobdeck.store import LIST, POLL
from jobdeck.tui import clipboard, notifications
from jobdeck.tui.multiplexer import in_gnu_screen

CLOCK_TOLERANCE = 5.0
"""Seconds of clock difference to a server above which ages and Retry-After dates mislead."""


class Verdict(StrEnum):
    """The result of a check."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One check."""

    name: str
    """What was checked."""
    verdict: Verdict
    found: str
    """What was found."""
    code: ExitCode = ExitCode.OK
    """The exit code if the check failed."""


def run(arguments: argparse.Namespace) -> ExitCode:
    """Run and report all checks; the exit code is that of the first failed check."""
    if arguments.provider is not None or arguments.body is not None:
        return show_body(arguments)
    checks: list[Check] = [Check("version", Verdict.OK, f"jobdeck {__version__}, Python {sys.version.split()[0]}")]
    settings: Settings | None = None
    try:
        context = open_context(arguments)
    except ConfigError as error:
        checks.append(Check("configuration", Verdict.FAILED, str(error), ExitCode.USAGE))
    else:
        settings, names = context.settings, profiles_of(context, arguments.profile)
        checks.extend((_configuration(context), _apis(context)))
        for name in names:
            with suppress(ConfigError):  # reported by the check of the credential
                context.settings.profiles[name].prompt()
        checks.extend(run_async(_profiles(context, arguments, names)))
    checks.extend((run_async(_store(arguments, settings)), *_terminal()))
    _report(checks, as_json=arguments.json)
    return next((check.code for check in checks if check.verdict is Verdict.FAILED), ExitCode.OK)


def _configuration(context: AppContext) -> Check:
    settings = context.settings
    origin = (
        str(settings.path)
        if settings.path is not None
        else f"environment variables ({default_path(os.environ)} does not exist)"
    )
    profiles = ", ".join(_describe_profile(settings, name) for name in settings.profiles)
    if settings.notices:
        return Check("configuration", Verdict.WARNING, f"{'; '.join(settings.notices)}; profiles: {profiles}")
    return Check("configuration", Verdict.OK, f"{origin}; profiles: {profiles}")


def _describe_profile(settings: Settings, name: str) -> str:
    """Return a profile's name with notes: whether it is the default, and its organization."""
    organization = settings.profiles[name].profile.organization
    notes = ["default"] if name == settings.default_profile else []
    notes += [f"organization {organization}"] if organization is not None else []
    return f"{name} ({', '.join(notes)})" if notes else name


def _apis(context: AppContext) -> Check:
    """List the user's own API definitions, and which built-in ones they override."""
    library = context.settings.apis
    ours = ", ".join(
        f"{name} ({page.file}{', overrides the built-in one' if library.replaces(name) else ''})"
        for name, page in library.own.items()
    )
    built_in = f"{len(built_in_names())} built in (run 'jobdeck apis' for a list)"
    return Check("APIs", Verdict.OK, f"{ours + '; ' if ours else ''}{built_in}")


async def _profiles(context: AppContext, arguments: argparse.Namespace, names: Iterable[str]) -> list[Check]:
    # Load all credentials before the first request: a response to one profile may contain the key of another.
    credentials = {name: _credentials(context, name) for name in names}
    checks: list[Check] = []
    for name, found in credentials.items():
        checks.extend(found)
        if not any(check.verdict is Verdict.FAILED for check in found):
            checks.extend(await _check_request(context, arguments, name))
    return checks


def _credentials(context: AppContext, name: str) -> list[Check]:
    """Check that a profile's credentials can be loaded."""
    settings = context.settings.profiles[name]
    checks: list[Check] = []
    for ref in settings.secrets:
        key = ref.where.rpartition(": ")[2]
        try:
            secret = ref.resolve(os.environ)
        except ConfigError as error:
            checks.append(Check(f"{name}: {key}", Verdict.FAILED, str(error), ExitCode.USAGE))
        else:
            checks.append(Check(f"{name}: {key}", Verdict.OK, f"{secret.masked} from {ref.source}"))
    if not settings.secrets and _keyless(settings.profile):
        checks.append(Check(f"{name}: credentials", Verdict.OK, "none needed"))
    elif not settings.secrets:
        checks.append(Check(f"{name}: credentials", Verdict.FAILED, "none configured", ExitCode.USAGE))
    if not any(check.verdict is Verdict.FAILED for check in checks):
        with suppress(ConfigError):  # reported by the request
            context.profile(name)
    return checks


async def _check_request(context: AppContext, arguments: argparse.Namespace, name: str) -> list[Check]:
    """Send one authenticated request."""
    settings = context.settings.profiles[name]
    if (reason := listing_obstacle(settings.profile)) is not None:
        found = f"not sent to {settings.profile.origin}: {reason}; try jobdeck status {name}:…"
        return [Check(f"{name}: request", Verdict.OK, found)]
    origin = settings.profile.origin
    try:
        exchange, windows = await _request(context, settings.profile)
    except RateLimitedError as error:
        return [_unanswered(name, origin, error.problem)]
    if exchange.problem is not None:
        return [_unanswered(name, origin, exchange.problem)]
    trail = f", request {exchange.support_id}" if exchange.support_id else ""
    found = f"{origin} responded with {exchange.http_status} in {exchange.duration * 1000:.0f} ms{trail}"
    checks = [Check(f"{name}: request", Verdict.OK, found), await _limits(context, arguments, name, windows)]
    if exchange.clock_offset is not None:
        checks.append(_clock(name, exchange.clock_offset))
    return checks


async def _request(context: AppContext, profile: Profile) -> tuple[Exchange, tuple[RateWindow, ...]]:
    """Send one authenticated request; returns the exchange, and the rate limits of the response."""
    async with context.direct_clients([profile.name], RateLimitNotices(context.clock).notify) as clients:
        client = clients[profile.name]
        variable = next((name for name, known in profile.spec.variables.items() if known.url is not None), None)
        if variable is not None:
            return (await client.list_values(variable)).exchange, ()
        listed = profile.spec.lists[0]
        resource = profile.spec.resources[listed.shows[0]]
        place = resource.parse_account_group(None, profile.variables) or {}
        page = ListPage(resource.name, resource.account_group_of(place), limit=1)
        reply = await client.list_page(page)
        return reply.exchange, reply.windows


def _unanswered(name: str, origin: object, problem: Problem) -> Check:
    found = f"{origin}: {problem.kind.label}: {problem.message}"
    return Check(f"{name}: request", Verdict.FAILED, found, problem_code(problem.kind))


def _keyless(profile: Profile) -> bool:
    return not profile.spec.needs_secret


async def _limits(
    context: AppContext, arguments: argparse.Namespace, name: str, windows: tuple[RateWindow, ...]
) -> Check:
    """Report the rate limits: configured, announced by the server, and shared by all jobdecks on this machine."""
    profile = context.settings.profiles[name].profile
    configured, documented = profile.requests_per_minute, profile.spec.requests_per_minute
    announced = "; ".join(
        f"{window.name + ' ' if window.name else ''}{window.limit}{_per(window)}, {_left(window)}"
        for window in windows
        if window.limit is not None
    )
    ours = "not configured" if configured is None else f"{configured}/min configured"
    if configured is None and documented is not None:
        ours = f"{documented}/min documented"
    async with open_store_for(arguments, context.settings) as store:
        limits = {bucket: await store.limit(name, bucket) for bucket in (POLL, LIST)}
    in_effect = {bucket: limit for bucket, limit in limits.items() if limit is not None}
    shared = (
        "; in effect: " + ", ".join(f"{bucket} {limit}/min" for bucket, limit in in_effect.items()) if in_effect else ""
    )
    return Check(f"{name}: limits", Verdict.OK, f"{ours}; server reports {announced or 'no limit'}{shared}")


def _per(window: RateWindow) -> str:
    return f" per {humanize.format_rate_unit(window.window)}" if window.window else ""


def _left(window: RateWindow) -> str:
    return "remaining unknown" if window.remaining is None else f"{window.remaining} left"


def _clock(name: str, offset: float) -> Check:
    found = f"the server's clock is {abs(offset):.1f} s {'ahead of' if offset > 0 else 'behind'} this machine's"
    return Check(f"{name}: clock", Verdict.OK if abs(offset) <= CLOCK_TOLERANCE else Verdict.WARNING, found)


async def _store(arguments: argparse.Namespace, settings: Settings | None) -> Check:
    try:
        opened = await open_own_store(os.environ, settings, keep=not arguments.no_store)
    except StoreUnusableError as error:
        code = ExitCode.UNREACHABLE if error.unreachable else ExitCode.USAGE
        return Check("store", Verdict.FAILED, str(error), code)
    try:
        health = await opened.store.health(check=True)
    finally:
        await opened.store.close()
    left_out = (
        f"unreadable rows, skipped: {'; '.join(health.unreadable)}. They are rebuilt from the next response"
        if health.unreadable
        else ""
    )
    if opened.notices:
        problems = (*(notice.message for notice in opened.notices), left_out)
        return Check("store", Verdict.WARNING, " ".join(filter(None, problems)))
    rows = ", ".join(f"{count} {table}" for table, count in health.rows.items() if count)
    found = f"{health.place}, {health.size / 1024:.0f} KiB, schema {health.schema}, {health.server_version}"
    if health.check not in {None, "ok"}:
        return Check("store", Verdict.FAILED, f"{found}: {health.check}", ExitCode.INTERNAL)
    if left_out:
        return Check("store", Verdict.WARNING, f"{found}; {left_out}")
    return Check("store", Verdict.OK, f"{found}{'; ' + rows if rows else ''}")


def _terminal() -> Iterator[Check]:
    term = os.environ.get("TERM", "" if sys.platform != "win32" else "Windows console")
    screen = screen_stream()
    colours = "no color (NO_COLOR)" if os.environ.get("NO_COLOR") else _colours(term)
    if screen is not None and screen.isatty() and term not in DUMB:
        yield Check("terminal", Verdict.OK, f"{term or 'TERM is not set'}, {colours}, {_size(screen)}")
    else:
        yield Check("terminal", Verdict.WARNING, f"no usable terminal (TERM={term or 'unset'}); headless commands work")
    yield Check("clipboard", Verdict.OK, clipboard.describe_clipboard(os.environ))
    yield Check("notifications", Verdict.OK, notifications.describe_notifications(os.environ))


def _colours(term: str) -> str:
    true_colour = os.environ.get("COLORTERM") in {"truecolor", "24bit"} and not in_gnu_screen(os.environ)
    if sys.platform == "win32" or true_colour:
        return "true color"
    return "256 colors" if "256" in term else "basic colors"


def _size(screen: TextIO) -> str:
    try:
        size = os.get_terminal_size(screen.fileno())
    except OSError:
        return "unknown size"
    return f"{size.columns}×{size.lines}"


def _report(checks: list[Check], *, as_json: bool) -> None:
    if as_json:
        for check in checks:
            print_json(_object(check))
        return
    marks = {Verdict.OK: glyphs.DONE, Verdict.WARNING: glyphs.WARNING, Verdict.FAILED: glyphs.FAILED}
    width = max(len(check.name) for check in checks)
    for check in checks:
        sys.stdout.write(f"{marks[check.verdict]} {check.name.ljust(width)}  {check.found}\n")
    sys.stdout.flush()


def _object(check: Check) -> CheckObject:
    return {"check": check.name, "verdict": check.verdict.value, "found": check.found}
