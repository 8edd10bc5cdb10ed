"""Textual's private parts, which are touched in one file: each test names what breaks when one of them changes."""

import ast
import inspect
import re
from pathlib import Path

import pytest
from textual import events
from textual._styles_cache import StylesCache
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.dom import DOMNode
from textual.driver import Driver
from textual.drivers._writer_thread import WriterThread
from textual.drivers.linux_driver import LinuxDriver
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, TextArea

import jobdeck.tui

TOUCHED = [
    (App, "self._driver", "the clipboard by OSC 52, the mouse, the backlog"),
    (App, "self._exception", "the report of a crash"),
    (App, "self._running", "keys in a browser"),
    (App, "def _display(self, screen: Screen, renderable: RenderableType | None)", "a terminal that is not read"),
    (App, "def _fatal_error(self) -> None", "keys stay out of the picture of a crash"),
    (App, "def _print_error_renderables(self) -> None", "the same"),
    (MessagePump, "def _close_messages_no_wait(self) -> None", "the end after a crash"),
    (Driver, "self._mouse = mouse", "the mouse left to the terminal"),
    (WriterThread, "def run(self) -> None", "a terminal that is not read"),
    (WriterThread, "def stop(self) -> None", "the last of what is drawn"),
    (WriterThread, "self._queue", "a terminal that is not read"),
    (LinuxDriver, "self._writer_thread = WriterThread(self._file)", "a terminal that is not read"),
    (LinuxDriver, "def run_input_thread(self) -> None", "what a terminal says is no key"),
    (LinuxDriver, "def disable_input(self) -> None", "the end"),
    (LinuxDriver, "def _get_terminal_size(self) -> tuple[int, int]", "COLUMNS and LINES of another size, absurd sizes"),
    (LinuxDriver, "def _query_in_band_window_resize(self) -> None", "a mouse that reports pixels"),
    (LinuxDriver, "self.exit_event", "the end"),
    (LinuxDriver, "self.fileno", "every key"),
    (LinuxDriver, "if not self._mouse:", "the mouse left to the terminal from the start"),
    (Widget, "virtual_size = Reactive(Size(0, 0), layout=True)", "the height of every list"),
    (Widget, "def _scroll_update(self, virtual_size: Size) -> None", "the scrollbars"),
]


@pytest.mark.parametrize(
    ("owner", "text", "breaks"), TOUCHED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_is_touched_is_there(owner: type, text: str, breaks: str) -> None:
    assert text in inspect.getsource(owner), f"Textual has changed, and this breaks: {breaks}"


def test_keys_and_the_mouse_are_read_from_sequences_as_before() -> None:
    parser = XTermParser()
    assert [key.key for key in parser._sequence_to_key_events("\x1b[1;5A")] == ["ctrl+up"]
    assert [key.key for key in parser._sequence_to_key_events("x", alt=True)] == ["alt+x"]
    assert isinstance(parser.parse_mouse_code("\x1b[<0;3;4M"), events.MouseDown)


def test_the_cache_of_painted_lines_can_be_cleared() -> None:
    assert callable(StylesCache.get_inner_outer.cache_clear)


def test_only_one_file_imports_private_parts() -> None:
    package = Path(next(iter(jobdeck.tui.__path__)))
    touching = {
        path.name
        for path in package.rglob("*.py")
        if re.search(r"(from|import) textual\S*\._", path.read_text("utf-8"))
    }
    assert touching == {"terminal.py"}


def test_only_one_file_uses_private_attributes() -> None:
    bases = (App, Screen, Widget, Driver, MessagePump, DOMNode, Input, TextArea)
    private = {name for base in bases for name in re.findall(r"(?:self\.|def )(_[a-z]\w*)", inspect.getsource(base))}
    for path in Path(next(iter(jobdeck.tui.__path__))).rglob("*.py"):
        module = ast.parse(path.read_text("utf-8"))
        for part in (module, *(node for node in module.body if isinstance(node, ast.ClassDef))):
            # Of a class what it reads of itself, of a module what it reads of anything else.
            attributes = [node for node in ast.walk(part) if isinstance(node, ast.Attribute)]
            functions = [node for node in ast.walk(part) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
            own = {node.attr for node in attributes if isinstance(node.ctx, ast.Store)} | {
                one.name for one in functions
            }
            used = {node.attr for node in attributes if _is_self(node) is (part is not module)} & private
            assert path.name == "terminal.py" or used <= own, f"{path}: {used - own}"


def _is_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"
