"""The main screen: the list, the selected job and its trace, kept in step with the engine."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Vertical
from textual.screen import ModalScreen
from textual.widget import Widget

from jobdeck.domain.job import Target
from jobdeck.domain.text import one_line
from jobdeck.engine.batch import Batch
from jobdeck.tui import words
from jobdeck.tui.actions import ACTIONS, BY_NAME, Action, Group, actions_when, bindings
from jobdeck.tui.calling import Calling
from jobdeck.tui.cells import middle
from jobdeck.tui.clipboard import Put
from jobdeck.tui.copier import Copier
from jobdeck.tui.draw.empty import EMPTY_DECK, NOTHING_PASSES
from jobdeck.tui.draw.header import banner_lines, header_line
from jobdeck.tui.draw.spans import EMPTY, Line, Role, clip_line
from jobdeck.tui.failure import failure_text
from jobdeck.tui.handing import Handing
from jobdeck.tui.marks import Marks
from jobdeck.tui.saving import Save, save
from jobdeck.tui.screens.hand_keys import HandKeys
from jobdeck.tui.screens.page_keys import PageKeys
from jobdeck.tui.session import Engine, Session
from jobdeck.tui.theme import THEMES, after
from jobdeck.tui.tight import TightCompositor
from jobdeck.tui.triage import Triage
from jobdeck.tui.watch import Watch
from jobdeck.tui.widgets.detail import Detail
from jobdeck.tui.widgets.filter_bar import FilterBar
from jobdeck.tui.widgets.job_list import JobList
from jobdeck.tui.widgets.job_pane import JobPane
from jobdeck.tui.widgets.line_view import LineView
from jobdeck.tui.widgets.static import Banner, Footer, Header, Rule
from jobdeck.tui.widgets.tabs import TabRule
from jobdeck.tui.widgets.trace import Trace

UNDO_KEPT = 100
NOTICE_SECONDS = 10.0


class Side(Vertical):
    """The panes about the selected job."""


class Deck(PageKeys, HandKeys):
    """Draws what the engine tells, and does what the keys ask for."""

    AUTO_FOCUS = "JobList"
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = bindings(Group.PANES, Group.JOB, Group.DECK)

    def __init__(self, session: Session, put: Put, write: Callable[[str], object], save: Save = save) -> None:
        super().__init__()
        self._compositor = TightCompositor()
        now = session.clock.now()
        self._session = session
        self._save = save
        self._handing = Handing(session, Copier(put, session.clock, self._tell, save), self._tell, self._push)
        self._marks = Marks()
        self._calling = Calling(write, self._tell)
        session.when_ended(self._calling.told, lambda fault: self._say(fault, warn=True))
        self._watch = Watch(session.profiles)
        self._failure: str | None = None
        self._removed: list[Target] = []
        self._noticed = 0
        self._zoomed: LineView | None = None
        self._header, self._banner, self._footer = Header(), Banner(), Footer()
        self._detail_rule, self._trace_rule = TabRule(id="detail-rule"), Rule(id="trace-rule")
        self._triage, self._filter_bar, self._search_bar = Triage(self._watch.model), FilterBar(), FilterBar()
        self._jobs = JobList(self._watch.model, now, id="jobs")
        self._detail = Detail(now, id="detail")
        self._trace = Trace(now, id="trace")

    @property
    def watch_state(self) -> Watch:
        """What the deck knows."""
        return self._watch

    def compose(self) -> ComposeResult:
        """Lay out header, panes and footer."""
        yield self._header
        yield self._banner
        with Container(id="panes"):
            yield JobPane(self._jobs, self._filter_bar)
            with Side():
                yield self._detail_rule
                yield self._search_bar
                yield self._detail
                yield self._trace_rule
                yield self._trace
        yield self._footer

    def on_mount(self) -> None:
        """Draw the deck as it is before the engine is there."""
        self._jobs.when_empty(self._empty_lines)
        self._draw_frame()
        self._draw_selected()
        self._tell_notices()

    def attach(self, engine: Engine) -> None:
        """Take the engine that has been opened."""
        self._watch.engine = engine
        self._tell_notices()
        self._sort_as_before()
        self._jobs.when_empty(self._empty_lines)
        engine.focus(self._jobs.selected)

    def draw(self, batch: Batch) -> None:
        """Draw a batch of changes."""
        now = self._session.clock.now()
        delta = self._watch.take(batch, now)
        self._session.heard(batch, self._calling.wanted)
        self._marks.drop(batch.removed)
        self._jobs.sync(now, settled=self._watch.settled)
        selected = self._jobs.selected
        if selected in delta.changed or any(exchange.job == selected for exchange in batch.exchanges):
            self._draw_selected()
        self._draw_frame()

    def tick(self) -> None:
        """Draw what reads differently because a second has passed."""
        now = self._session.clock.now()
        if self._triage.tick(now):
            self._relist()
        self._jobs.tick(now)
        self._draw_selected()
        self._draw_frame()

    def attend(self, *, present: bool) -> None:
        """Say whether somebody looks."""
        if self._watch.engine is not None:
            self._watch.engine.attend(present=present)
        self._watch.away = not present
        self._draw_frame()

    def fail(self, reason: str) -> None:
        """Say that the engine has stopped: what is on the screen is the past."""
        self._failure = reason
        self._jobs.when_empty(self._empty_lines)
        self._draw_frame()

    def hold(self) -> None:
        """Keep the job selected that is selected now, whatever needs a look more."""
        self._jobs.hold()

    def on_job_list_selected(self, message: JobList.Selected) -> None:
        """Show the job that is selected, and have it looked at more often."""
        if self._watch.engine is not None:
            self._watch.engine.focus(message.key)
        self._draw_selected()

    def on_job_list_viewed(self, message: JobList.Viewed) -> None:
        """Have the rows on the screen looked at before the others."""
        if self._watch.engine is not None:
            self._watch.engine.show(message.keys)

    def on_job_list_opened(self) -> None:
        """Go into the job."""
        self.action_open()

    def on_descendant_focus(self) -> None:
        """Show which pane the keys are for."""
        self._draw_titles()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave out what changes something where nothing can be changed, and what is only for a replay."""
        return action not in BY_NAME or BY_NAME[action] in self._actions

    def on_key(self, event: events.Key) -> None:
        """Say why a key does nothing here."""
        missing = any(event.key in action.keys for action in ACTIONS if action.changes)
        if self._session.locked and missing and not any(event.key in action.keys for action in self._actions):
            self._say(self._session.locked)

    async def on_footer_chosen(self, message: Footer.Chosen) -> None:
        """Do the action that was clicked."""
        await self.run_action(message.action)

    def action_next_pane(self) -> None:
        """Go to the next pane."""
        self._step(1)

    def action_previous_pane(self) -> None:
        """Go to the pane before."""
        self._step(-1)

    def action_open(self) -> None:
        """Go from the list into the job, and from the job to its trace; alone where there is no room for two."""
        pane: LineView = self._detail if self._focused_pane is self._jobs else self._trace
        if self._zoomed is not None or not _on_screen(pane):
            self._zoom(pane)
        self._focus(pane)

    def action_back(self) -> None:
        """Go back to the list, and let every pane have its place again; from the list, show every job again."""
        if self._zoomed is None and self.focused is self._jobs and self._triage.narrowed:
            self._clear_filter()
        self._zoom(None)
        self._focus(self._jobs)

    def action_zoom(self) -> None:
        """Give the whole screen to the pane of the keys, and take it back."""
        self._zoom(None if self._zoomed is not None else self._focused_pane)

    def action_ask(self) -> None:
        """Ask about the selected job now."""
        engine, key = self._watch.engine, self._jobs.selected
        if engine is not None and key is not None:
            engine.ask(key)
            self._say("asking as soon as the budget allows" if not engine.paused else "paused: asked when p goes on")

    def action_ask_all(self) -> None:
        """Ask about every unfinished job."""
        if self._watch.engine is not None:
            self._watch.engine.ask_all()
            self._say("asking about every unfinished job, paced by the budget")

    def action_remove(self) -> None:
        """Stop watching the selected job."""
        job = self._watch.job(self._jobs.selected)
        if self._watch.engine is not None and job is not None:
            self._removed = [*self._removed, job.target][-UNDO_KEPT:]
            self._watch.engine.remove([job.key])
            self._say(f"{middle(job.key.id, 40)} is no longer watched; it goes on at the server. u brings it back")

    def action_undo_remove(self) -> None:
        """Watch again what was removed last."""
        if self._watch.engine is None or not self._removed:
            self._say("nothing to bring back")
            return
        target = self._removed.pop()
        self._watch.engine.add([target])
        self._say(f"{middle(target.key.id, 40)} is watched again")

    def action_add(self) -> None:
        """Ask for targets, and watch them."""
        from jobdeck.tui.screens.add import AddScreen  # noqa: PLC0415 - not for the first frame

        def add(targets: tuple[Target, ...] | None) -> None:
            if targets:
                self._add(targets)

        self.app.push_screen(AddScreen(self._session.parse, lambda key: self._watch.model.row(key) is not None), add)

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

    def action_theme(self) -> None:
        """Show everything in the next theme."""
        theme = after(self.app.theme)
        self.app.theme = theme.name
        self._say(next(name for name, one in THEMES.items() if one is theme))

    def action_help(self) -> None:
        """Show the help sheet."""
        from jobdeck.tui.screens.help import HelpScreen  # noqa: PLC0415 - not for the first frame

        self.app.push_screen(HelpScreen(locked=bool(self._session.locked), replay=bool(self._watch.replay)))

    async def action_palette(self) -> None:
        """Show the palette."""
        await self.app.run_action("command_palette")

    async def action_quit(self) -> None:
        """Quit."""
        await self.app.run_action("quit")

    @property
    def _focused_pane(self) -> LineView:
        return self.focused if isinstance(self.focused, LineView) else self._jobs

    def _tell_notices(self) -> None:
        notices = self._session.notices
        for notice in notices[self._noticed :]:
            self.notify(one_line(notice), markup=False, timeout=NOTICE_SECONDS)
        self._noticed = len(notices)

    def _add(self, targets: Sequence[Target]) -> None:
        if self._watch.engine is None:
            self._say("not added: the engine is not open yet", warn=True)
            return
        try:
            new = self._watch.engine.add(targets)
        except Exception as error:  # noqa: BLE001 - a profile without credentials raises what the wiring raises
            self._say(f"not added: {failure_text(error)}", warn=True)
            return
        again = len(targets) - len(new)
        self._say(f"{words.plural(len(new), 'job')} added" + (f", {again} watched already" if again else ""))

    def _step(self, by: int) -> None:
        panes: list[LineView] = [self._jobs, self._detail, self._trace]
        if self._zoomed is None:
            panes = [pane for pane in panes if _on_screen(pane)]
        at = panes.index(self._focused_pane) if self._focused_pane in panes else 0
        pane = panes[(at + by) % len(panes)]
        if self._zoomed is not None:
            self._zoom(pane)
        self._focus(pane)

    def _zoom(self, pane: LineView | None) -> None:
        self._zoomed = pane
        for one in (self._jobs, self._detail, self._trace):
            self.set_class(one is pane, f"-zoom-{one.id}")

    def _focus(self, pane: LineView) -> None:
        # A pane that a zoom has just brought back can take the focus only after the next layout.
        if _on_screen(pane):
            self.set_focus(pane)
        else:
            self.call_after_refresh(self.set_focus, pane)

    def _draw_selected(self) -> None:
        now = self._session.clock.now()
        key = self._jobs.selected
        job = self._watch.job(key)
        if job is None:
            self._detail.show(None, None, now)
        else:
            self._detail.show(job, self._watch.outlook(job.key), now, self._watch.past(job.key))
        empty = ((("no request has been sent about this job yet", Role.DIM),),) if job is not None else ()
        self._trace.show(key, self._watch.exchanges(key), self._watch.told(key), now, empty)
        self._draw_titles()

    def _draw_titles(self) -> None:
        key = self._jobs.selected
        focused = self._focused_pane
        job = self._watch.job(key)
        told = " · told when it ends" if job is not None and not job.terminal and self._calling.wants(job.key) else ""
        marked = f" · {len(self._marks)} marked" if len(self._marks) else ""
        name = key.id if key is not None else "no job"
        self._detail_rule.show(name, self._detail.tab, strong=focused is self._detail, note=told + marked)
        count = len(self._watch.exchanges(key))
        counted = f" · {words.plural(count, 'exchange')}" if count else ""
        alike = self._watch.faults.of(key) if key is not None else None
        fault = f" · = {alike[0].words(alike[1])}" if alike is not None and alike[1] > 1 else ""
        self._trace_rule.title(f"Errors & trace{fault}{counted}", strong=focused is self._trace)

    def _draw_frame(self) -> None:
        self.set_class(not self._watch.model.total, "-empty")
        self._tell_filter()
        now = self._session.clock.now()
        overview = self._watch.overview(now)
        self._header.tell(lambda width: (header_line(overview, width),))
        halted = self._watch.engine.halted() if self._watch.engine is not None else {}
        blind = self._watch.blind_profiles()
        failure, unkept = self._failure, one_line(self._session.unkept)
        self._banner.tell(lambda width: banner_lines(width, halted, blind, now, failure, unkept=unkept))
        locked, replay = bool(self._session.locked), bool(self._watch.replay)
        self._footer.label(self._labels, locked=locked, replay=replay)

    @property
    def _actions(self) -> tuple[Action, ...]:
        """The actions that there are here."""
        return actions_when(locked=bool(self._session.locked), replay=bool(self._watch.replay))

    @property
    def _labels(self) -> dict[str, str]:
        """What some actions are called at the moment."""
        return {"pause": "resume"} if self._watch.paused else {}

    def _empty_lines(self, width: int) -> Sequence[Line]:
        if self._failure is not None:
            return ()
        if self._watch.engine is None:
            return (EMPTY, (("  opening…", Role.DIM),))
        lines = EMPTY_DECK if not self._watch.model.total else NOTHING_PASSES
        return tuple(clip_line(line, width) for line in lines)

    def _push(self, sheet: ModalScreen[None]) -> None:
        self.app.push_screen(sheet)

    def _tell(self, message: str, warn: bool) -> None:
        self._say(message, warn=warn)

    def _say(self, message: str, *, warn: bool = False) -> None:
        self.notify(message, severity="warning" if warn else "information", markup=False)


def _on_screen(pane: LineView) -> bool:
    return all(node.display for node in pane.ancestors_with_self if isinstance(node, Widget))
