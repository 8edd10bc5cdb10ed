"""One boundary for strings from outside: after `clean()` nothing in them can drive a terminal."""

import re
from collections.abc import Iterable

_UNSAFE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # invisible or direction-giving
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero-width, separators, bidi
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"  # fillers, variation selectors, BOM, annotations
    "\ud800-\udfff"  # lone surrogates
    "\U000e0000-\U000e0fff"  # tags and further variation selectors
    "]"
)

_KEY = re.compile(
    r"\b([as]k_(?:live_|test_)?|hog_(?:live|test)_|gh[opsur]_|github_pat_)(?=\S*[0-9])[^\s'\",;()<>\[\]{}]{8,}"
)

CELL_LIMIT = 256
MESSAGE_LIMIT = 4_096


def clean(text: str, *, lines: bool = False, limit: int | None = None, size: int | None = None) -> str:
    r"""Return `text` with every character that could act on a terminal as a visible escape (``\x1b``).

    Control characters, DEL, C1, bidi, zero-width and lone surrogates are escaped; ``\n`` stays when `lines`.
    With `limit`, at most that many characters of `text` are kept and what was cut is said; `size` is the number of
    bytes to say where `text` is the beginning of something longer.
    """
    cut = ""
    if limit is not None and len(text) > limit:
        cut = f"… (truncated, {bytes_of(text) if size is None else size} bytes)"
        text = text[:limit]
    if not text.isascii() or not text.isprintable():
        text = _UNSAFE.sub(_keep_newline if lines else _escape, text)
    return text + cut


def one_line(text: str, limit: int = MESSAGE_LIMIT, size: int | None = None) -> str:
    """Return `text` clean, with runs of white space folded to one blank, cut at `limit` as `clean` does."""
    # No more words than can be kept: those of 8 MiB take over a second and 170 MB.
    return clean(" ".join(text.split(None, limit)), limit=limit, size=size)


def bytes_of(text: str) -> int:
    """Return how many bytes a text has in UTF-8, lone surrogates among them."""
    return len(text.encode("utf-8", "surrogatepass"))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean …?)"`` with the one of `known` that `word` looks like; nothing when none does."""
    import difflib  # noqa: PLC0415 - for a mistake only

    # Comparing takes time by the length of both: nobody misspells a name of more than a hundred characters.
    near = difflib.get_close_matches(word[:100], list(known), 1)
    return f" (did you mean {near[0]}?)" if near else ""


def mask_keys(text: str) -> str:
    """Return `text` with no more than the head of all that looks like an API key of either vendor (``sk_live_…``)."""
    return _KEY.sub(r"\1…", text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _keep_newline(match: re.Match[str]) -> str:
    return "\n" if match[0] == "\n" else _escape(match)
