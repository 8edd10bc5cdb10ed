"""The one place where all parts are assembled.

Importing it is cheap: the store is imported when it is opened, and `factories`, with the engine and the HTTP client,
when the first of them is needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from jobdeck.apis.profile import Profile
from jobdeck.apis.targets import ProfileRegistry
from jobdeck.config import ConfigError, ProfileSettings, Settings, load_settings
from jobdeck.config.settings import Profiles
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job, Target
from jobdeck.engine.clock import SystemClock
from jobdeck.http.redactor import Redactor
from jobdeck.report.curl import curl_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from jobdeck.apis.client import ApiClient
    from jobdeck.app.data_store import OpenedStore
    from jobdeck.app.direct_client import DirectClient
    from jobdeck.app.factories import Factory
    from jobdeck.domain.instant import Instant
    from jobdeck.engine.clock import Timer
    from jobdeck.engine.coordinator import Coordinator
    from jobdeck.engine.engine import Engine
    from jobdeck.engine.registry import Registry
    from jobdeck.http.base import Provider
    from jobdeck.recording.recorder import Recorder
    from jobdeck.store import Store
    from jobdeck.store.models import Notice


class ListPolicy(Enum):
    """Which lists an engine may use to refresh many jobs with one request."""

    ALL = "all"
    WHOLE = "whole"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """An engine with the saved jobs, and its store."""

    engine: Engine
    store: Store
    notices: tuple[str, ...]
    storage_error: str = ""
    """Why persistence is off, in one line, or empty."""


class AppContext:
    """Builds the parts (engine, store, clients) from settings.

    The constructor raises `ConfigError` for an invalid configuration; credentials are loaded, and may raise it, only
    when a profile is used. With `keep` False nothing is persisted; with `everyone` the watch list is the whole team's.
    `estimates` are the initial estimates of each profile's durations.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        config: Path | None = None,
        *,
        settings: Settings | None = None,
        clock: Timer | None = None,
        keep: bool = True,
        everyone: bool = False,
        estimates: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.clock: Timer = clock or SystemClock()
        self.settings = settings if settings is not None else load_settings(env, config)
        self._env = env
        self._keep = keep
        self._everyone = everyone
        self._redactor = Redactor()
        self.estimates = estimates

    @cached_property
    def _factory(self) -> Factory:
        # The engine and the HTTP client.
        from jobdeck.app.factories import Factory  # noqa: PLC0415 - 400 ms that `apis` and `history` do without

        return Factory(self)

    @property
    def whole_team(self) -> str | None:
        """The user who views the watch lists of a whole team; None if only their own is shown."""
        team = self.settings.team
        return team.user if self._everyone and self._keep and team is not None else None

    @property
    def env(self) -> Mapping[str, str]:
        """The environment of the settings; it contains secrets."""
        return self._env

    @property
    def registry(self) -> ProfileRegistry:
        """The profiles for parsing targets, without credentials."""
        profiles = self.settings.profiles
        unlisted = profiles.at if isinstance(profiles, Profiles) else None
        return ProfileRegistry(_ProfilesWithoutSecrets(profiles), self.settings.default_profile, unlisted)

    def engine(
        self,
        coordinator: Coordinator | None = None,
        lists: ListPolicy = ListPolicy.ALL,
        saved_estimates: Callable[[str], str | None] = lambda _: None,
        registry: Registry | None = None,
    ) -> Engine:
        """Return a new engine without jobs; `saved_estimates` returns the saved durations of a profile."""
        return self._factory.engine(coordinator, lists, saved_estimates, registry)

    async def open_store(self) -> OpenedStore:
        """Open the store, for `open`."""
        from jobdeck.app import data_store  # noqa: PLC0415 - 30 ms that `apis` and a refused target do without

        clock = self.clock
        return await data_store.open_own_store(
            self._env, self.settings, keep=self._keep, now_us=lambda: clock.now().us, everyone=self._everyone
        )

    async def open(
        self,
        *,
        listed: bool = False,
        lists: ListPolicy = ListPolicy.ALL,
        recorder: Recorder | None = None,
        store: OpenedStore | None = None,
        on_incident: Callable[[Notice], object] = lambda _: None,
    ) -> RunningEngine:
        """Open an engine on `store`, or on a new one; closing the engine saves everything and closes the store.

        With `listed`, watched jobs are added to the saved watch list. `recorder` gets all changes, and is closed by the
        caller. `on_incident` is called when something happens to the store.
        """
        opened = store or await self.open_store()
        return self._factory.open(opened, lists, recorder, listed=listed, on_incident=on_incident)

    @asynccontextmanager
    async def direct_clients(
        self,
        names: Iterable[str],
        on_cooldown: Callable[[str, Instant], object] | None = None,
        store: OpenedStore | None = None,
    ) -> AsyncIterator[dict[str, DirectClient]]:
        """Open the store and a client for each profile; raises `ConfigError` if credentials cannot be loaded.

        `on_cooldown` is called with a profile that may not send requests, and until when. A `store` that is passed in
        is used instead, and stays open.
        """
        async with self._factory.direct_clients(names, on_cooldown, store) as clients:
            yield clients

    async def load_jobs(self, store: Store, targets: Sequence[Target], most: int | None = None) -> tuple[Job, ...]:
        """Return the saved state of targets, or, without targets, of the saved watch list.

        `most` limits the watch list to its most urgent jobs. Jobs of profiles that are no longer configured are left
        out.
        """
        now = self.clock.now()
        if targets:
            saved = await store.load(target.key for target in targets)
            found = [job.at(now) for job in saved.values()]
        else:
            found = list(await store.watched(now, most))
        jobs = [job for job in found if job.key.profile in self.settings.profiles]
        notes = await store.annotations(job.key for job in jobs)
        return tuple(notes[job.key].applied_to(job) if job.key in notes else job for job in jobs)

    def profile(self, name: str) -> Profile:
        """Return a profile with its credentials; raises `ConfigError` if they cannot be loaded.

        From then on they are redacted from all responses.
        """
        profile = self.settings_of(name).resolve(self._env)
        if profile.credentials is not None:
            self._redactor.add(profile.credentials.values())
        return profile

    def curl(self, asked: Exchange | Target) -> str:
        """Return the curl command for a request, or for polling a target, with variables instead of secrets.

        Empty for a job whose profile is not configured, because its URL is unknown.
        """
        settings = self.settings.profiles.get(asked.profile if isinstance(asked, Exchange) else asked.key.profile)
        headers = settings.curl_headers if settings is not None else ()
        if isinstance(asked, Exchange):
            body = "" if settings is None or asked.method == "GET" else self._body_of(asked, settings.profile)
            return curl_line(asked.method, asked.url, headers, body)
        if settings is None:
            return ""
        method, url, body = self._client(settings.profile).request_for(asked)
        return curl_line(method, url, headers, body)

    def _body_of(self, asked: Exchange, profile: Profile) -> str:
        """Return the body of a request on record, which contains only the URL."""
        if asked.job is None:
            return ""
        client = self._client(profile)
        targets = (Target(asked.job, profile.provider, name) for name in profile.spec.resources)
        sent = (request for target in targets for request in client.requests_about(target))
        return next((body for method, url, body in sent if (method, url) == (asked.method, asked.url)), "")

    def meanings(self, provider: str) -> Mapping[str, Mapping[str, str]]:
        """Return the meanings of the values of an API's facts; empty without a definition of the API."""
        apis = self.settings.apis
        return apis.spec(provider).explain if provider in apis.names else {}

    async def preload(self) -> None:
        """Import the engine and the API clients in a thread."""
        await asyncio.to_thread(lambda: self._factory)

    def provider(self, name: str) -> Provider:
        """Return a new client for a profile; raises `ConfigError` if its credentials cannot be loaded."""
        return self._client(self.profile(name), self._redactor)

    def _client(self, profile: Profile, redactor: Redactor | None = None) -> ApiClient:
        return self._factory.client(profile, redactor)

    def settings_of(self, name: str) -> ProfileSettings:
        """Return the settings of a profile; raises `ConfigError` if it is unknown."""
        settings = self.settings.profiles.get(name)
        if settings is None:
            raise ConfigError(f"unknown profile {name}")
        return settings


class _ProfilesWithoutSecrets(Mapping[str, Profile]):
    """A view of the profiles, unlisted ones included, without their secrets."""

    def __init__(self, settings: Mapping[str, ProfileSettings]) -> None:
        self._settings = settings

    def __getitem__(self, name: str) -> Profile:
        return self._settings[name].profile

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)
