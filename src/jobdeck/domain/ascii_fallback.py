"""The ASCII character that replaces each of our signs where the locale cannot show it; widths stay."""

FALLBACKS = dict(zip("✗◐●○·✓⊘–…→↑↓−≥×µ²▸▴▾►■▮━╸", "x%o.-v/-*>^v->xu2>^v>#|=>", strict=True))
"""Signs and their replacements; no two states share one."""

FALLBACKS |= dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True))


def to_ascii(sign: str) -> str | None:
    """Return the replacement of a sign; None for one that is neither ours nor a part of a frame."""
    if sign in FALLBACKS:
        return FALLBACKS[sign]
    if "─" <= sign <= "╿":
        return "|" if sign in "│┃╎╏┆┇┊┋║" else "-"
    return "|" if "▀" <= sign <= "▟" else None
