"""Where the style sheets are: in the package of a wheel, beside `src` in a checkout."""

from pathlib import Path, PurePath

SHEETS = ("roles.tcss", "frame.tcss", "deck.tcss", "modal.tcss")


def style_sheets() -> list[str | PurePath]:
    """Return the paths of style sheets in the order they apply; raises FileNotFoundError when one is missing."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "styles", package.parents[1] / "styles"):
        if folder.is_dir():
            return [_existing(folder / name) for name in SHEETS]
    raise FileNotFoundError("the style sheets are neither in the package nor in the checkout")


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is missing beside the other style sheets")
    return path
