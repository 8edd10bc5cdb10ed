"""What the actions of the deck use of it."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from textual.screen import ModalScreen

from jobdeck.app.session import Session
from jobdeck.tui.clipboard import ClipboardService, Say
from jobdeck.tui.deck_state import DeckState
from jobdeck.tui.export import Save


@dataclass(frozen=True, slots=True)
class DeckServices:
    """The session and the deck's state, and what actions do besides changing them."""

    session: Session
    state: DeckState
    clipboard: ClipboardService
    save: Save
    say: Say
    push: Callable[[ModalScreen[None]], Awaitable[None]]
    """Opens a dialog in front of the deck."""
    run: Callable[[Coroutine[Any, Any, None]], object]
    """Runs a coroutine in the background."""
