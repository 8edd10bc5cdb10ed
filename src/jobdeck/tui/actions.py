"""One table of actions: the key bindings, the footer, the help screen and the palette are made from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from textual.binding import Binding, BindingType
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.types import IgnoreReturnCallbackType

from jobdeck.tui.render.columns import Name
from jobdeck.tui.theme import THEMES


class Group(StrEnum):
    """Where an action belongs on the help screen, and who binds its keys."""

    MOVE = "Move"
    PANES = "Panes"
    JOB = "The selected job"
    DECK = "Everything"
    REPLAY = "Replay"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a person can do.

    `keys` are Textual's names of the keys, `shown` how a person reads them; `footer` orders it in the footer and
    keeps it out when None: the smaller, the longer it stays as the screen gets narrow. One that `changes` what is
    asked, watched or kept is not there where a session is locked, and one of `Group.REPLAY` only in a replay. What is
    done `on_marks` is done with every selected job.
    """

    name: str
    keys: tuple[str, ...]
    shown: str
    label: str
    help: str
    group: Group
    footer: int | None = None
    changes: bool = False
    on_marks: bool = False


ACTIONS: tuple[Action, ...] = (
    Action("cursor_down", ("j", "down"), "j ↓", "down", "down one line", Group.MOVE),
    Action("cursor_up", ("k", "up"), "k ↑", "up", "up one line", Group.MOVE),
    Action("first", ("g", "home"), "g", "first", "first line", Group.MOVE),
    Action("last", ("G", "end"), "G", "last", "last line", Group.MOVE),
    Action("page_down", ("pagedown", "ctrl+f"), "PgDn", "page down", "down one page", Group.MOVE),
    Action("page_up", ("pageup", "ctrl+b"), "PgUp", "page up", "up one page", Group.MOVE),
    Action(
        "copy_id", ("y",), "y", "copy ID", "copy the request ID; in a result, the value", Group.JOB, 10, on_marks=True
    ),
    Action(
        "ticket",
        ("Y",),
        "Y",
        "ticket",
        "create a support ticket: review it, then y copies, s saves",
        Group.JOB,
        11,
        on_marks=True,
    ),
    Action(
        "copy_curl",
        ("c",),
        "c",
        "copy as curl",
        "copy the request as a curl command, secrets as $VARIABLES",
        Group.JOB,
        32,
    ),
    Action(
        "show_sent", ("C",), "C", "clipboard", "view what was sent to the clipboard: copy again, or save", Group.JOB
    ),
    Action(
        "acknowledge",
        ("m",),
        "m",
        "acknowledge",
        "acknowledge, which moves it to the bottom; unacknowledge",
        Group.JOB,
        44,
        changes=True,
        on_marks=True,
    ),
    Action("mark", ("space",), "space", "select", "select and move on; y Y m r w d act on all selected", Group.JOB),
    Action("mark_all", ("M",), "M", "select all", "select all shown, or clear the selection", Group.JOB),
    Action("same_fault", ("equals_sign",), "=", "same error", "only jobs that failed with the same error", Group.JOB),
    Action(
        "next_error",
        ("e",),
        "e",
        "by error",
        "only jobs that failed with the most common error; again: the next one",
        Group.DECK,
        17,
    ),
    Action(
        "groups",
        ("b",),
        "b",
        "groups",
        "group by reason, kind, profile, stage or batch; tickets and acknowledgements for a whole group",
        Group.DECK,
        19,
    ),
    Action(
        "newest_failure",
        ("exclamation_mark",),
        "!",
        "newest failure",
        "jump to the newest failure; again: the previous one",
        Group.DECK,
    ),
    Action(
        "call",
        ("w",),
        "w",
        "notify",
        "notify when it finishes (bell and desktop)",
        Group.JOB,
        46,
        changes=True,
        on_marks=True,
    ),
    Action("call_all", ("W",), "W", "notify all", "notify whenever a job finishes", Group.JOB, changes=True),
    Action(
        "refresh",
        ("r",),
        "r",
        "refresh",
        "poll this job as soon as the rate limit allows",
        Group.JOB,
        40,
        changes=True,
        on_marks=True,
    ),
    Action(
        "remove",
        ("d",),
        "d",
        "stop watching",
        "stop watching it; the remote job keeps running",
        Group.JOB,
        45,
        changes=True,
        on_marks=True,
    ),
    Action("undo", ("u",), "u", "undo", "undo d, m, w, space, M or a cleared filter; again: earlier ones", Group.JOB),
    Action("filter", ("slash",), "/", "filter", "filter: text, !text, state:failed, age>30s", Group.DECK, 16),
    Action(
        "faults",
        ("f",),
        "f",
        "problems",
        "only problems (failed, stalled, unreachable, partial), or all",
        Group.DECK,
        30,
    ),
    Action("sort", ("s",), "s", "sort", "sort by the next column (or click its heading)", Group.DECK, 38),
    Action("reverse", ("S",), "S", "reverse", "reverse the sort order", Group.DECK),
    Action("add", ("a",), "a", "add", "add jobs: paste IDs, poll URLs or 202 responses", Group.DECK, 20, changes=True),
    Action(
        "refresh_all",
        ("R",),
        "R",
        "refresh all",
        "poll every unfinished job, within the rate limit",
        Group.DECK,
        changes=True,
    ),
    Action("pause", ("p",), "p", "pause", "pause or resume polling", Group.DECK, 35, changes=True),
    Action("palette", ("colon", "ctrl+p"), ":", "commands", "find an action by name", Group.DECK),
    Action("next_pane", ("tab",), "tab", "next pane", "next pane (shift+tab: previous)", Group.PANES),
    Action("previous_pane", ("shift+tab",), "shift+tab", "previous pane", "previous pane", Group.PANES),
    Action(
        "open",
        ("enter",),
        "enter",
        "open",
        "from the list to the job, to its trace; an exchange or a value in full",
        Group.PANES,
    ),
    Action("back", ("escape",), "esc", "back", "back to the list", Group.PANES),
    Action("zoom", ("z",), "z", "zoom", "maximize the pane, or restore it", Group.PANES, 50),
    Action(
        "next_tab",
        ("right_square_bracket",),
        "]",
        "next tab",
        "next tab: stages, result, raw, timeline, diff",
        Group.PANES,
        42,
    ),
    Action("previous_tab", ("left_square_bracket",), "[", "previous tab", "previous tab", Group.PANES),
    Action("next_match", ("n",), "n", "next match", "next match in the result", Group.PANES),
    Action("save_body", ("o",), "o", "save body", "save the full response body to a file", Group.PANES),
    Action("theme", ("t",), "t", "theme", "cycle the theme (dark, light, color-blind safe)", Group.DECK),
    Action(
        "mouse",
        ("ctrl+t",),
        "ctrl+t",
        "mouse",
        "use the mouse here, or let the terminal select text",
        Group.DECK,
    ),
    Action("help", ("question_mark",), "?", "help", "show this help", Group.DECK, 15),
    Action("suspend", ("ctrl+z",), "ctrl+z", "suspend", "suspend (polling stops until fg)", Group.DECK),
    Action("quit", ("q",), "q", "quit", "quit; the remote jobs keep running", Group.DECK, 12),
    Action("play", ("p",), "p", "play", "play or pause", Group.REPLAY, 13),
    Action("step", ("full_stop",), ".", "step", "pause at the next response or change", Group.REPLAY, 17),
    Action("step_back", ("comma",), ",", "step back", "pause at the previous response or change", Group.REPLAY, 18),
    Action("faster", ("greater_than_sign",), ">", "faster", "play faster, up to 240 times", Group.REPLAY, 36),
    Action("slower", ("less_than_sign",), "<", "slower", "play slower, down to a quarter", Group.REPLAY, 37),
    Action("go_to", ("at",), "@", "go to", "jump to a time: 14:02, 14:02:30, +5m, -30s, 50%", Group.REPLAY, 19),
)

BY_NAME = {action.name: action for action in ACTIONS}


def actions_when(*, locked: bool, replay: bool = False) -> tuple[Action, ...]:
    """Return the actions that there are, in the order of the table."""
    there = (action for action in ACTIONS if replay or action.group is not Group.REPLAY)
    return tuple(action for action in there if not (locked and action.changes))


def bindings(*groups: Group) -> list[BindingType]:
    """Return Textual's bindings for the actions of some groups."""
    return [
        Binding(",".join(action.keys), action.name, action.label, show=False)
        for action in ACTIONS
        if action.group in groups
    ]


def in_footer(*, locked: bool = False, replay: bool = False, marks: bool = False) -> list[Action]:
    """Return the footer's actions in the order of the table; with `marks` those first that are done on all of them."""
    there = [action for action in actions_when(locked=locked, replay=replay) if action.footer is not None]
    if not marks:
        return there
    return [
        *(action for action in there if action.on_marks),
        BY_NAME["mark_all"],
        *(action for action in there if not action.on_marks),
    ]


ALSO = {
    "copy_id": "copy",
    "copy_curl": "copy",
    "ticket": "copy",
    "show_sent": "copy",
    "filter": "search find",
    "faults": "errors problems",
    "acknowledge": "mute snooze",
    "call": "notify",
    "call_all": "notify",
    "refresh": "refresh retry reload",
    "refresh_all": "refresh retry reload",
    "remove": "delete unwatch",
    "quit": "exit",
}
"""What actions are called elsewhere, in words that their help does not have."""

BY_HELP = 0.1
"""The score of what is found by its help: less than what is found by its name."""


class ActionCommands(Provider):
    """Lists the actions that make sense by name, and the themes."""

    async def discover(self) -> Hits:
        """Yield every command."""
        for name, text, run, _ in self._commands():
            yield DiscoveryHit(name, run, help=text)

    async def search(self, query: str) -> Hits:
        """Yield the commands that match."""
        matcher, wanted = self.matcher(query), query.casefold().split()
        for name, text, run, also in self._commands():
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, matcher.highlight(name), run, help=text)
            elif wanted and all(word in f"{text} {also}".casefold() for word in wanted):
                yield Hit(BY_HELP, name, run, help=text)

    def _commands(self) -> Iterator[tuple[str, str, IgnoreReturnCallbackType, str]]:
        """Yield name, help, what is to be done, and further words to be found by."""
        for action in ACTIONS:
            there = self.screen.check_action(action.name, ())
            if there and action.group is not Group.MOVE and action.name != "palette":
                run = partial(self.screen.run_action, action.name)
                yield action.label, f"{action.shown}: {action.help}", run, ALSO.get(action.name, "")
        for column in Name:
            text = "sort by urgency" if column is Name.STATE else "sort by this column; again: reverse"
            yield f"sort by {column}", text, partial(self.screen.run_action, f"sort_by('{column}')"), ""
        for name, theme in THEMES.items():
            yield name, "the colors of the screen", partial(self.screen.run_action, f"use_theme('{theme.name}')"), ""
