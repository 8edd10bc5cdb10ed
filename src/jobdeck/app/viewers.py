"""Screens of several viewers on one engine: it is asked once, whoever looks, and nobody can change what it does."""

from collections.abc import Collection, Mapping, Sequence

from jobdeck.app.session import Attention, EngineView, OpenEngine, ReadOnly, Session
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Clock
from jobdeck.domain.job import Job, JobKey, Target

READ_ONLY = "read-only view"


class ViewerGroup:
    """What all viewers together look at: the engine knows one person, who looks wherever any of them does."""

    def __init__(self, view: EngineView, attention: Attention) -> None:
        """Begin without a viewer: everything is asked less often."""
        self.view = view
        self._attention = attention
        self._shown: dict[object, frozenset[JobKey]] = {}
        self._present: dict[object, bool] = {}
        self._focused: dict[object, JobKey | None] = {}
        attention.set_user_present(present=False)

    def join(self, viewer: object) -> None:
        """Count a viewer as present."""
        self.set_user_present(viewer, present=True)

    def leave(self, viewer: object) -> None:
        """Forget a viewer; harmless when forgotten."""
        for kept in (self._shown, self._present, self._focused):
            kept.pop(viewer, None)
        self._attention.set_user_present(present=any(self._present.values()))
        self._attention.set_visible(self._all_shown)
        self._attention.set_selected(next(reversed(self._focused.values()), None))

    def set_user_present(self, viewer: object, *, present: bool) -> None:
        """Note whether one of them looks."""
        self._present[viewer] = present
        self._attention.set_user_present(present=any(self._present.values()))

    def set_visible(self, viewer: object, keys: Collection[JobKey]) -> None:
        """Note what is on one screen."""
        self._shown[viewer] = frozenset(keys)
        self._attention.set_visible(self._all_shown)

    def set_selected(self, viewer: object, key: JobKey | None) -> None:
        """Note what one of them looks at; the budget lets one job be asked often, and the newest choice is it."""
        self._focused.pop(viewer, None)
        self._focused[viewer] = key
        self._attention.set_selected(key)

    @property
    def _all_shown(self) -> frozenset[JobKey]:
        return frozenset().union(*self._shown.values())


class Viewer:
    """What one of the viewers looks at, until it has gone."""

    def __init__(self, viewers: ViewerGroup) -> None:
        """Join the audience."""
        self._group = viewers
        self._gone = False
        viewers.join(self)

    def set_user_present(self, *, present: bool) -> None:
        """Note whether this viewer looks."""
        if not self._gone:
            self._group.set_user_present(self, present=present)

    def set_selected(self, key: JobKey | None) -> None:
        """Note which job this viewer looks at."""
        if not self._gone:
            self._group.set_selected(self, key)

    def set_visible(self, keys: Collection[JobKey]) -> None:
        """Note which rows this viewer sees."""
        if not self._gone:
            self._group.set_visible(self, keys)

    def leave(self) -> None:
        """Leave the audience; the engine goes on."""
        if not self._gone:
            self._gone = True
            self._group.leave(self)


class ReadOnlySession:
    """Implements the screen's `Session` for one viewer, on the session of whoever serves."""

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
        """Why nothing is kept any more, which the host's disk decides."""
        return self._host.storage_error

    @property
    def reading(self) -> int:
        """How many jobs there will be once the host has read all that it remembers; 0 when it has."""
        return self._host.reading

    async def recall(self) -> Sequence[Job]:
        """Remember nothing: the engine is there."""
        return ()

    def meanings(self, provider: str) -> Mapping[str, Mapping[str, str]]:
        """Return what the page of an API says that the values of facts mean; nothing where there is no such page."""
        return self._host.meanings(provider)

    async def open(self) -> OpenEngine:
        """Look at the engine that runs already."""
        self._viewer = Viewer(self._group)
        return OpenEngine(self._group.view, self._viewer)

    def curl(self, asked: Exchange | Target) -> str:
        """Return a request, or one about a job, as a line for a shell."""
        return self._host.curl(asked)

    async def ticket(self, keys: Sequence[JobKey], note: str = "", *, include_result: bool = False) -> str:
        """Return one ticket about jobs."""
        return await self._host.ticket(keys, note, include_result=include_result)

    async def note(self, keys: Sequence[JobKey]) -> str:
        """Return the note that is kept with the jobs."""
        return await self._host.note(keys)

    async def close(self) -> None:
        """Leave; the host goes on."""
        if self._viewer is not None:
            self._viewer.leave()
