"""The ASCII character that replaces each symbol where the locale cannot show it; widths stay."""

FALLBACKS = dict(zip("✗◐●○·✓⊘–…→↑↓−≥×µ²▸▴▾►■▮━╸", "x%o.-v/-*>^v->xu2>^v>#|=>", strict=True))
"""Symbols and their replacements; no two states share a replacement."""

FALLBACKS |= dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True))


def to_ascii(sign: str) -> str | None:
    """Return the replacement of a symbol; None unless jobdeck draws it, as a symbol or as part of a frame."""
    if sign in FALLBACKS:
        return FALLBACKS[sign]
    if "─" <= sign <= "╿":
        return "|" if sign in "│┃╎╏┆┇┊┋║" else "-"
    return "|" if "▀" <= sign <= "▟" else None
