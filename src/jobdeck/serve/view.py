"""What the server needs of a screen: one for each viewer, written as a terminal is."""

from collections.abc import Callable
from typing import Protocol

Write = Callable[[str], None]
"""Takes what a terminal would be sent. Must not block."""


class View(Protocol):
    """One viewer's screen."""

    async def run(self) -> None:
        """Draw until the viewer quits, `close` is called, or the screen fails, which raises."""
        ...

    def type(self, text: str) -> None:
        """Take what a terminal sends: keys, mouse reports, pasted text."""
        ...

    def resize(self, width: int, height: int) -> None:
        """Draw for another size, in cells."""
        ...

    def attend(self, *, present: bool) -> None:
        """Note whether somebody looks."""
        ...

    async def close(self) -> None:
        """End, within two seconds; harmless when it has ended."""
        ...


MakeView = Callable[[Write, int, int], View]
"""Makes a screen of some width and height that writes to a viewer."""
