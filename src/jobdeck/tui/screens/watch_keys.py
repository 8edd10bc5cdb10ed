"""What the keys do about what is watched and asked: add, drop, ask now, pause. A part of the deck."""

from collections.abc import Sequence

from jobdeck.domain import words
from jobdeck.domain.job import JobKey, Target
from jobdeck.tui.cell_text import middle
from jobdeck.tui.screens.add import AddScreen
from jobdeck.tui.screens.deck_part import DeckPart
from jobdeck.tui.session import failure_text


class WatchKeys(DeckPart):
    """Changing what the engine watches, and when it asks."""

    _draft = ""
    """What was typed or pasted where targets are added, and left there."""

    def action_ask(self) -> None:
        """Ask about the selected job now."""
        engine, key = self._watch.engine, self._jobs.selected
        if engine is not None and key is not None:
            engine.ask(key)
            if engine.paused:
                self._say("paused: asked when p goes on")
            else:
                self._say(self._tries(key.profile) or "asking as soon as the budget allows")

    def action_ask_all(self) -> None:
        """Ask about every unfinished job."""
        if self._watch.engine is not None:
            self._watch.engine.ask_all()
            if self._watch.engine.paused:
                self._say("paused: asked when p goes on")
            else:
                rest = "asking about every unfinished job, paced by the budget"
                self._say("; ".join(part for part in (self._tries(), rest) if part))

    def _tries(self, profile: str | None = None) -> str:
        """Return in words when what cannot be seen is tried, all of it or one profile; empty when all can be seen."""
        now = self._session.clock.now()
        tries = [
            (one.profile, one.next_try - now.mono)
            for one in self._watch.blind_profiles()
            if one.next_try is not None and profile in (None, one.profile)
        ]
        when = (f"{middle(name, 40)} {f'in {words.span(left)}' if left >= 1 else 'now'}" for name, left in tries)
        return f"trying with one request: {', '.join(when)}" if tries else ""

    def action_remove(self) -> None:
        """Stop watching the selected job."""
        engine, job = self._watch.engine, self._watch.job(self._jobs.selected)
        if engine is not None and job is not None:
            name = middle(job.key.id, 40)
            back = self._way_back(job.key, lambda: engine.restore([job]))
            self._undo.push(f"watching {name} again", back)
            engine.remove([job.key])
            self._say(f"stopped watching {name} (u to undo)")

    def action_undo(self) -> None:
        """Undo what a key did last."""
        change = self._undo.pop()
        if change is None:
            self._say("nothing to undo")
            return
        try:
            change.undo()
        except Exception as error:  # noqa: BLE001 - a profile without credentials raises what the wiring raises
            self._say(f"not undone: {failure_text(error)}", warn=True)
        else:
            self._say(change.undone)

    async def action_add(self) -> None:
        """Ask for targets, and watch them."""
        await self.offer_to_add(self._draft)

    async def offer_to_add(self, text: str) -> None:
        """Ask for targets; `text` is what has been pasted already."""
        await self.app.push_screen(AddScreen(self._session.parse, self._is_watched, self._add, self._keep_draft, text))

    def _is_watched(self, key: JobKey) -> bool:
        return self._watch.model.row(key) is not None

    def action_pause(self) -> None:
        """Send nothing more, or go on."""
        engine = self._watch.engine
        if engine is not None:
            if engine.paused:
                engine.resume()
            else:
                engine.pause()
            self._draw_selected()
            self._draw_frame()

    def _keep_draft(self, text: str) -> None:
        self._draft = text

    def _add(self, targets: Sequence[Target]) -> bool:
        if self._watch.engine is None:
            self._say("not added: the engine is not open yet", warn=True)
            return False
        try:
            new = self._watch.engine.add(targets)
        except Exception as error:  # noqa: BLE001 - a profile without credentials raises what the wiring raises
            self._say(f"not added: {failure_text(error)}", warn=True)
            return False
        again = len(targets) - len(new)
        self._say(f"{words.plural(len(new), 'job')} added" + (f", {again} watched already" if again else ""))
        return True
