"""The engine's `Coordinator`, on top of the store."""

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
"""Requests, observations and ended jobs older than this are deleted; watched jobs and notes stay."""

TIDY_AFTER_SECONDS = 20.0
"""Seconds before old data is deleted: the start should be quick, and a short run deletes nothing."""

TIDY_EVERY_SECONDS = 86_400.0
"""Seconds between deletions of old data: a screen may stay open for weeks."""

UNKNOWN_RETRY_SECONDS = 1.0
"""Seconds before the next attempt to poll a job that the store does not know yet."""

AWAY_SECONDS = 1.0
"""Seconds between attempts to send a request while a team's store cannot be reached."""

CHANGES_A_PAGE = 500

FOCUS_SECONDS = 2.0
"""Seconds between exchanges of the jobs on the screens of all processes."""

FOCUS_AGAIN_SECONDS = 10.0
"""Seconds after which this process sends its unchanged focus again."""

HISTORY = 100
"""Most exchanges of earlier runs that are loaded for the selected job."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StorePermit(Permit):
    """A permit from the store; its `sequence` is that of the record, which is made before the request is sent."""

    # None when the store failed, and the request is sent unrecorded.
    grant: Grant | None = None


@dataclass(frozen=True, slots=True)
class WholeTeam:
    """The wish to show `user` the watch lists of a whole team."""

    user: str
    # The position in the change log at which the lists were read.
    since: Cursor | None = None
    # Whether a profile has credentials.
    can_poll: Callable[[str], bool] = lambda _: True


class StoreCoordinator:
    """Keeps the engine's records in a store.

    If `listed` is set, watched jobs are saved on the watch list for the next run. `newest` is the sequence of the
    newest request on record when this run began. `on_incident` is called after an incident of the store, such as its
    loss. With a `team`, the engine learns which jobs its members begin or stop to watch.
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
        self._has_list_bucket: dict[str, bool] = {}
        self._targets: dict[JobKey, Target] = {}
        self._tidying: asyncio.Task[None] | None = None
        self._saved_estimates: dict[str, str] = {}
        self._newest = newest
        self._on_incident = on_incident
        self._focus: frozenset[JobKey] = frozenset()
        self._focus_shared: frozenset[JobKey] = frozenset()
        self._focus_of_others: frozenset[JobKey] = frozenset()
        self._focus_shared_at = self._focus_due = float("-inf")
        self._team = team
        self._tasks: set[asyncio.Task[None]] = set()

    def watch(self, targets: Iterable[Target], now: Instant) -> None:
        """Add targets to the store; it carries out commands in order, so a later `acquire` finds them."""
        wanted: list[Target] = []
        others: list[Target] = []
        for target in targets:
            # A job from another member's list that was removed from the screen and comes back stays that member's.
            theirs = self._team is not None and target.watched_by and self._team.user not in target.watched_by
            (others if theirs else wanted).append(target)
        self._targets.update((target.key, target) for target in wanted)
        if wanted:
            self._soon(self._store.watch(wanted, listed=self._listed))
        if others:
            self._soon(self._store.watch(others, listed=False))

    def unwatch(self, keys: Iterable[JobKey], now: Instant) -> None:
        """Remove jobs from the watch list."""
        removed = tuple(keys)
        for key in removed:
            self._targets.pop(key, None)
        if removed and self._listed:
            self._soon(self._store.unwatch(removed))

    def acknowledge(self, key: JobKey, now: Instant, *, acknowledged: bool) -> None:
        """Save the acknowledgement with the job's notes."""
        self._soon(self._store.acknowledge([key], acknowledged=acknowledged))

    def set_focus(self, keys: Collection[JobKey]) -> None:
        """Set the focus for the next exchange with other processes, at most `FOCUS_SECONDS` from now."""
        self._focus = frozenset(keys)

    def set_limit(self, profile: str, limits: RateLimits, now: Instant, *, assumed: bool) -> None:
        """Set the budgets that all processes share; list requests use that of polls unless they have their own."""
        self._has_list_bucket[profile] = limits.lists is not None
        buckets = {POLL: limits.polls, LIST: limits.lists}
        per_minute = {bucket: max(1, int(limit)) for bucket, limit in buckets.items() if limit is not None}
        self._soon(self._store.set_limits(profile, per_minute, assumed=assumed))

    def set_cooldown(self, profile: str, until: Instant, now: Instant) -> None:
        """Let nothing through the buckets that all processes share."""
        for bucket in (POLL, LIST) if self._has_list_bucket.get(profile) else (POLL,):
            self._soon(self._store.set_cooldown(profile, bucket, until.us))

    def save_estimates(self, profile: str, durations: Mapping[str, object], now: Instant) -> None:
        """Save the durations if they have changed."""
        data = json.dumps(durations, sort_keys=True, allow_nan=False)
        if durations and self._saved_estimates.get(profile) != data:
            self._saved_estimates[profile] = data
            self._soon(self._store.save_estimates(profile, data))

    async def acquire(self, profile: str, request: Request | CancelJob, url: str, now: Instant) -> Permit | Denied:
        """Claim the request from the store; if the store fails, the request is sent unrecorded."""
        if isinstance(request, Poll | FetchPart):
            outgoing = poll_request(request.key, url)
        elif isinstance(request, CancelJob):
            outgoing = OutgoingRequest(profile, url, method=request.method, job=request.key)
        else:
            bucket = LIST if self._has_list_bucket.get(profile) else POLL
            outgoing = OutgoingRequest(profile, url, bucket, lease=self._listed)
        try:
            (decided,) = await self._store.claim([outgoing])
        except StoreUnavailableError:
            # Nothing is sent while the requests of those who share the budget are unknown.
            return Denied(now.later(AWAY_SECONDS), budget_exhausted=True)
        except StoreError:
            _log.exception("the database did not respond")
            # Without a record there is no sequence of its own: take that of the newest request on record.
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

    async def record(self, permit: Permit, result: PollResult, now: Instant) -> None:
        """Save the result of a granted request."""
        grant = permit.grant if isinstance(permit, StorePermit) else None
        if grant is None:
            return
        try:
            await self._store.complete([Answer(grant, result.exchange, tuple(result.observations))])
        except StoreError:
            _log.exception("a request was not recorded")

    async def abandon(self, permit: Permit, now: Instant) -> None:
        """Release the permit's grant."""
        if isinstance(permit, StorePermit) and permit.grant is not None:
            try:
                await self._store.release([permit.grant])
            except StoreError:
                _log.exception("a lease was not released")

    async def external_updates(self, is_watched: Callable[[JobKey], bool]) -> AsyncIterator[tuple[External, ...]]:
        """Yield updates from other processes about watched jobs; meanwhile delete old data once a day."""
        self._tidying = asyncio.get_running_loop().create_task(self._tidy())
        cursor = None if self._team is None else self._team.since
        incident = self._store.incident
        while True:
            try:
                if cursor is None:
                    cursor = await self._store.head()
                await self._store.wait_for_change()
                if (newest := self._store.incident) is not None and newest is not incident:
                    incident = newest
                    self._on_incident(newest)
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
                # The store reports it as an incident; the cursor stays where it was.
                _log.info("cannot read other users' changes: %s", error)

    async def _exchange_focus(self) -> tuple[External, ...]:
        """Share the jobs on this screen, and return those on other screens if they have changed."""
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
        """Finish all commands, then close the store."""
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
        """Return the changes after a cursor (None if some are lost), the next cursor, and whether there are more."""
        try:
            changes, cursor = await self._store.changes(after, CHANGES_A_PAGE)
        except CursorLostError:
            return None, await self._store.head(), False
        return changes, cursor, len(changes) == CHANGES_A_PAGE

    async def _updates_of(
        self, changes: Sequence[Change], is_watched: Callable[[JobKey], bool]
    ) -> tuple[External, ...]:
        """Return the updates for a page of changes.

        They are new states, exchanges that showed no change, acknowledgements, and with a team its watchers.
        """
        ours = self._store.client
        answered = [one for one in changes if one.kind is ChangeKind.ANSWERED and one.client != ours]
        changed = {key: one.sequence for one in answered for key in one.keys if is_watched(key)}
        unchanged = {key: one for one in answered for key in one.seen if is_watched(key) and key not in changed}
        sequences = {one.sequence for one in unchanged.values()} | set(changed.values())
        records = await self._store.records(number for number in sequences if number is not None)
        updates = await self._load(changed, records)
        now = self._clock.now()
        for key, change in unchanged.items():
            record = records.get(change.sequence or 0)
            exchange = record.at(now) if record is not None else None
            if exchange is not None:
                self._newest = max(self._newest, exchange.sequence)
                updates.append(ExternalSighting(key, exchange, now.later((change.at_us - now.us) / 1e6)))
        annotations = (one for one in changes if one.kind is ChangeKind.ANNOTATED and one.client != ours)
        if annotated := {key: None for one in annotations for key in one.keys if is_watched(key)}:
            notes = await self._store.annotations(annotated)
            updates += (
                ExternalAcknowledgement(key, note.acknowledged, note.acknowledger) for key, note in notes.items()
            )
        if self._team is not None:
            updates += await self._watchers_of(self._team, changes, is_watched)
        return tuple(updates)

    async def _watchers_of(
        self, team: WholeTeam, changes: Sequence[Change], is_watched: Callable[[JobKey], bool]
    ) -> list[External]:
        """Return the present watchers of the jobs that anybody began or stopped to watch."""
        lists = [one for one in changes if one.kind in {ChangeKind.WATCHED, ChangeKind.UNWATCHED}]
        ours = {key: None for one in lists for key in one.keys if is_watched(key)}
        begun = [one for one in lists if one.kind is ChangeKind.WATCHED and one.client != self._store.client]
        new = {key: None for one in begun for key in one.keys if not is_watched(key) and team.can_poll(key.profile)}
        if not ours and not new:
            return []
        found = {job.key: job for job in await self._watched_now({*ours, *new})}
        updates: list[External] = [
            ExternalWatchers(key, found[key].target.watched_by, found[key]) for key in new if key in found
        ]
        # A job that was just added here may not be on a saved list yet.
        unwatched = (key for key in ours if key not in found and key not in self._targets)
        updates += (ExternalWatchers(key, ()) for key in unwatched)
        updates += (ExternalWatchers(key, found[key].target.watched_by) for key in ours if key in found)
        return updates

    async def _watched_now(self, of: Collection[JobKey] | None = None) -> list[Job]:
        """Return watched jobs in their saved states, with their acknowledgements."""
        jobs = await self._store.watched(self._clock.now(), of=of)
        notes = await self._store.annotations(job.key for job in jobs)
        self._newest = max((self._newest, *(job.sequence for job in jobs)))
        return [notes[job.key].applied_to(job) if job.key in notes else job for job in jobs]

    async def _everything(self) -> tuple[External, ...]:
        """Return updates for every job: the database was replaced, or changes were purged before they were read."""
        # A new database has none of this run's jobs.
        self.watch(tuple(self._targets.values()), self._clock.now())
        profiles = tuple(self._has_list_bucket)
        keys = [saved.last.key for profile in profiles for saved in await self._store.jobs(profile)]
        updates = await self._load(dict.fromkeys(keys), {})
        if self._team is not None:
            begun = (job for job in await self._watched_now() if self._team.can_poll(job.key.profile))
            updates += (ExternalWatchers(job.key, job.target.watched_by, job) for job in begun)
        return tuple(updates)

    async def _load(self, keys: Mapping[JobKey, int | None], records: Mapping[int, RequestRecord]) -> list[External]:
        """Return updates with the saved states of jobs, each with the exchange that showed it if it is in `records`."""
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

    def _soon(self, command: Coroutine[Any, Any, Any]) -> None:
        """Run a command of the store in a task; errors are logged."""

        async def carry_out() -> None:
            try:
                await command
            except StoreError:
                _log.exception("the database rejected a command")

        task = asyncio.get_running_loop().create_task(carry_out())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
