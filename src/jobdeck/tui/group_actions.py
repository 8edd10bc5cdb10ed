"""The key `b`: show the jobs in groups, and act on a chosen group."""

from collections.abc import Awaitable, Callable

from jobdeck.domain.instant import Clock
from jobdeck.tui.clipboard import Say
from jobdeck.tui.copy_actions import CopyActions
from jobdeck.tui.deck_state import DeckState
from jobdeck.tui.error_groups import ErrorGroups
from jobdeck.tui.job_actions import JobActions
from jobdeck.tui.screens.groups import Chosen, GroupChoice, GroupsMemory, GroupsScreen
from jobdeck.tui.widgets.list_pane import ListPane

Show = Callable[[GroupsScreen, Callable[[GroupChoice | None], Awaitable[None]]], Awaitable[object]]
"""Opens the groups in front of the deck, and passes the choice to the callback."""


class GroupActions:
    """Applies the deck's actions to the jobs of a group."""

    def __init__(self, pane: ListPane, jobs: JobActions, errors: ErrorGroups, copy: CopyActions, say: Say) -> None:
        self._pane = pane
        self._jobs = jobs
        self._errors = errors
        self._copy = copy
        self._say = say
        self._memory = GroupsMemory()

    async def open(self, show: Show, state: DeckState, clock: Clock) -> None:
        """Show the jobs in groups, and run the chosen action."""
        await show(GroupsScreen(state, clock, self._memory, read_only=state.controls is None), self._do)

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
