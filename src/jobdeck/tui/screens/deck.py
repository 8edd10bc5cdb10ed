"""The main screen: the list, the selected job and its trace, kept in step with the engine."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.command import CommandPalette
from textual.containers import Container, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from jobdeck.domain import words
from jobdeck.domain.text import one_line
from jobdeck.engine.batch import Batch
from jobdeck.tui.actions import ACTIONS, BY_NAME, Action, Group, actions_when, bindings
from jobdeck.tui.clipboard import Copier, Put
from jobdeck.tui.copy_actions import Handing
from jobdeck.tui.deck_state import Watch
from jobdeck.tui.export import Save, save
from jobdeck.tui.job_filter import Triage
from jobdeck.tui.marks import Marks, UndoStack
from jobdeck.tui.notifications import Calling
from jobdeck.tui.render.frame import EMPTY_DECK, NO_JOBS, NOTHING_PASSES, OPENING, banner_lines, header_line
from jobdeck.tui.render.spans import Line, Role, clip_line
from jobdeck.tui.screens.dialogs import HelpScreen
from jobdeck.tui.screens.hand_keys import HandKeys
from jobdeck.tui.screens.pane_keys import PaneKeys
from jobdeck.tui.screens.watch_keys import WatchKeys
from jobdeck.tui.session import Choice, Engine, Session
from jobdeck.tui.theme import DARK, THEMES, after
from jobdeck.tui.widgets.detail import Detail
from jobdeck.tui.widgets.filter_bar import FilterBar
from jobdeck.tui.widgets.job_list import JobList, JobPane
from jobdeck.tui.widgets.static import Banner, Footer, Header, Rule, TabRule
from jobdeck.tui.widgets.trace import Trace

NOTICE_SECONDS = 10.0
FILTERING = (("enter", "keep the filter"), ("esc", "show all"), ("tab", "next pane"))
SEARCHING = (("enter", "to the first place"), ("esc", "back to the result"), ("tab", "next pane"))
"""What keys do while a filter, or a text to look for, is typed."""


class Side(Vertical):
    """The panes about the selected job."""


class Deck(PaneKeys, HandKeys, WatchKeys):
    """Draws what the engine tells, and does what the keys ask for."""

    AUTO_FOCUS = "JobList"
    TEXT_KEYS: ClassVar[str] = "/:a"
    """The keys that ask for a text, so that what comes together with one may be typed."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = bindings(Group.PANES, Group.JOB, Group.DECK)

    def __init__(self, session: Session, put: Put, write: Callable[[str], object], save: Save = save) -> None:
        super().__init__()
        now = session.clock.now()
        self._session = session
        self._save = save
        self._handing = Handing(session, Copier(put, session.clock, self._tell, save), self._tell, self._push)
        self._marks = Marks()
        self._undo = UndoStack()
        self._calling = Calling(write, self._tell)
        session.when_ended(self._calling.told, lambda fault: self._say(fault, warn=True))
        self._watch = Watch(session.profiles, locked=bool(session.locked), meanings=session.meanings)
        self._failure: str | None = None
        self._noticed = 0
        self._header, self._banner, self._footer = Header(), Banner(), Footer()
        self._detail_rule, self._trace_rule = TabRule(id="detail-rule"), Rule(id="trace-rule")
        self._triage = Triage(self._watch.model)
        self._filter_bar, self._search_bar = FilterBar("filter", FILTERING), FilterBar("search", SEARCHING)
        self._jobs = JobList(self._watch.model, now, id="jobs")
        self._detail = Detail(now, id="detail")
        self._trace = Trace(now, id="trace")

    @property
    def profile_names(self) -> Sequence[str]:
        """The names that a target may begin with."""
        return self._session.profiles

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
        self._colour_as_before()
        self._jobs.when_empty(self._empty_lines)
        engine.attend(present=not self._watch.away)
        engine.focus(self._jobs.selected)

    def draw(self, batch: Batch) -> None:
        """Draw a batch of changes."""
        now = self._session.clock.now()
        delta = self._watch.take(batch, now)
        self._session.heard(batch, self._calling.wanted)
        self._marks.drop(key for key in batch.removed if self._watch.model.row(key) is None)
        self._jobs.sync(now, settled=self._settled)
        if self._select_next is not None and self._watch.model.row(self._select_next) is not None:
            self._jobs.select(self._select_next)
            self._select_next = None
        selected = self._jobs.selected
        if selected in delta.changed or any(exchange.job == selected for exchange in batch.exchanges):
            self._draw_selected()
        self._draw_frame()

    def tick(self) -> None:
        """Draw what reads differently because a second has passed."""
        self._let_pass()

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

    def hold(self, action: str) -> None:
        """Keep the job selected that is selected now, whatever needs a look more: `action` is meant for it."""
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
        """Show which pane the keys are for, and what they do there."""
        self._draw_titles()
        self._draw_footer()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave out what changes something where nothing can be changed, and what is only for a replay."""
        return action not in BY_NAME or BY_NAME[action] in self._actions

    def on_key(self, event: events.Key) -> None:
        """Say why a key does nothing here."""
        missing = any(event.key in action.keys for action in ACTIONS if action.changes)
        if self._session.locked and missing and not any(event.key in action.keys for action in self._actions):
            self._say(self._session.locked)

    async def on_paste(self, event: events.Paste) -> None:
        """Offer to add what was pasted where there is no input for it."""
        event.stop()
        if self._session.locked or self._watch.replay:
            self._say(self._session.locked or "not available in replay")
        elif event.text.strip():
            await self.offer_to_add(event.text)

    async def on_footer_chosen(self, message: Footer.Chosen) -> None:
        """Do the action that was clicked."""
        await self.run_action(message.action)

    def action_theme(self) -> None:
        """Show everything in the next theme."""
        self.action_use_theme(after(self.app.theme).name)
        # Gone before the next but one: who goes through them all looks at the screen, not at a pile of notices.
        self.notify(next(name for name, one in THEMES.items() if one.name == self.app.theme), timeout=1.5, markup=False)

    def action_use_theme(self, name: str) -> None:
        """Show everything in the theme of that name, next time too."""
        self.app.theme = name
        self._session.keep_choice(Choice.THEME, name)

    async def action_help(self) -> None:
        """Show the help sheet."""
        await self.app.push_screen(HelpScreen(locked=bool(self._session.locked), replay=bool(self._watch.replay)))

    async def action_palette(self) -> None:
        """Show the palette with a cursor that stands still: one that blinks draws for ever."""
        palette = CommandPalette()
        await self.app.push_screen(palette)
        for box in palette.query(Input):
            box.cursor_blink = False

    async def action_mouse(self) -> None:
        """Use the mouse, or leave it to the terminal."""
        await self.app.run_action("mouse")

    async def action_suspend(self) -> None:
        """Go back to the shell."""
        await self.app.run_action("suspend")

    async def action_quit(self) -> None:
        """Quit."""
        await self.app.run_action("quit")

    def _colour_as_before(self) -> None:
        """Show everything in the theme of last time, unless another has been asked for by now."""
        kept = self._session.chosen.get(Choice.THEME)
        if self.app.theme == DARK.name and any(kept == theme.name for theme in THEMES.values()):
            self.app.theme = str(kept)

    def _tell_notices(self) -> None:
        notices = self._session.notices
        for notice in notices[self._noticed :]:
            self.notify(one_line(notice), markup=False, timeout=NOTICE_SECONDS)
        self._noticed = len(notices)

    def _draw_selected(self) -> None:
        now = self._session.clock.now()
        key = self._jobs.selected
        job = self._watch.job(key)
        if job is None:
            self._detail.show(None, None, now)
        else:
            self._detail.show(job, self._watch.outlook(job.key), now, self._watch.past(job.key))
        self._fetch_result()
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
        fault = ""
        if alike is not None and alike.count > 1:
            since = words.near(alike.since_us, self._session.clock.now())
            fault = f" · = {alike.fault.words(alike.count)} since {since}"
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
        fixed = bool(self._session.locked or self._watch.replay)
        self._banner.tell(lambda width: banner_lines(width, halted, blind, now, failure, unkept=unkept, locked=fixed))
        self._draw_footer()

    def _draw_footer(self) -> None:
        typed = next((bar for bar in self._bars if bar.editing), None)
        if typed is not None:
            self._footer.say(typed.keys)
        else:
            locked, replay = bool(self._session.locked), bool(self._watch.replay)
            self._footer.label(self._labels, locked=locked, replay=replay)

    def _let_pass(self, *, settle: bool = False) -> None:
        """Draw the present moment; with `settle` rows go where they belong now, however short a while they stood."""
        now = self._session.clock.now()
        if self._triage.tick(now, settle=settle):
            self._relist()
        self._jobs.tick(now)
        self._draw_selected()
        self._draw_frame()

    @property
    def _bars(self) -> tuple[FilterBar, ...]:
        """The lines in which something may be typed."""
        return self._filter_bar, self._search_bar

    @property
    def _settled(self) -> bool:
        return self._watch.settled

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
            return OPENING
        lines = NOTHING_PASSES if self._watch.model.total else NO_JOBS if self._session.locked else EMPTY_DECK
        return tuple(clip_line(line, width) for line in lines)

    async def _push(self, sheet: ModalScreen[None]) -> None:
        await self.app.push_screen(sheet)

    def _tell(self, message: str, warn: bool) -> None:
        self._say(message, warn=warn)
