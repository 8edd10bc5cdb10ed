"""Engines and askers put together from a wiring's settings: heavy to import, and needed after the first frame only."""

import json
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Resource
from jobdeck.engine.engine import Engine
from jobdeck.engine.lane import Lane
from jobdeck.engine.ledger import Ledger, Limits
from jobdeck.engine.registry import Registry
from jobdeck.providers.profile import Api, ProviderName
from jobdeck.scheduling.estimates import ANY_KIND
from jobdeck.scheduling.limits import LimitSource
from jobdeck.scheduling.lists import ListSupport
from jobdeck.scheduling.scheduler import Scheduler
from jobdeck.store import Opened
from jobdeck.store.aio import AsyncStore
from jobdeck.store.records import NoticeKind
from jobdeck.wiring import Running, UseOfLists, Wiring
from jobdeck.wiring.asking import Asker
from jobdeck.wiring.ledger import StoreLedger
from jobdeck.wiring.limits import limit_of
from jobdeck.wiring.recording import Recorder

LISTS: dict[ProviderName, tuple[ListSupport, ...]] = {
    "thehog": (
        ListSupport(
            Resource.OPERATION,
            frozenset({"operation", "enrichment"}),
            active=("processing", "queued"),
            ended=("succeeded", "failed", "partial_success", "cancelled"),
        ),
        ListSupport(Resource.SEARCH, frozenset({"search"}), page=200, cursor=True),
    ),
    "sonarly": (
        ListSupport(
            Resource.PROSPECTING,
            frozenset({"prospecting"}),
            grouped=True,
            cursor=True,
            active=("running", "queued"),
            whole=False,
            ended=("completed", "failed", "cancelled"),
        ),
    ),
}
"""The lists of each API with code of its own, for the scheduler."""


def lists_of(api: Api) -> tuple[ListSupport, ...]:
    """Return the lists of an API that the scheduler can rely on: those whose newest rows come first."""
    if isinstance(api, str):
        return LISTS[api]
    listed = api.list
    if listed is None or not listed.newest_first:
        return ()
    grouped, cursor = bool(api.place), listed.goes_on
    kinds = frozenset({Resource.JOB.value})
    return (ListSupport(Resource.JOB, kinds, listed.page, grouped, cursor, whole=listed.whole),)


TYPICAL: dict[ProviderName, dict[str, float]] = {
    "thehog": {"enrichment": 20.0, "search": 60.0, "operation": 180.0},
    "sonarly": {"prospecting": 600.0},
}
"""Seconds that jobs of each API with code of its own take; an operation may be a deep research, the slowest kind."""


def typical_of(api: Api) -> dict[str, float]:
    """Return how many seconds jobs of each kind of an API take, as far as that is said."""
    if isinstance(api, str):
        return TYPICAL[api]
    return {} if api.typical is None else {ANY_KIND: api.typical}


def lists_for(use: UseOfLists, api: Api) -> tuple[ListSupport, ...]:
    """Return the lists of an API: all of them, those whose rows tell as much as a poll, or none."""
    match use:
        case UseOfLists.ALL:
            return lists_of(api)
        case UseOfLists.WHOLE:
            return tuple(support for support in lists_of(api) if support.whole)
        case UseOfLists.NONE:
            return ()


def make_engine(
    wiring: Wiring,
    ledger: Ledger | None,
    lists: UseOfLists,
    learnt: Callable[[str], str | None],
    registry: Registry | None,
) -> Engine:
    """See `Wiring.engine`."""

    def lane(name: str) -> Lane:
        profile = wiring.settings_of(name).profile
        limit = limit_of(profile)
        durations = _durations(learnt(name))
        jitter = random.Random()  # noqa: S311 - not for secrets
        scheduler = Scheduler(limit, jitter, lists_for(lists, profile.api), durations, typical_of(profile.api))
        assumed = limit.source is not LimitSource.CONFIGURED
        return Lane(wiring.provider(name), scheduler, wiring.clock, ledger, limit_assumed=assumed)

    return Engine(lane, wiring.clock, ledger, registry)


def open_engine(
    wiring: Wiring, opened: Opened, lists: UseOfLists, recorder: Recorder | None, *, listed: bool
) -> Running:
    """See `Wiring.open`."""
    store = AsyncStore(opened.store)
    registry = recorder.registry if recorder is not None else None
    ledger = StoreLedger(store, wiring.clock, listed=listed)
    engine = make_engine(wiring, ledger, lists, opened.store.load_estimates, registry)
    if recorder is not None:
        recorder.follow(engine)
    unkept = next((notice.message for notice in opened.notices if notice.kind is NoticeKind.IN_MEMORY), "")
    return Running(engine, store, tuple(notice.message for notice in opened.notices), unkept)


@asynccontextmanager
async def open_askers(
    wiring: Wiring,
    names: Iterable[str],
    opened: Callable[[], Opened],
    waits: Callable[[str, Instant], object] | None,
) -> AsyncIterator[dict[str, Asker]]:
    """See `Wiring.asking`."""
    providers = {name: wiring.provider(name) for name in names}
    ledger = StoreLedger(AsyncStore(opened().store), wiring.clock, listed=False)
    for name in providers:
        limit = limit_of(wiring.settings_of(name).profile)
        assumed = limit.source is not LimitSource.CONFIGURED
        ledger.limit(name, Limits(limit.requests_per_minute), wiring.clock.now(), assumed=assumed)
    try:
        yield {name: Asker(provider, ledger, wiring.clock, waits) for name, provider in providers.items()}
    finally:
        for provider in providers.values():
            await provider.aclose()
        await ledger.close()


def _durations(data: str | None) -> dict[str, object] | None:
    """Read what was remembered of durations; nothing, when it cannot be read."""
    if data is None:
        return None
    try:
        value = json.loads(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
