"""The themes, and the paths of the style sheets."""

from pathlib import Path, PurePath
from typing import Any

from textual.screen import Screen
from textual.theme import Theme

from jobdeck.app.session import Preference, Session, save_preference

DARK = Theme(
    name="jobdeck",
    dark=True,
    primary="#6cb0f2",
    secondary="#8b98a5",
    accent="#6cb0f2",
    warning="#e0a15c",
    error="#f07f86",
    success="#84c08e",
    foreground="#c9d1d9",
    background="#0f1317",
    surface="#0f1317",
    panel="#171c22",
    variables={
        "text-strong": "#eef2f6",
        "text-dim": "#86919c",
        "text-faint": "#4d5863",
        "state-failed": "#f07f86",
        "state-stalled": "#ea9a5b",
        "state-unreachable": "#c09af0",
        "state-partial": "#d9bf63",
        "state-running": "#6cb0f2",
        "state-queued": "#93a1ae",
        "state-done": "#84c08e",
        "cursor-here": "#22303f",
        "cursor-away": "#1a2129",
    },
)

LIGHT = Theme(
    name="jobdeck-light",
    dark=False,
    primary="#0a5cad",
    secondary="#57626d",
    accent="#0a5cad",
    warning="#935000",
    error="#b3261e",
    success="#1d7038",
    foreground="#272d33",
    background="#fafaf8",
    surface="#fafaf8",
    panel="#eeeeea",
    variables={
        "text-strong": "#0d1116",
        "text-dim": "#626c76",
        "text-faint": "#a9b1b9",
        "state-failed": "#b3261e",
        "state-stalled": "#a04e00",
        "state-unreachable": "#7438ad",
        "state-partial": "#786000",
        "state-running": "#0a5cad",
        "state-queued": "#57626d",
        "state-done": "#1d7038",
        "cursor-here": "#d3e3f4",
        "cursor-away": "#e6eaee",
    },
)


def _safe(base: Theme, name: str, states: dict[str, str]) -> Theme:
    """Return a theme in hues that red-green color-blind people can tell apart (after Okabe and Ito)."""
    return Theme(
        name=name,
        dark=base.dark,
        primary=states["state-running"],
        secondary=base.secondary,
        accent=states["state-running"],
        warning=states["state-partial"],
        error=states["state-failed"],
        success=states["state-done"],
        foreground=base.foreground,
        background=base.background,
        surface=base.surface,
        panel=base.panel,
        variables={**base.variables, **states},
    )


SAFE = _safe(
    DARK,
    "jobdeck-safe",
    {
        "state-failed": "#ff8a4c",
        "state-stalled": "#f0e442",
        "state-unreachable": "#d991bd",
        "state-partial": "#e6ae3a",
        "state-running": "#56b4e9",
        "state-done": "#2fbf95",
    },
)

SAFE_LIGHT = _safe(
    LIGHT,
    "jobdeck-safe-light",
    {
        "state-failed": "#a83a00",
        "state-stalled": "#6b5d00",
        "state-unreachable": "#94376d",
        "state-partial": "#865800",
        "state-running": "#00568f",
        "state-done": "#006349",
    },
)

THEMES = {
    "dark theme": DARK,
    "light theme": LIGHT,
    "color-blind safe dark theme": SAFE,
    "color-blind safe light theme": SAFE_LIGHT,
}
"""Every theme by its name on the screen, in the order of `t`."""


def after(name: str) -> Theme:
    """Return the theme after the one called `name`."""
    themes = list(THEMES.values())
    at = next((number for number, theme in enumerate(themes) if theme.name == name), -1)
    return themes[(at + 1) % len(themes)]


class ThemePreference:
    """The user's theme, which is saved for the next run."""

    def __init__(self, screen: Screen[Any], session: Session) -> None:
        self._screen = screen
        self._session = session

    def use(self, name: str) -> None:
        """Switch to a theme, and save the choice."""
        self._screen.app.theme = name
        save_preference(self._session, Preference.THEME, name)

    def use_next(self) -> str:
        """Switch to the next theme, and return its name on the screen."""
        chosen = after(self._screen.app.theme)
        self.use(chosen.name)
        return next(name for name, theme in THEMES.items() if theme is chosen)

    def restore(self) -> None:
        """Restore the saved theme, unless another one is in use already."""
        chosen = self._session.preferences.get(Preference.THEME)
        if self._screen.app.theme == DARK.name and any(chosen == theme.name for theme in THEMES.values()):
            self._screen.app.theme = str(chosen)


SHEETS = ("roles.tcss", "frame.tcss", "deck.tcss", "modal.tcss")


def style_sheets() -> list[str | PurePath]:
    """Return the paths of the style sheets in the order they apply; raises FileNotFoundError if one is missing."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "styles", package.parents[1] / "styles"):
        if folder.is_dir():
            return [_existing(folder / name) for name in SHEETS]
    raise FileNotFoundError("the style sheets are neither in the package nor in the checkout")


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is missing beside the other style sheets")
    return path
