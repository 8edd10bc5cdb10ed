"""Put the table of actions into the README, between its two marks."""

import re
from pathlib import Path

from jobdeck.tui.actions import ACTIONS, Group

README = Path(__file__).parents[1] / "README.md"
MARKS = re.compile(r"(<!-- keys: [^>]*-->\n).*?(<!-- end of keys -->)", re.DOTALL)


def keys_table() -> str:
    """Return the actions as Markdown, a table a group."""
    parts: list[str] = []
    for group in Group:
        rows = [f"| `{action.shown}` | {action.help} |" for action in ACTIONS if action.group is group]
        parts.append("\n".join([f"**{group.value}**", "", "| key | does |", "|---|---|", *rows]))
    return "\n\n".join(parts)


def with_keys(readme: str) -> str:
    """Return the README's text with the table of now."""
    return MARKS.sub(lambda match: f"{match[1]}{keys_table()}\n{match[2]}", readme)


if __name__ == "__main__":
    README.write_text(with_keys(README.read_text(encoding="utf-8")), encoding="utf-8")
