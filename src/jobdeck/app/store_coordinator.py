"""The store in the shape that the engine asks for."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobdeck.domain.instant import Clock, Instant
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.engine.coordinator import (
    Denied,
    External,
    ExternalAcknowledgement,
    ExternalFocus,
    ExternalSighting,
    ExternalUpdate,
    ExternalWatchers,
    History,
    Permit,
    RateLimits,
    Request,
)
from jobdeck.http.base import PollResult
from jobdeck.scheduling.actions import CancelJob, FetchPart, Poll
from jobdeck.store import LIST, POLL, CursorLostError, Store, StoreClosedError, StoreError
from jobdeck.store.errors import StoreUnavailableError
from jobdeck.store.models import (
    Answer,
    Change,
    ChangeKind,
    Cursor,
    Grant,
    Notice,
    OutgoingRequest,
    RequestRecord,
    poll_request,
)
from jobdeck.store.models import Denied as StoreDenied

RETENTION_DAYS = 30
"""Requests and observations older than this are forgotten, and ended jobs with them; watched ones and notes stay."""

TIDY_AFTER_SECONDS = 20.0
"""Not at the start, which should be quick, and not at all in a run that only takes a look."""

TIDY_EVERY_SECONDS = 86_400.0
"""A screen may stay open for weeks."""

UNKNOWN_RETRY_SECONDS = 1.0

AWAY_SECONDS = 1.0
"""How often it is tried to send something while the store that a team shares is away."""

CHANGES_A_PAGE = 500

FOCUS_SECONDS = 2.0
"""How often what is on the screens is exchanged, and how often it is said again."""

FOCUS_AGAIN_SECONDS = 10.0

HISTORY = 100
"""Exchanges of earlier runs that are fetched for a job somebody looks at."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StorePermit(Permit):
    """Leave that is on record; None when the store failed and the request goes unrecorded.

    Its place in the order of sending is that of its record, which was made before it is sent.
    """

    grant: Grant | None = None


@dataclass(frozen=True, slots=True)
class WholeTeam:
    """That the watch lists of a whole team are shown to `user`; `since` is where they were read.

    `can_poll` says whether a profile has credentials.
    """

    user: str
    since: Cursor | None = None
    can_poll: Callable[[str], bool] = lambda _: True


class StoreCoordinator:
    """Keeps the engine's record in a store. With `listed`, what is watched goes on the watch list of next time.

    `newest` is the place in the order of sending of the newest request that was on record when the run began;
    `on_incident` is called when something happened to the store. With a `team`, what others begin to watch, or watch
    no more, is told.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        listed: bool,
        newest: int,
        on_incident: Callable[[Notice], object] = lambda _: None,
        team: WholeTeam | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._listed = listed
        self._apart: dict[str, bool] = {}
        self._targets: dict[JobKey, Target] = {}
        self._tidying: asyncio.Task[None] | None = None
        self._learnt: dict[str, str] = {}
        self._newest = newest
        self._on_incident = on_incident
        self._focus: frozenset[JobKey] = frozenset()
        self._focus_shared: frozenset[JobKey] = frozenset()
        self._focus_of_others: frozenset[JobKey] = frozenset()
        self._focus_shared_at = self._focus_due = float("-inf")
        self._team = team
        self._tasks: set[asyncio.Task[None]] = set()

    def watch(self, targets: Iterable[Target], now: Instant) -> None:
        """Make targets known; the writer takes its orders in turn, so a later `acquire` finds them."""
        wanted: list[Target] = []
        others: list[Target] = []
        for target in targets:
            # What another's list showed, and was taken off the screen, comes back as that other's.
            theirs = self._team is not None and target.watched_by and self._team.user not in target.watched_by
            (others if theirs else wanted).append(target)
        self._targets.update((target.key, target) for target in wanted)
        if wanted:
            self._soon(self._store.watch(wanted, listed=self._listed))
        if others:
            self._soon(self._store.watch(others, listed=False))

    def unwatch(self, keys: Iterable[JobKey], now: Instant) -> None:
        """Take jobs off the watch list."""
        gone = tuple(keys)
        for key in gone:
            self._targets.pop(key, None)
        if gone and self._listed:
            self._soon(self._store.unwatch(gone))

    def acknowledge(self, key: JobKey, now: Instant, *, acknowledged: bool) -> None:
        """Annotate the job."""
        self._soon(self._store.acknowledge([key], acknowledged=acknowledged))

    def set_focus(self, keys: Collection[JobKey]) -> None:
        """Have the store told soon."""
        self._focus = frozenset(keys)

    def set_limit(self, profile: str, limits: RateLimits, now: Instant, *, assumed: bool) -> None:
        """Set the budgets that all processes share; lists are paid from that of polls unless they have their own."""
        self._apart[profile] = limits.lists is not None
        buckets = {POLL: limits.polls, LIST: limits.lists}
        per_minute = {bucket: max(1, int(limit)) for bucket, limit in buckets.items() if limit is not None}
        self._soon(self._store.set_limits(profile, per_minute, assumed=assumed))

    def save_estimates(self, profile: str, durations: Mapping[str, object], now: Instant) -> None:
        """Save the durations, if they are others than last time."""
        data = json.dumps(durations, sort_keys=True, allow_nan=False)
        if durations and self._learnt.get(profile) != data:
            self._learnt[profile] = data
            self._soon(self._store.save_estimates(profile, data))

    async def acquire(self, profile: str, request: Request | CancelJob, url: str, now: Instant) -> Permit | Denied:
        """Claim the request from the store; without a working one it goes unrecorded."""
        if isinstance(request, Poll | FetchPart):
            outgoing = poll_request(request.key, url)
        elif isinstance(request, CancelJob):
            outgoing = OutgoingRequest(profile, url, method=request.method, job=request.key)
        else:
            bucket = LIST if self._apart.get(profile) else POLL
            outgoing = OutgoingRequest(profile, url, bucket, lease=self._listed)
        try:
            (decided,) = await self._store.claim([outgoing])
        except StoreUnavailableError:
            # What those who share the budget send is not known: nothing is sent until it is.
            return Denied(now.later(AWAY_SECONDS), budget_exhausted=True)
        except StoreError:
            _log.exception("the database did not respond")
            # Sent as late as the newest that is on record, for all that anybody knows.
            return StorePermit(self._newest)
        if not isinstance(decided, StoreDenied):
            self._newest = max(self._newest, decided.sequence)
            return StorePermit(decided.sequence, decided)
        wait = (decided.until_us - now.us) / 1e6 if decided.reason != "unknown" else UNKNOWN_RETRY_SECONDS
        in_cooldown = decided.reason == "cooldown"
        return Denied(
            now.later(max(0.0, wait)),
            budget_exhausted=in_cooldown or decided.reason == "budget",
            in_cooldown=in_cooldown,
        )

    async def record(self, permit: Permit, reply: PollResult, now: Instant) -> None:
        """Complete what was granted."""
        grant = permit.grant if isinstance(permit, StorePermit) else None
        if grant is None:
            return
        try:
            await self._store.complete([Answer(grant, reply.exchange, tuple(reply.observations))])
        except StoreError:
            _log.exception("a request was not recorded")

    async def abandon(self, permit: Permit, now: Instant) -> None:
        """Release what was granted."""
        if isinstance(permit, StorePermit) and permit.grant is not None:
            try:
                await self._store.release([permit.grant])
            except StoreError:
                _log.exception("a lease was not released")

    async def external_updates(self, is_watched: Callable[[JobKey], bool]) -> AsyncIterator[tuple[External, ...]]:
        """Yield what other processes learn of watched jobs; meanwhile what is too old is forgotten, once a day."""
        self._tidying = asyncio.get_running_loop().create_task(self._tidy())
        cursor = None if self._team is None else self._team.since
        incident = self._store.incident
        while True:
            try:
                if cursor is None:
                    cursor = await self._store.head()
                await self._store.wait_for_change()
                if (happened := self._store.incident) is not None and happened is not incident:
                    incident = happened
                    self._on_incident(happened)
                if focus := await self._exchange_focus():
                    yield focus
                more = True
                while more:
                    changes, cursor, more = await self._changes(cursor)
                    if changes is None:
                        updates = await self._everything()
                    else:
                        updates = await self._updates_of(changes, is_watched)
                    if updates:
                        yield updates
            except StoreClosedError:
                return
            except StoreError as error:
                # Told by the store's own incident; the cursor stays where it was.
                _log.info("cannot read other users' changes: %s", error)

    async def _exchange_focus(self) -> tuple[External, ...]:
        """Say what is on the screen here, and return what is on those of others where that has changed."""
        now = self._clock.now().mono
        if now < self._focus_due:
            return ()
        self._focus_due = now + FOCUS_SECONDS
        if self._focus != self._focus_shared or now - self._focus_shared_at >= FOCUS_AGAIN_SECONDS:
            if self._focus or self._focus_shared:
                await self._store.set_focus(self._focus)
            self._focus_shared, self._focus_shared_at = self._focus, now
        others = await self._store.focus()
        if others == self._focus_of_others:
            return ()
        self._focus_of_others = others
        return (ExternalFocus(others),)

    async def load_history(self, key: JobKey) -> History:
        """Return the answered exchanges and the timeline."""
        try:
            records = await self._store.requests(key, HISTORY)
            timeline = await self._store.timeline(key)
        except StoreError:
            return History()
        now = self._clock.now()
        answered = tuple(exchange for record in records if (exchange := record.at(now)) is not None)
        return History(answered, timeline)

    async def close(self) -> None:
        """Carry out every order so far, then close the store."""
        if self._tidying is not None:
            self._tidying.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._store.close()

    async def _tidy(self) -> None:
        await asyncio.sleep(TIDY_AFTER_SECONDS)
        while True:
            try:
                await self._store.purge(self._clock.now().us - RETENTION_DAYS * 86_400 * 1_000_000)
            except StoreError:
                _log.exception("old data was not deleted")
            await asyncio.sleep(TIDY_EVERY_SECONDS)

    async def _changes(self, after: Cursor) -> tuple[tuple[Change, ...] | None, Cursor, bool]:
        """Return a page of changes (None: some after `after` are lost), the next cursor, and whether there are more."""
        try:
            changes, cursor = await self._store.changes(after, CHANGES_A_PAGE)
        except CursorLostError:
            return None, await self._store.head(), False
        return changes, cursor, len(changes) == CHANGES_A_PAGE

    async def _updates_of(
        self, changes: Sequence[Change], is_watched: Callable[[JobKey], bool]
    ) -> tuple[External, ...]:
        """Return what others' answers changed, read anew, what they showed as it was known, and what others said."""
        ours = self._store.client
        answered = [one for one in changes if one.kind is ChangeKind.ANSWERED and one.client != ours]
        changed = {key: one.sequence for one in answered for key in one.keys if is_watched(key)}
        seen = {key: one for one in answered for key in one.seen if is_watched(key) and key not in changed}
        sequences = {one.sequence for one in seen.values()} | set(changed.values())
        records = await self._store.records(number for number in sequences if number is not None)
        updates = await self._load(changed, records)
        now = self._clock.now()
        for key, change in seen.items():
            record = records.get(change.sequence or 0)
            exchange = record.at(now) if record is not None else None
            if exchange is not None:
                self._newest = max(self._newest, exchange.sequence)
                updates.append(ExternalSighting(key, exchange, now.later((change.at_us - now.us) / 1e6)))
        said = (one for one in changes if one.kind is ChangeKind.ANNOTATED and one.client != ours)
        if about := {key: None for one in said for key in one.keys if is_watched(key)}:
            notes = await self._store.annotations(about)
            updates += (
                ExternalAcknowledgement(key, note.acknowledged, note.acknowledger) for key, note in notes.items()
            )
        if self._team is not None:
            updates += await self._watchers_of(self._team, changes, is_watched)
        return tuple(updates)

    async def _watchers_of(
        self, team: WholeTeam, changes: Sequence[Change], is_watched: Callable[[JobKey], bool]
    ) -> list[External]:
        """Return who watches by now what anybody began to watch, or watches no more."""
        lists = [one for one in changes if one.kind in {ChangeKind.WATCHED, ChangeKind.UNWATCHED}]
        shown = {key: None for one in lists for key in one.keys if is_watched(key)}
        begun = [one for one in lists if one.kind is ChangeKind.WATCHED and one.client != self._store.client]
        new = {key: None for one in begun for key in one.keys if not is_watched(key) and team.can_poll(key.profile)}
        if not shown and not new:
            return []
        found = {job.key: job for job in await self._watched_now({*shown, *new})}
        updates: list[External] = [
            ExternalWatchers(key, found[key].target.watched_by, found[key]) for key in new if key in found
        ]
        # What one has just added is not yet on anybody's list, perhaps.
        gone = (key for key in shown if key not in found and key not in self._targets)
        updates += (ExternalWatchers(key, ()) for key in gone)
        updates += (ExternalWatchers(key, found[key].target.watched_by) for key in shown if key in found)
        return updates

    async def _watched_now(self, of: Collection[JobKey] | None = None) -> list[Job]:
        """Return watched jobs as they are saved, acknowledged where that is noted."""
        jobs = await self._store.watched(self._clock.now(), of=of)
        notes = await self._store.annotations(job.key for job in jobs)
        self._newest = max((self._newest, *(job.sequence for job in jobs)))
        return [notes[job.key].applied_to(job) if job.key in notes else job for job in jobs]

    async def _everything(self) -> tuple[External, ...]:
        """Return every job: the database is another one now, or changes were purged before they were read.

        Another one knows none of this run's jobs.
        """
        self.watch(tuple(self._targets.values()), self._clock.now())
        keys = [saved.last.key for name in tuple(self._apart) for saved in await self._store.jobs(name)]
        updates = await self._load(dict.fromkeys(keys), {})
        if self._team is not None:
            begun = (job for job in await self._watched_now() if self._team.can_poll(job.key.profile))
            updates += (ExternalWatchers(job.key, job.target.watched_by, job) for job in begun)
        return tuple(updates)

    async def _load(self, keys: Mapping[JobKey, int | None], records: Mapping[int, RequestRecord]) -> list[External]:
        """Return jobs as they are saved, each with the exchange that showed it where that is among the records."""
        saved, now = await self._store.load(keys), self._clock.now()
        updates: list[External] = []
        for key, found in saved.items():
            job = found.at(now)
            self._newest = max(self._newest, job.sequence)
            record = records.get(keys[key] or 0)
            exchange = record.at(now) if record is not None else None
            missing = found.result_bytes is not None and job.result is None
            updates.append(ExternalUpdate(job, exchange, result_missing=missing))
        return updates

    def _soon(self, order: Coroutine[Any, Any, Any]) -> None:
        async def carry_out() -> None:
            try:
                await order
            except StoreError:
                _log.exception("the database rejected a command")

        task = asyncio.get_running_loop().create_task(carry_out())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
