"""What `a` and a paste do: ask for targets, watch them, and keep what was typed and not added."""

from collections.abc import Awaitable, Callable, Sequence

from textual.screen import ModalScreen

from jobdeck.app.session import SessionControls
from jobdeck.domain.job import Target
from jobdeck.tui.clipboard import Say
from jobdeck.tui.deck_state import DeckState
from jobdeck.tui.engine_actions import EngineActions
from jobdeck.tui.screens.add import AddScreen


class AddActions:
    """Asks for targets where any may be added."""

    def __init__(
        self,
        controls: SessionControls | None,
        state: DeckState,
        engine: EngineActions,
        say: Say,
        push: Callable[[ModalScreen[None]], Awaitable[None]],
    ) -> None:
        self._controls = controls
        self._state = state
        self._engine = engine
        self._say = say
        self._push = push
        self._draft = ""

    async def ask(self, text: str = "") -> None:
        """Ask for targets; `text` is what has been pasted already, without one what was left there last."""
        known = self._state.is_watched
        if self._controls is not None:
            sheet = AddScreen(self._controls.parse, known, self._add, self._keep_draft, text or self._draft)
            await self._push(sheet)

    def _add(self, targets: Sequence[Target]) -> bool:
        added, message = self._engine.add(targets)
        self._say(message, not added)
        return added

    def _keep_draft(self, text: str) -> None:
        self._draft = text
