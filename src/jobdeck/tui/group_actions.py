"""Groups of jobs with one error: which there are, and what keys do with a whole group."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable

from jobdeck.domain import humanize
from jobdeck.domain.job import JobKey
from jobdeck.tui.copy_actions import CopyActions
from jobdeck.tui.deck_state import DeckServices, DeckState
from jobdeck.tui.job_actions import JobActions
from jobdeck.tui.job_filter import group_filter, same_error_filter
from jobdeck.tui.screens.groups import Chosen, GroupChoice, GroupsMemory, GroupsScreen
from jobdeck.tui.widgets.list_pane import ListPane


class ErrorGroups:
    """Filters the list by one error or state at a time. Methods return the message to show."""

    def __init__(self, state: DeckState, pane: ListPane) -> None:
        self._state = state
        self._pane = pane

    def show_next(self) -> str:
        """Show only the jobs with the most common error, then those with the next one, finally all again."""
        filters = self._filters
        shown = self._pane.filter_text
        place = filters.index(shown) + 1 if shown in filters else 0
        if not filters:
            return "no job has failed with an error"
        if place == len(filters):
            self._pane.clear_filter()
        else:
            self._pane.replace_filter(filters[place])
        return ""

    def show_same(self, key: JobKey | None) -> str:
        """Show only the jobs that failed with the same error as this one."""
        found = self._state.failure_groups.group_of(key) if key is not None else None
        if found is None:
            return "this job has no error"
        self._pane.replace_filter(same_error_filter(found.fingerprint))
        return ""

    def toggle(self, filter_text: str) -> str:
        """Toggle a filter of the strip; with an empty one, show the next error."""
        if not filter_text:
            return self.show_next()
        if filter_text == self._pane.filter_text:
            self._pane.clear_filter()
        else:
            self._pane.replace_filter(filter_text)
        return ""

    def jobs_for_ticket(self, marks: Iterable[JobKey]) -> tuple[list[JobKey], str]:
        """Return the selected jobs, or those of the error that the list is filtered by, or the job under the cursor.

        A ticket goes to one vendor: jobs of other APIs are left out, and the message says so.
        """
        selected = self._pane.jobs.selected
        keys = list(marks)
        if not keys and self._pane.filter_text in self._filters:
            keys = list(self._state.table.keys(0, len(self._state.table)))
        if not keys:
            return ([selected] if selected is not None else []), ""
        return self.of_one_api(keys, selected)

    def of_one_api(self, keys: list[JobKey], about: JobKey | None) -> tuple[list[JobKey], str]:
        """Return the jobs of the API of `about`, or else of the most common API."""
        apis = {key: job.target.provider for key in keys if (job := self._state.job(key)) is not None}
        most_common = Counter(apis.values()).most_common(1)
        api = apis[about] if about in apis else most_common[0][0] if most_common else ""
        ours = [key for key in keys if apis.get(key, api) == api]
        if len(ours) == len(keys):
            return keys, ""
        others = humanize.pluralize(len(keys) - len(ours), "job")
        return ours, f"{others} from another API skipped; to create their ticket, select one and press Y"

    @property
    def _filters(self) -> list[str]:
        """The filters of the errors on the strip, in order."""
        return [group_filter(group) for group in self._state.failure_groups.by_error()]


Show = Callable[[GroupsScreen, Callable[[GroupChoice | None], Awaitable[None]]], Awaitable[object]]
"""Opens the groups in front of the deck, and passes the choice to the callback."""


class GroupActions:
    """Applies the deck's actions to the jobs of a group."""

    def __init__(
        self, deck: DeckServices, pane: ListPane, jobs: JobActions, errors: ErrorGroups, copy: CopyActions
    ) -> None:
        self._state, self._clock, self._say = deck.state, deck.session.clock, deck.say
        self._pane = pane
        self._jobs = jobs
        self._errors = errors
        self._copy = copy
        self._memory = GroupsMemory()

    async def open(self, show: Show) -> None:
        """Show the jobs in groups, and run the chosen action."""
        read_only = self._state.controls is None
        await show(GroupsScreen(self._state, self._clock, self._memory, read_only=read_only), self._do)

    async def _do(self, choice: GroupChoice | None) -> None:
        match choice:
            case GroupChoice(Chosen.FILTER):
                self._pane.replace_filter(choice.filter)
            case GroupChoice(Chosen.JOB):
                self._say(self._pane.reveal(choice.keys[0]), False)
            case GroupChoice(Chosen.SELECT):
                self._jobs.select(choice.keys)
            case GroupChoice(Chosen.ACKNOWLEDGE):
                self._say(self._jobs.acknowledge(choice.keys), False)
            case GroupChoice(Chosen.TICKET):
                keys, message = self._errors.of_one_api(list(choice.keys), choice.about)
                self._say(message, False)
                await self._copy.ticket(keys)
            case None:
                pass
