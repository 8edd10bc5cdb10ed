"""The boundary for strings from outside: after `clean()` nothing in them can control a terminal."""

import re
from collections.abc import Iterable

_UNSAFE = re.compile(
    "\U0001f3f4\U000e0067\U000e0062(?:\U000e0065\U000e006e|\U000e0073\U000e0063|\U000e0077\U000e006c)"
    "[\U000e0067\U000e0074\U000e0073]\U000e007f"  # the flags of England, Scotland and Wales, which are safe
    "|["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # invisible or direction-giving
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero-width, separators, bidi
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"  # fillers, variation selectors, BOM, annotations
    "\ud800-\udfff"  # lone surrogates
    "\U000e0000-\U000e0fff"  # tags and further variation selectors
    "]"
    "|(?:^|(?<=\\s))[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)
"""Characters that act on a terminal, are invisible alone, or combine with whatever is drawn before them; `_belongs`
decides whether one is a part of its word."""

_ZWNJ, _ZWJ, _EMOJI_STYLE, _KEYCAP = "\u200c", "\u200d", "\ufe0f", "\u20e3"
# Compiled when first met, which few texts have: 2 ms, a fifteenth of `jobdeck --version`.
_PICTURE = (
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_PICTURE_STYLE = re.compile("[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]")
_JOINED_SCRIPT = (
    "[\u0620-\u08ff\u0900-\u0dff\u0e00-\u109f\u1780-\u17b3\u17b6-\u17ff\u1810-\u18af\u1a20-\u1cff"
    "\ua840-\uabff\ufb50-\ufdff\ufe70-\ufefc\U00010a00-\U00010fff\U00011000-\U00011fff]"
)
"""Letters and marks of scripts whose letters join: Arabic, the Indic scripts and their neighbours, Mongolian."""

_IDEOGRAPH = "[\u2e80-\u303b\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_MATHS = "[\u2200-\u22ff\u2a00-\u2aff]"
_MONGOLIAN = re.compile("[\u1820-\u18aa]")

_KEY = re.compile(
    r"\b([as]k_(?:live_|test_)?|sk-|hog_(?:live|test)_|gh[opsur]_|github_pat_)(?=\S*[0-9])[^\s'\",;()<>\[\]{}]{8,}"
)

EXCERPT = 80
"""Most characters of quoted text in a message."""

CELL_LIMIT = 256
MESSAGE_LIMIT = 4_096


def clean(text: str, *, lines: bool = False, limit: int | None = None, size: int | None = None) -> str:
    r"""Return `text` with every character that could act on a terminal as a visible escape (``\x1b``).

    Control characters, DEL, C1, bidi, zero-width and lone surrogates are escaped; ``\n`` stays if `lines` is set.
    Invisible characters that are a part of their word stay: the joiners and variants of emoji, Persian, Devanagari.
    With `limit`, only that many characters of `text` are kept, and a note gives the size of the whole: `size` bytes
    where `text` is itself the beginning of something longer.
    """
    cut = ""
    if limit is not None and len(text) > limit:
        cut = f"… (truncated, {utf8_size(text) if size is None else size} bytes)"
        text = text[:limit]
    if not text.isascii() or not text.isprintable():
        text = _UNSAFE.sub(_keep_newline if lines else _escape, text)
    return text + cut


def one_line(text: str, limit: int = MESSAGE_LIMIT, size: int | None = None) -> str:
    """Return `text` clean, with each run of white space as one space, cut at `limit` as `clean` does."""
    # Split off only as many words as can be kept: all words of 8 MiB take over a second and 170 MB.
    return clean(" ".join(text.split(None, limit)), limit=limit, size=size)


def utf8_size(text: str) -> int:
    """Return the number of bytes of `text` in UTF-8, lone surrogates included."""
    return len(text.encode("utf-8", "surrogatepass"))


def close_matches(word: str, known: Iterable[str], likeness: float = 0.65) -> list[str]:
    """Return the word of `known` most similar to `word`, if any; `likeness` is the least ratio of `difflib`, 0 to 1."""
    import difflib  # noqa: PLC0415 - needed only after a mistake

    return difflib.get_close_matches(word, list(known), 1, likeness)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean …?)"`` with the word of `known` most similar to `word`; empty if none is similar."""
    # The time to compare grows with both lengths, and nobody misspells a name of more than a hundred characters.
    near = close_matches(word[:100], known)
    return f" (did you mean {near[0]}?)" if near else ""


def mask_keys(text: str) -> str:
    """Return `text` with everything that looks like an API key cut to its prefix (``sk_live_…``)."""
    return _KEY.sub(r"\1…", text)


def without_unsafe(text: str) -> str:
    """Return `text` without the characters that `clean` escapes."""
    return _UNSAFE.sub(lambda match: match[0] if _belongs(match) else "", text)


def without_script_joiners(text: str) -> str:
    """Return clean `text` without joiners outside emoji: they are hints to the font that few terminals follow."""
    if _ZWJ not in text:
        return text
    return re.sub(f"(?<={_JOINED_SCRIPT}){_ZWJ}", "", text)


def _belongs(match: re.Match[str]) -> bool:
    """Return whether an invisible character is a part of the word around it."""
    char, text, at = match[0], match.string, match.start()
    if len(char) > 1:
        return True
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if char in (_ZWNJ, _ZWJ):
        if re.match(_JOINED_SCRIPT, before) and re.match(_JOINED_SCRIPT, after):
            return True
        while at and _PICTURE_STYLE.match(text, at - 1):
            at -= 1
        return char == _ZWJ and at > 0 and bool(re.match(_PICTURE, text[at - 1])) and bool(re.match(_PICTURE, after))
    if "\ufe00" <= char <= _EMOJI_STYLE:
        if before and before in "0123456789#*":
            return char == _EMOJI_STYLE and after == _KEYCAP
        return any(re.match(known, before) for known in (_PICTURE, _IDEOGRAPH, _MATHS, _JOINED_SCRIPT))
    if "\u180b" <= char <= "\u180f":
        return char != "\u180e" and bool(_MONGOLIAN.match(before))
    return "\U000e0100" <= char <= "\U000e01ef" and bool(re.match(_IDEOGRAPH, before))


def _escape(match: re.Match[str]) -> str:
    if _belongs(match):
        return match[0]
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _keep_newline(match: re.Match[str]) -> str:
    return "\n" if match[0] == "\n" else _escape(match)


def safe_excerpt(text: str) -> str:
    """Return at most 80 characters of `text`, fit for a message: clean, and with API keys masked."""
    cut = clean(mask_keys(text[: 2 * EXCERPT])[:EXCERPT])
    return f"{cut}…" if len(text) > EXCERPT else cut


FALLBACKS = dict(zip("✗◐●○·✓⊘–…→↑↓−≥×µ²▸▴▾►■▮━╸", "x%o.-v/-*>^v->xu2>^v>#|=>", strict=True))
"""The ASCII character that replaces each symbol where the locale cannot show it; no two states share one."""

FALLBACKS |= dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True))


def to_ascii(sign: str) -> str | None:
    """Return the replacement of a symbol; None unless jobdeck draws it, as a symbol or as part of a frame."""
    if sign in FALLBACKS:
        return FALLBACKS[sign]
    if "─" <= sign <= "╿":
        return "|" if sign in "│┃╎╏┆┇┊┋║" else "-"
    return "|" if "▀" <= sign <= "▟" else None
