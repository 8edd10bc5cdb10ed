"""Makes engines and direct clients from a context; slow to import, and needed only to send requests."""

import json
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from jobdeck.apis.client import ApiClient
from jobdeck.apis.profile import Profile
from jobdeck.apis.spec import UNKNOWN_LIMIT, ApiSpec
from jobdeck.app.context import AppContext, ListPolicy, RunningEngine
from jobdeck.app.data_store import OpenedStore
from jobdeck.app.direct_client import DirectClient
from jobdeck.app.store_coordinator import StoreCoordinator, WholeTeam
from jobdeck.config import ConfigError
from jobdeck.domain.instant import Instant
from jobdeck.engine.coordinator import Coordinator, RateLimits
from jobdeck.engine.engine import Engine
from jobdeck.engine.registry import Registry
from jobdeck.engine.worker import ProfileWorker
from jobdeck.http.redactor import Redactor
from jobdeck.scheduling.bucket import Limit, LimitSource
from jobdeck.scheduling.estimates import ANY_KIND
from jobdeck.scheduling.list_tracker import ListEndpoint
from jobdeck.scheduling.scheduled_job import PollInterval
from jobdeck.scheduling.scheduler import Scheduler
from jobdeck.store.models import Notice, NoticeKind

if TYPE_CHECKING:
    from jobdeck.recording.recorder import Recorder


def limit_of(profile: Profile) -> Limit:
    """Return the initial rate limit: the configured one, or else the documented one, which headers may raise."""
    if profile.requests_per_minute is not None:
        return Limit(profile.requests_per_minute, LimitSource.CONFIGURED)
    documented = profile.spec.requests_per_minute
    if documented is None:
        return Limit(UNKNOWN_LIMIT, LimitSource.UNKNOWN)
    return Limit(documented, LimitSource.DOCUMENTED)


def lists_of(spec: ApiSpec) -> tuple[ListEndpoint, ...]:
    """Return the lists of an API that the scheduler can use: those with the newest rows first."""
    return tuple(
        ListEndpoint(
            listed.shows[0],
            frozenset(listed.shows),
            listed.page,
            grouped=bool(spec.resources[listed.shows[0]].group_variables),
            cursor=listed.has_pages,
            active_statuses=listed.live,
            full_rows=listed.whole,
            ended_statuses=listed.ended,
        )
        for listed in spec.lists
        if listed.newest_first
    )


def typical_of(spec: ApiSpec) -> dict[str, float]:
    """Return the typical duration in seconds for each kind of job, from the API's definition."""
    found = {} if spec.typical is None else {ANY_KIND: spec.typical}
    for resource in spec.resources.values():
        if resource.typical is not None:
            found |= dict.fromkeys((resource.name, resource.kind), resource.typical)
            if len(spec.resources) == 1:
                # Whatever kind its responses name, it is the only one.
                found[ANY_KIND] = resource.typical
    return found


def intervals_of(spec: ApiSpec) -> dict[str, PollInterval]:
    """Return the recommended poll intervals of each resource, from the API's definition."""
    return {name: PollInterval(resource.interval, resource.young) for name, resource in spec.resources.items()}


def lists_for(use: ListPolicy, spec: ApiSpec) -> tuple[ListEndpoint, ...]:
    """Return the lists of an API that a policy allows: all, those with rows as complete as a poll, or none."""
    match use:
        case ListPolicy.ALL:
            return lists_of(spec)
        case ListPolicy.WHOLE:
            return tuple(support for support in lists_of(spec) if support.full_rows)
        case ListPolicy.NONE:
            return ()


class Factory:
    """Implements the methods of a context that send requests."""

    def __init__(self, context: AppContext) -> None:
        self._context = context

    def client(self, profile: Profile, redactor: Redactor | None) -> ApiClient:
        """Return a new client for a profile; it connects later."""
        return ApiClient(profile, self._context.clock, redactor=redactor)

    def engine(
        self,
        coordinator: Coordinator | None,
        lists: ListPolicy,
        saved_estimates: Callable[[str], str | None],
        registry: Registry | None,
    ) -> Engine:
        """See `AppContext.engine`."""

        def make_worker(name: str) -> ProfileWorker:
            profile = self._context.settings_of(name).profile
            limit = limit_of(profile)
            durations = _durations(saved_estimates(name))
            jitter = random.SystemRandom()
            known = lists_for(lists, profile.spec)
            typical, intervals = typical_of(profile.spec), intervals_of(profile.spec)
            scheduler = Scheduler(limit, jitter, known, durations, typical=typical, intervals=intervals)
            assumed = limit.source is not LimitSource.CONFIGURED
            return ProfileWorker(
                self._context.provider(name), scheduler, self._context.clock, coordinator, limit_assumed=assumed
            )

        return Engine(make_worker, self._context.clock, coordinator, registry)

    def open(
        self,
        opened: OpenedStore,
        lists: ListPolicy,
        recorder: "Recorder | None",
        *,
        listed: bool,
        on_incident: Callable[[Notice], object],
    ) -> RunningEngine:
        """See `AppContext.open`."""
        store = opened.store
        registry = recorder.registry if recorder is not None else None
        user = self._context.whole_team
        team = None if user is None else WholeTeam(user, opened.cursor, self._has_credentials)
        coordinator = StoreCoordinator(
            store, self._context.clock, listed=listed, newest=opened.newest, on_incident=on_incident, team=team
        )
        known = self._context.estimates
        saved = opened.estimates
        engine = self.engine(coordinator, lists, lambda name: saved.get(name) or known.get(name), registry)
        if recorder is not None:
            recorder.follow(engine)
        storage_error = next((notice.message for notice in opened.notices if notice.kind is NoticeKind.IN_MEMORY), "")
        return RunningEngine(engine, store, tuple(notice.message for notice in opened.notices), storage_error)

    def _has_credentials(self, profile: str) -> bool:
        try:
            self._context.profile(profile)
        except ConfigError:
            return False
        return True

    @asynccontextmanager
    async def direct_clients(
        self,
        names: Iterable[str],
        on_cooldown: Callable[[str, Instant], object] | None,
        store: OpenedStore | None,
    ) -> AsyncIterator[dict[str, DirectClient]]:
        """See `AppContext.direct_clients`."""
        providers = {name: self._context.provider(name) for name in names}
        opened = store or await self._context.open_store()
        coordinator = StoreCoordinator(opened.store, self._context.clock, listed=False, newest=opened.newest)
        for name in providers:
            limit = limit_of(self._context.settings_of(name).profile)
            # An engine on this store knows the limit better.
            assumed = store is not None or limit.source is not LimitSource.CONFIGURED
            coordinator.set_limit(
                name, RateLimits(limit.requests_per_minute), self._context.clock.now(), assumed=assumed
            )
        try:
            yield {
                name: DirectClient(provider, coordinator, self._context.clock, on_cooldown)
                for name, provider in providers.items()
            }
        finally:
            for provider in providers.values():
                await provider.aclose()
            if store is None:
                await coordinator.close()


def _durations(data: str | None) -> dict[str, object] | None:
    """Parse saved durations; None if they cannot be read."""
    if data is None:
        return None
    try:
        value = json.loads(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
