"""Finds jobs to add on the screen: in pasted text, and in the lists of the APIs."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from jobdeck.apis.target_input import parse_input
from jobdeck.app.context import AppContext
from jobdeck.app.data_store import OpenedStore
from jobdeck.app.discovery import Found, discover, list_jobs, listing_obstacle
from jobdeck.app.session import Discovered, Parsed, RejectedTarget, safe_error_message
from jobdeck.config import ConfigError
from jobdeck.domain import humanize
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job
from jobdeck.domain.text import one_line
from jobdeck.store import StoreError

LISTED = 100
"""How many jobs of each list are shown."""


class LiveSources:
    """Finds jobs of the profiles of a context."""

    def __init__(self, context: AppContext) -> None:
        self._context = context

    def parse(self, text: str) -> Parsed:
        """Parse pasted text, in every form that the command line accepts."""
        parsed = parse_input(text.encode("utf-8", "surrogatepass"), self._context.registry)
        return Parsed(parsed.targets, tuple(RejectedTarget(text, reason) for text, reason in parsed.refused))

    @property
    def listing(self) -> tuple[str, ...]:
        """The profiles that have a list."""
        profiles = self._context.settings.profiles.items()
        return tuple(name for name, settings in profiles if listing_obstacle(settings.profile) is None)

    async def newest(self, names: Sequence[str]) -> tuple[list[Job], tuple[str, ...]]:
        """Return the newest jobs of profiles that have a list, and a line for each list that could not be read."""
        found = await discover(self._context, names, LISTED, None)
        notes = tuple(f"{name}: {note}" for name, part in found.items() for note in _notes(part))
        return [job for part in found.values() for job in part.jobs], notes

    async def discover(
        self, names: Iterable[str], store: OpenedStore | None, report: Callable[[Discovered], object]
    ) -> None:
        """List the newest jobs of all profiles concurrently; none before the store is open."""
        await asyncio.gather(*(self._report(name, store, report) for name in names))

    async def _report(self, name: str, store: OpenedStore | None, report: Callable[[Discovered], object]) -> None:
        obstacle = listing_obstacle(self._context.settings.profiles[name].profile)
        if obstacle is not None or store is None:
            report(Discovered(name, notes=(obstacle or "still starting",), complete=True))
            return

        def progress(found: Found) -> None:
            report(Discovered(name, found.jobs, _notes(found)))

        def wait(_: str, until: Instant) -> None:
            report(Discovered(name, notes=(f"rate limit: waiting until {humanize.format_time(until.us)}",)))

        report(Discovered(name))
        try:
            async with self._context.direct_clients([name], wait, store) as clients:
                found = await list_jobs(self._context, name, clients[name], LISTED, progress=progress)
        except (ConfigError, StoreError) as error:
            report(Discovered(name, notes=(safe_error_message(error),), complete=True))
        else:
            report(Discovered(name, found.jobs, _notes(found), complete=True))


def _notes(found: Found) -> tuple[str, ...]:
    """Return a line for each list that could not be read, with the reason."""
    problems = (one_line(f"{problem.kind.label}: {problem.message}") for problem in found.problems)
    return (*problems, *map(one_line, found.gaps))
