"""One table of all actions; the key bindings, footer, help, palette and README are generated from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from textual.binding import Binding, BindingType


class Group(StrEnum):
    """Where an action is listed in the help, and which widget binds its keys; each value is a heading."""

    LIST = "List"
    JOB = "Job"
    TABS = "Tabs and trace"
    GENERAL = "General"
    PANES = "Panes"
    MOVE = "Move"
    REPLAY = "Replay"


class Pane(StrEnum):
    """The panes that take keys; each value is the ID of its widget."""

    LIST = "jobs"
    JOB = "detail"
    TRACE = "trace"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing the user can do with a key."""

    name: str
    """Textual's `action_NAME`."""
    keys: tuple[str, ...]
    """Textual's names of the keys."""
    shown: str
    """The keys as shown to the user."""
    label: str
    """The name in the footer and the palette."""
    help: str
    group: Group
    also: str = ""
    """More words that the palette finds it by."""
    changes: bool = False
    """It changes what is polled, watched or saved: unavailable in a read-only session."""
    saves: bool = False
    """It writes a file: unavailable in a browser."""
    per_key: bool = False
    """The action receives the key that was pressed."""


@dataclass(frozen=True, slots=True)
class Mode:
    """The kind of session that the keys act on."""

    read_only: bool = False
    replay: bool = False
    browser: bool = False


LIVE = Mode()


_LIST = (
    Action(
        "mark", ("space",), "space", "select", "select and move down; keys then act on the whole selection", Group.LIST
    ),
    Action(
        "mark_all", ("M",), "M", "select all", "select all shown, or clear the selection", Group.LIST, also="none mark"
    ),
    Action(
        "filter", ("slash",), "/", "filter", "filter: text, !text, state:failed, age>30s", Group.LIST, "search find"
    ),
    Action(
        "problems",
        ("f",),
        "f",
        "problems only",
        "toggle problems only (failed, stalled, unreachable, not found, partial)",
        Group.LIST,
        also="errors problems",
    ),
    Action(
        "same_error", ("equals_sign",), "=", "same error", "show only jobs that failed with the same error", Group.LIST
    ),
    Action(
        "next_error",
        ("e",),
        "e",
        "by error",
        "show only jobs with the most common error; press again for the next",
        Group.LIST,
    ),
    Action(
        "groups",
        ("b",),
        "b",
        "groups",
        "group by reason, kind, profile, stage or batch; create a ticket for a group or acknowledge it",
        Group.LIST,
    ),
    Action(
        "profiles",
        ("P",),
        "P",
        "profiles",
        "show one profile, or all",
        Group.LIST,
        also="switch context api",
    ),
    Action(
        "newest_failure",
        ("exclamation_mark",),
        "!",
        "latest failure",
        "jump to the latest failure; press again for the one before",
        Group.LIST,
    ),
    Action("sort", ("s",), "s", "sort", "sort by the next column (or click its heading)", Group.LIST),
    Action(
        "columns",
        ("S",),
        "S",
        "sort menu",
        "sort by a column, reverse, choose columns",
        Group.LIST,
        also="order reverse",
    ),
    Action(
        "export",
        ("ctrl+s",),
        "ctrl+s",
        "export",
        "export the jobs shown to a file: CSV, JSON lines or Markdown",
        Group.LIST,
        also="save csv json markdown",
        saves=True,
    ),
    Action(
        "views", ("v",), "v", "views", "saved views: 1–9 opens one, s saves the current one", Group.LIST, "bookmark"
    ),
    Action("wide", ("ctrl+w",), "ctrl+w", "wide", "toggle all columns and full IDs", Group.LIST),
)

_JOB = (
    Action(
        "copy_id", ("y",), "y", "copy ID", "copy the request ID; in a result, the value", Group.JOB, also="copy yank"
    ),
    Action(
        "ticket",
        ("Y",),
        "Y",
        "ticket",
        "create a support ticket: review it, then y copies, s saves",
        Group.JOB,
        also="copy support",
    ),
    Action(
        "copy_curl",
        ("c",),
        "c",
        "copy as curl",
        "copy the request as a curl command, secrets as $VARIABLES",
        Group.JOB,
    ),
    Action(
        "refresh",
        ("r",),
        "r",
        "refresh",
        "poll this job as soon as the rate limit allows",
        Group.JOB,
        also="retry reload",
        changes=True,
    ),
    Action(
        "acknowledge",
        ("m",),
        "m",
        "acknowledge",
        "acknowledge (moves it to the bottom) or unacknowledge",
        Group.JOB,
        also="mute snooze",
        changes=True,
    ),
    Action("notify_end", ("w",), "w", "notify", "notify when it finishes (bell and desktop)", Group.JOB, changes=True),
    Action(
        "notify_all", ("W",), "W", "notify all", "notify whenever a job finishes", Group.JOB, also="bell", changes=True
    ),
    Action(
        "remove",
        ("d",),
        "d",
        "stop watching",
        "stop watching it; the remote job keeps running",
        Group.JOB,
        also="delete unwatch",
        changes=True,
    ),
    Action(
        "cancel_jobs",
        ("ctrl+x",),
        "ctrl+x",
        "cancel",
        "cancel the remote job, with confirmation (if the profile allows it)",
        Group.JOB,
        also="abort kill stop",
        changes=True,
    ),
    Action(
        "undo",
        ("u",),
        "u",
        "undo",
        "undo d, m, w, W, space, M, clearing a filter or removing a view; repeat to go further back",
        Group.JOB,
    ),
)

_TABS = (
    Action(
        "tab",
        ("1", "2", "3", "4", "5"),
        "1–5",
        "tab",
        "stages, result, raw, timeline, diff",
        Group.TABS,
        per_key=True,
    ),
    Action("next_tab", ("right_square_bracket", "right"), "] →", "next tab", "next tab", Group.TABS),
    Action("previous_tab", ("left_square_bracket", "left"), "[ ←", "previous tab", "previous tab", Group.TABS),
    Action("next_match", ("n",), "n", "next match", "next match in the result (/ searches it)", Group.TABS),
    Action(
        "save_body",
        ("o",),
        "o",
        "save body",
        "save the full response body to a file",
        Group.TABS,
        also="download",
        saves=True,
    ),
)

_GENERAL = (
    Action("add", ("a",), "a", "add", "add jobs: paste IDs, poll URLs or 202 responses", Group.GENERAL, changes=True),
    Action(
        "discover",
        ("D",),
        "D",
        "discover",
        "list recent jobs from your APIs and add some",
        Group.GENERAL,
        also="recent new import",
        changes=True,
    ),
    Action(
        "last_list",
        ("l",),
        "l",
        "last watch list",
        "open the last watch list",
        Group.GENERAL,
        also="history reopen",
        changes=True,
    ),
    Action(
        "refresh_all",
        ("R",),
        "R",
        "refresh all",
        "poll every unfinished job, within the rate limit",
        Group.GENERAL,
        also="retry reload",
        changes=True,
    ),
    Action("pause", ("p",), "p", "pause", "pause or resume polling", Group.GENERAL, changes=True),
    Action(
        "show_clipboard",
        ("C",),
        "C",
        "clipboard",
        "view what was sent to the clipboard: copy again, or save",
        Group.GENERAL,
        also="copy",
    ),
    Action("palette", ("colon", "ctrl+p"), ":", "commands", "find an action by name", Group.GENERAL),
    Action("theme", ("t",), "t", "theme", "cycle the theme (dark, light, color-blind safe)", Group.GENERAL),
    Action(
        "mouse",
        ("ctrl+t",),
        "ctrl+t",
        "mouse",
        "toggle the mouse (off: the terminal selects text)",
        Group.GENERAL,
    ),
    Action("help", ("question_mark", "f1"), "?", "help", "show this help (f1 where ? is text)", Group.GENERAL, "keys"),
    Action("suspend", ("ctrl+z",), "ctrl+z", "suspend", "suspend (polling stops until fg)", Group.GENERAL),
    Action("quit", ("q",), "q", "quit", "quit; the remote jobs keep running", Group.GENERAL, also="exit"),
)

_PANES = (
    Action("open", ("enter",), "enter", "open", "open the job, then its trace; open a request or a value", Group.PANES),
    Action(
        "back",
        ("escape",),
        "esc",
        "back",
        "back to the list; in the list: clear the filter, then the selection",
        Group.PANES,
    ),
    Action("next_pane", ("tab",), "tab", "next pane", "next pane (shift+tab: previous)", Group.PANES),
    Action("previous_pane", ("shift+tab",), "shift+tab", "previous pane", "previous pane", Group.PANES),
    Action("zoom", ("z",), "z", "zoom", "maximize the pane, or restore it", Group.PANES, also="full screen"),
    Action("grow", ("greater_than_sign",), ">", "larger list", "enlarge the list (or drag the divider)", Group.PANES),
    Action("shrink", ("less_than_sign",), "<", "smaller list", "shrink the list", Group.PANES, also="split"),
)

_MOVE = (
    Action("cursor_down", ("j", "down"), "j ↓", "down", "down one line", Group.MOVE),
    Action("cursor_up", ("k", "up"), "k ↑", "up", "up one line", Group.MOVE),
    Action("first", ("g", "home"), "g", "first", "first line", Group.MOVE),
    Action("last", ("G", "end"), "G", "last", "last line", Group.MOVE),
    Action("half_page_down", ("ctrl+d",), "ctrl+d", "half page down", "down half a page", Group.MOVE),
    Action("half_page_up", ("ctrl+u",), "ctrl+u", "half page up", "up half a page", Group.MOVE),
    Action("page_down", ("pagedown", "ctrl+f"), "PgDn", "page down", "down one page", Group.MOVE),
    Action("page_up", ("pageup", "ctrl+b"), "PgUp", "page up", "up one page", Group.MOVE),
)

_REPLAY = (
    Action("play", ("p",), "p", "play", "play or pause", Group.REPLAY),
    Action("step", ("full_stop",), ".", "step", "step to the next response or change (pauses)", Group.REPLAY),
    Action(
        "step_back", ("comma",), ",", "step back", "step back to the previous response or change (pauses)", Group.REPLAY
    ),
    Action("faster", ("plus",), "+", "faster", "play faster, up to 240 times", Group.REPLAY),
    Action("slower", ("minus",), "-", "slower", "play slower, down to a quarter", Group.REPLAY),
    Action("go_to", ("at",), "@", "go to", "jump to a time: 14:02, 14:02:30, +5m, -30s, 50%", Group.REPLAY),
)

ACTIONS: tuple[Action, ...] = (*_LIST, *_JOB, *_TABS, *_GENERAL, *_PANES, *_MOVE, *_REPLAY)
BY_NAME = {action.name: action for action in ACTIONS}

FOOTERS: dict[Pane, tuple[str, ...]] = {
    Pane.LIST: (
        *(
            "copy_id",
            "ticket",
            "open",
            "filter",
            "same_error",
            "mark",
            "groups",
            "next_error",
            "add",
            "problems",
            "columns",
        ),
        *("refresh", "acknowledge", "remove", "notify_end", "copy_curl", "pause", "zoom", "quit"),
    ),
    Pane.JOB: (
        *("copy_id", "back", "tab", "filter", "next_match", "save_body", "ticket", "zoom", "open", "refresh"),
        *("copy_curl", "acknowledge", "notify_end", "remove", "pause", "quit"),
    ),
    Pane.TRACE: (
        "copy_id",
        "open",
        "back",
        "copy_curl",
        "ticket",
        "zoom",
        "refresh",
        "acknowledge",
        "notify_end",
        "pause",
        "quit",
    ),
}
"""The footer of each pane, most important first: a narrow screen drops the last ones. Help is always shown."""

ON_MARKS = ("copy_id", "ticket", "acknowledge", "refresh", "notify_end", "remove", "mark_all")
"""Actions that apply to every selected job; the footer starts with them, in this order, while jobs are selected."""

IN_REPLAY = ("play", "step", "step_back", "go_to", "slower", "faster")
"""The actions at the start of a replay's footer."""

HELP_FIRST: dict[Pane, tuple[Group, ...]] = {
    Pane.LIST: (Group.LIST, Group.JOB),
    Pane.JOB: (Group.TABS, Group.JOB),
    Pane.TRACE: (Group.JOB, Group.TABS),
}
"""The groups at the top of the help, by the pane it was opened from."""


def is_available(name: str, mode: Mode) -> bool:
    """Whether an action is available; a name that is not in the table always is, because it belongs to a widget."""
    return name not in BY_NAME or name in _names_in(mode)


@cache
def _names_in(mode: Mode) -> frozenset[str]:
    # Every key press checks every action: comparing them one by one took a fifth of the time a key takes.
    return frozenset(action.name for action in actions_in(mode))


def actions_in(mode: Mode) -> tuple[Action, ...]:
    """Return the available actions, in the order of the table."""
    there = (action for action in ACTIONS if mode.replay or action.group is not Group.REPLAY)
    return tuple(
        action for action in there if not (mode.read_only and action.changes) and not (mode.browser and action.saves)
    )


def bindings(*groups: Group) -> list[BindingType]:
    """Return Textual's bindings for the actions of these groups."""
    return [
        Binding(keys, name, action.label, show=False)
        for action in ACTIONS
        if action.group in groups
        for keys, name in _bound(action)
    ]


def _bound(action: Action) -> Iterator[tuple[str, str]]:
    """Yield the keys of an action with Textual's action string."""
    if action.per_key:
        yield from ((key, f"{action.name}('{key}')") for key in action.keys)
    else:
        yield ",".join(action.keys), action.name


def footer_actions(pane: Pane = Pane.LIST, mode: Mode = LIVE, *, marks: bool = False) -> list[Action]:
    """Return the actions of a pane's footer, most important first; with `marks`, those for all selected jobs lead."""
    there = {action.name: action for action in actions_in(mode)}
    names = [*(IN_REPLAY if mode.replay else ()), *(ON_MARKS if marks else ()), *FOOTERS[pane]]
    return [there[name] for name in dict.fromkeys(names) if name in there]
