"""What stands for our signs where the locale knows only some characters: one of ASCII for each, so that lines stay."""

IN_ASCII = dict(zip("✗◐●○·✓⊘–…→↑↓−≥×µ²▸▴▾►■▮━╸", "x%o.-v/-*>^v->xu2>^v>#|=>", strict=True))
"""Signs and their stand-ins; no two states share one."""

IN_ASCII |= dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True))


def in_ascii(sign: str) -> str | None:
    """Return what stands for a sign; None when it is none of ours, nor a line or a block that frames are made of."""
    if sign in IN_ASCII:
        return IN_ASCII[sign]
    if "─" <= sign <= "╿":
        return "|" if sign in "│┃╎╏┆┇┊┋║" else "-"
    return "|" if "▀" <= sign <= "▟" else None
