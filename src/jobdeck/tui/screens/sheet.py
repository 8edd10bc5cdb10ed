"""What every sheet in front of the deck has: it goes away on escape."""

from typing import ClassVar, TypeVar

from textual.binding import BindingType
from textual.screen import ModalScreen

ResultT = TypeVar("ResultT")


class Sheet(ModalScreen[ResultT]):
    """A modal screen without a name for its content; `escape` leaves it with no result."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave", "back")]
    ALLOW_SELECT = False

    def action_leave(self) -> None:
        """Go back, with no result."""
        self.dismiss(None)
