"""Keys in turn: each is carried out before the next is given to anybody.

Keys that come in one burst (a slow line, typing ahead, a macro) would else all go to whoever has the focus when the
first of them comes, and what was meant for an input that the first one opens would act as keys.
"""

from collections import deque
from typing import Any, TypeAlias

from textual import events
from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.timer import Timer

from jobdeck.tui.pasting import events_of_burst, takes_text
from jobdeck.tui.terminal import Burst

Typed: TypeAlias = events.Key | events.Paste | Burst

PATIENCE_SECONDS = 5.0
"""After so long a key whose end was not heard of holds back no other."""

LOOK_SECONDS = 0.02
"""How often a key that is held back looks whether the one before can still tell of its end."""

INTERRUPT = "ctrl+c"
"""The key that waits for none."""


INPUT_TRIPS = 3
"""An input tells its bar that it was left, the bar tells the deck, and that moves the focus: each by a message."""


class Settled(Message):
    """What a key asks for has been done: it was sent behind the key, and came the same way.

    It goes `trips` times more, behind what has been sent meanwhile.
    """

    def __init__(self, target: MessagePump, trips: int) -> None:
        super().__init__()
        self.target = target
        self.trips = trips


class InTurnApp(App[int]):
    """An app that holds back keys and pasted text until the key before has been carried out."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._held: deque[Typed] = deque()
        self._carried_out_on: Screen[Any] | None = None
        self._carried_out_by: MessagePump = self
        self._giving_up: Timer | None = None
        self._looks = 0

    @property
    def in_turn(self) -> bool:
        """Whether the last key has been carried out, or closed the widget that would tell of it."""
        return self._carried_out_on is None or not self._carried_out_by.is_running

    async def on_event(self, event: events.Event) -> None:
        """Give what is typed to whoever has the focus, in turn."""
        if isinstance(event, Typed) and not self._screen_stack:
            # The app is being closed: nobody is there for keys that are still on their way.
            return
        if not isinstance(event, Typed) or event.is_forwarded or _interrupts(event):
            await super().on_event(event)
            return
        self._held.append(event)
        if self.in_turn:
            await self._go_on()
        else:
            self._hold()

    def on_settled(self, message: Settled) -> None:
        """Go on, behind what the key has left to be done, such as moving the focus."""
        if message.trips == 0 or not message.target.post_message(Settled(message.target, message.trips - 1)):
            self.call_later(self._next)

    async def _give(self, event: Typed) -> None:
        screen, target = self.screen, self.focused or self.screen
        if isinstance(event, Burst):
            self._held.extendleft(reversed(events_of_burst(event, target)))
            return
        await super().on_event(event)
        text = isinstance(event, events.Paste) or event.is_printable
        into_text = takes_text(target)
        if not (text and into_text) and target.post_message(Settled(target, INPUT_TRIPS - 1 if into_text else 0)):
            self._carried_out_on, self._carried_out_by = screen, target

    async def _next(self) -> None:
        if self._screen_stack and self._carried_out_on is not None and self.screen is not self._carried_out_on:
            # A sheet has just come: it has its input, and that the focus, after its first refresh.
            self._carried_out_on, self._carried_out_by = self.screen, self
            self.screen.call_after_refresh(self.call_later, self._next)
            return
        await self._go_on()

    async def _go_on(self) -> None:
        self._carried_out_on = None
        if self._giving_up is not None:
            self._giving_up.stop()
            self._giving_up = None
        while self._held and self.in_turn and self._screen_stack:
            await self._give(self._held.popleft())
        if self._held:
            self._hold()

    def _hold(self) -> None:
        if self._giving_up is None:
            self._looks = 0
            self._giving_up = self.set_interval(LOOK_SECONDS, self._look)

    async def _look(self) -> None:
        self._looks += 1
        if self.in_turn or self._looks * LOOK_SECONDS >= PATIENCE_SECONDS:
            await self._go_on()


def _interrupts(event: Typed) -> bool:
    return isinstance(event, events.Key) and event.key == INTERRUPT
