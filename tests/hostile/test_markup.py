"""Rule 6: no markup from data. Nothing in the source hands a text to a place where Textual reads markup in it.

What hostile words do on every screen is in tests/tui/test_hostile.py and tests/tui/test_hostile_copy.py.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import jobdeck

SOURCE = Path(jobdeck.__file__).parent
WIDGETS = {
    "Button", "Checkbox", "Collapsible", "DataTable", "Digits", "Footer", "Header", "Label", "Link",
    "ListItem", "Log", "Markdown", "MarkdownViewer", "Option", "OptionList", "Placeholder", "Pretty",
    "RadioButton", "RichLog", "Select", "SelectionList", "Static", "Switch", "Tab", "TabPane", "Tabs",
    "Toast", "Tooltip", "Tree",
}  # fmt: skip
"""Textual's widgets that take a text to show; all but a few read markup in it."""

METHODS = {
    "from_markup",
    "add_columns",
    "add_column",
    "add_row",
    "add_option",
    "add_options",
    "update_cell",
    "replace_option_prompt",
}
TITLES = {"border_title", "border_subtitle", "tooltip"}
NOTIFIES = "notifies without markup=False"
SAFE = {"Content", "Text", "Styled"}
"""What shows a text as it is."""


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def name_of(function: ast.expr) -> str:
    match function:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value):
            return name_of(value)
    return ""


def is_safe(value: ast.expr) -> bool:
    """Whether an expression is no text at all, a text without brackets that we wrote, or one that is shown as it is."""
    match value:
        case ast.Constant(str(text)):
            return "[" not in text
        case ast.Constant():
            return True
        case ast.Call(func=function):
            return name_of(function) in SAFE
    return False


def switched_off(call: ast.Call) -> bool:
    return any(word.arg == "markup" and isinstance(word.value, ast.Constant) and word.value.value is False
               for word in call.keywords)  # fmt: skip


def offences(tree: ast.Module) -> Iterator[tuple[int, str]]:
    textual = {alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
               and (node.module or "").split(".")[0] in {"textual", "rich"} for alias in node.names}  # fmt: skip
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module)) if module in {"rich.markup", "textual.markup", "rich.markdown"}:
                yield node.lineno, f"imports {module}"
            case ast.ClassDef(bases=bases) if found := {name_of(base) for base in bases} & WIDGETS & textual:
                yield node.lineno, f"is a {found.pop()}, which reads markup"
            case ast.Call(keywords=words) if any(word.arg == "markup" and not switched_off(node) for word in words):
                yield node.lineno, "switches markup on"
            case ast.Call(func=function) if name_of(function) in METHODS:
                yield node.lineno, f"calls {name_of(function)}"
            case ast.Call(func=ast.Attribute(ast.Name("self") | ast.Attribute(attr="app" | "screen"), "notify")) if (
                not switched_off(node)
            ):
                yield node.lineno, NOTIFIES
            case ast.Call(func=ast.Name(name), args=arguments) if name in WIDGETS & textual and not switched_off(node):
                if not all(map(is_safe, arguments)):
                    yield node.lineno, f"gives a text to a {name}"
            case ast.Assign(targets=[ast.Attribute(attr=title)], value=value) if title in TITLES and not is_safe(value):
                yield node.lineno, f"sets {title}"


def test_nothing_gives_a_text_to_what_reads_markup() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{line} {what}"
        for path, tree in trees()
        for line, what in offences(tree)
        if "tui" in path.parts or what != NOTIFIES
    ]  # a method of that name elsewhere is not Textual's
    assert found == []


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("from rich.markup import escape", "imports rich.markup"),
        ("Text.from_markup(status)", "calls from_markup"),
        ("self.app.notify(message)", "notifies without"),
        ("self.notify(message, markup=True)", "switches markup on"),
        ("from textual.widgets import Label\nLabel(status)", "gives a text to a Label"),
        ("from textual.widgets import Label\nLabel(f'[b]{status}')", "gives a text to a Label"),
        ("from textual.widgets import Static\nclass Pane(Static): pass", "is a Static"),
        ("self.border_title = job.id", "sets border_title"),
        ("table.add_row(job.id)", "calls add_row"),
    ],
)
def test_the_lint_sees_what_it_is_for(code: str, what: str) -> None:
    assert any(what in found for _, found in offences(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "from textual.widgets import Label\nLabel(Content(status))",
        "from textual.widgets import Label\nLabel(status, markup=False)",
        "from textual.widgets import Label\nLabel('Add targets')",
        "self.notify(message, markup=False)",
        "self.border_title = Content(job.id)",
    ],
)
def test_the_lint_lets_what_is_shown_as_it_is_pass(code: str) -> None:
    assert list(offences(ast.parse(code))) == []
