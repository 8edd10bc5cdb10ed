"""Several viewers' screens on one engine: one poller, and nobody can change anything."""

from collections.abc import Collection, Mapping, Sequence

from jobdeck.app.session import Attention, EngineView, OpenEngine, ReadOnly, Session
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Clock
from jobdeck.domain.job import Job, JobKey, Target

READ_ONLY = "read-only view"


class ViewerGroup:
    """Merges the attention of all viewers: the engine sees one user who looks at everything any of them shows."""

    def __init__(self, view: EngineView, attention: Attention) -> None:
        """Start without viewers: everything is polled less often."""
        self.view = view
        self._attention = attention
        self._shown: dict[object, frozenset[JobKey]] = {}
        self._present: dict[object, bool] = {}
        self._focused: dict[object, JobKey | None] = {}
        attention.set_user_present(present=False)

    def join(self, viewer: object) -> None:
        """Add a viewer, as present."""
        self.set_user_present(viewer, present=True)

    def leave(self, viewer: object) -> None:
        """Remove a viewer; harmless if it is already removed."""
        for kept in (self._shown, self._present, self._focused):
            kept.pop(viewer, None)
        self._attention.set_user_present(present=any(self._present.values()))
        self._attention.set_visible(self._all_shown)
        self._attention.set_selected(next(reversed(self._focused.values()), None))

    def set_user_present(self, viewer: object, *, present: bool) -> None:
        """Set whether a viewer is present."""
        self._present[viewer] = present
        self._attention.set_user_present(present=any(self._present.values()))

    def set_visible(self, viewer: object, keys: Collection[JobKey]) -> None:
        """Set the jobs on a viewer's screen."""
        self._shown[viewer] = frozenset(keys)
        self._attention.set_visible(self._all_shown)

    def set_selected(self, viewer: object, key: JobKey | None) -> None:
        """Set a viewer's selected job; only the most recent selection of all viewers is polled faster."""
        self._focused.pop(viewer, None)
        self._focused[viewer] = key
        self._attention.set_selected(key)

    @property
    def _all_shown(self) -> frozenset[JobKey]:
        return frozenset().union(*self._shown.values())


class Viewer:
    """The attention of one viewer, until it leaves."""

    def __init__(self, viewers: ViewerGroup) -> None:
        """Join the group."""
        self._group = viewers
        self._gone = False
        viewers.join(self)

    def set_user_present(self, *, present: bool) -> None:
        """Set whether this viewer is present."""
        if not self._gone:
            self._group.set_user_present(self, present=present)

    def set_selected(self, key: JobKey | None) -> None:
        """Set this viewer's selected job."""
        if not self._gone:
            self._group.set_selected(self, key)

    def set_visible(self, keys: Collection[JobKey]) -> None:
        """Set the jobs on this viewer's screen."""
        if not self._gone:
            self._group.set_visible(self, keys)

    def leave(self) -> None:
        """Leave the group; the engine keeps running."""
        if not self._gone:
            self._gone = True
            self._group.leave(self)


class ReadOnlySession:
    """Implements the screen's `Session` for one viewer, on the host's session."""

    def __init__(self, host: Session, viewers: ViewerGroup) -> None:
        self._host = host
        self._group = viewers
        self.notices: tuple[str, ...] = ()
        self.access = ReadOnly(READ_ONLY)
        self._viewer: Viewer | None = None
        self.preferences = host.preferences
        self.batch = host.batch

    @property
    def clock(self) -> Clock:
        """The host's clock."""
        return self._host.clock

    @property
    def profiles(self) -> tuple[str, ...]:
        """The names of the host's profiles."""
        return self._host.profiles

    @property
    def storage_error(self) -> str:
        """Why the host's persistence is off, in one line, or empty."""
        return self._host.storage_error

    @property
    def reading(self) -> int:
        """The number of jobs expected while the host loads saved jobs, 0 afterwards."""
        return self._host.reading

    async def load_saved_jobs(self) -> Sequence[Job]:
        """Return nothing: the engine is already running."""
        return ()

    def meanings(self, provider: str) -> Mapping[str, Mapping[str, str]]:
        """Return the meanings of the values of an API's facts; empty without a definition of the API."""
        return self._host.meanings(provider)

    async def open(self) -> OpenEngine:
        """Return a view of the host's engine."""
        self._viewer = Viewer(self._group)
        return OpenEngine(self._group.view, self._viewer)

    def curl(self, asked: Exchange | Target) -> str:
        """Return the curl command for a request, or for polling a target."""
        return self._host.curl(asked)

    async def ticket(self, keys: Sequence[JobKey], note: str = "", *, include_result: bool = False) -> str:
        """Return one ticket about jobs."""
        return await self._host.ticket(keys, note, include_result=include_result)

    async def note(self, keys: Sequence[JobKey]) -> str:
        """Return the note that all of the jobs have."""
        return await self._host.note(keys)

    async def close(self) -> None:
        """Leave the group; the host keeps running."""
        if self._viewer is not None:
            self._viewer.leave()
