"""One sitting at the screen: the wiring's parts in the shape that the screen asks for."""

from jobdeck.domain.instant import Clock
from jobdeck.domain.job import Target
from jobdeck.engine.engine import Engine
from jobdeck.providers.targets import parse_input
from jobdeck.tui.session import Parsed, Refused
from jobdeck.wiring import Wiring


class Sitting:
    """Implements the screen's `Session` on real settings."""

    def __init__(self, wiring: Wiring, targets: tuple[Target, ...], notices: tuple[str, ...] = ()) -> None:
        self._wiring = wiring
        self._targets = targets
        self.notices = notices

    @property
    def clock(self) -> Clock:
        """The system's clock."""
        return self._wiring.clock

    @property
    def profiles(self) -> tuple[str, ...]:
        """The names of the configured profiles."""
        return tuple(self._wiring.settings.profiles)

    async def open(self) -> Engine:
        """Put the engine together: what is remembered in its last state, the rest new.

        Raises `ConfigError` for a profile without credentials.
        """
        running = self._wiring.open(listed=True)
        self.notices = (*self.notices, *running.notices)
        running.engine.restore(await self._wiring.recall(running.store, self._targets))
        running.engine.add(self._targets)
        return running.engine

    def parse(self, text: str) -> Parsed:
        """Understand pasted text in every form that the command line takes."""
        parsed = parse_input(text.encode("utf-8", "surrogatepass"), self._wiring.directory)
        return Parsed(parsed.targets, tuple(Refused(text, reason) for text, reason in parsed.refused))
