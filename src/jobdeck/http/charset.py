"""Text out of a body's bytes: UTF-8 as JSON has to be, else what the bytes or the headers say it is."""

import codecs
import re
from dataclasses import dataclass, replace

_CHARSET = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9_.:-]{1,40})""", re.IGNORECASE)
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NULS = (
    (re.compile(rb"[\[{]\0\0\0"), "utf-32-le"),
    (re.compile(rb"\0\0\0[\[{]"), "utf-32-be"),
    (re.compile(rb"[\[{]\0[^\0]\0"), "utf-16-le"),
    (re.compile(rb"\0[\[{]\0[^\0]"), "utf-16-be"),
)
"""Where the NULs stand in a body that begins with ASCII, as JSON does."""

_KNOWN = re.compile(
    r"utf-(?:8|16|32)(?:-[lb]e)?|ascii|iso8859-\d{1,2}|cp(?:125\d|437|85\d|866|874|932|949|950)|koi8-[ru]|mac-roman"
    r"|shift_jis(?:_2004|x0213)?|euc_(?:jp|kr)|iso2022_jp|gb2312|gbk|gb18030|big5(?:hkscs)?|tis-620"
)
"""Python's names of charsets that servers write; it has others that are none (``idna``) or take quadratic time."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A body as text, without a byte order mark. `note` says what was wrong with it; None when nothing was."""

    text: str
    note: str | None = None


def charset_of(content_type: str | None) -> str | None:
    """Return the charset that a ``Content-Type`` names, as Python spells it; None where it names none that is known."""
    match = _CHARSET.search(content_type or "")
    try:
        name = None if match is None else codecs.lookup(match[1]).name
    except LookupError:
        return None
    return name if name is not None and _KNOWN.fullmatch(name) else None


class Narrower:
    """Turns pieces of a body in UTF-16 or UTF-32 into UTF-8, and leaves all others as they are, without their mark.

    In every other charset ASCII is one byte a character, as it is looked for.
    """

    def __init__(self) -> None:
        self._begin = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._decided = False

    def feed(self, piece: bytes) -> bytes:
        """Return what can be said of a piece so far."""
        if self._decoder is not None:
            return self._decoder.decode(piece).encode("utf-8", "replace")
        if self._decided:
            return piece
        self._begin += piece
        return self._decide() if len(self._begin) >= 4 else b""

    def finish(self) -> bytes:
        """Return the rest."""
        rest = b"" if self._decided else self._decide()
        return (
            rest if self._decoder is None else rest + self._decoder.decode(b"", final=True).encode("utf-8", "replace")
        )

    def _decide(self) -> bytes:
        begin, self._begin, self._decided = self._begin, b"", True
        wide = _wide(begin)
        if wide is None:
            return begin.removeprefix(codecs.BOM_UTF8)
        self._decoder = codecs.getincrementaldecoder(wide)("replace")
        return self._decoder.decode(begin).removeprefix("\ufeff").encode("utf-8", "replace")


def decode(body: bytes, charset: str | None) -> Decoded:
    """Return a body as text. A byte order mark counts first, then UTF-8 if it is that, then `charset`.

    Bytes that are in no charset that anybody named become U+FFFD, which is said.
    """
    wide = _wide(body)
    if wide is not None:
        decoded = _decode(body, wide)
        return replace(decoded, text=decoded.text.removeprefix("\ufeff"))
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        return Decoded(body.decode())
    except UnicodeDecodeError:
        return _decode(body, charset or "utf-8")


def _wide(body: bytes) -> str | None:
    """Return which of UTF-16 and UTF-32 a body is in, by its byte order mark or its first NULs; None for neither."""
    marked = next((name for mark, name in _BOMS if body.startswith(mark)), None)
    return marked or next((name for pattern, name in _NULS if pattern.match(body)), None)


def _decode(body: bytes, charset: str) -> Decoded:
    try:
        return Decoded(body.decode(charset))
    except UnicodeDecodeError:
        return Decoded(body.decode(charset, "replace"), f"bytes that are not {charset.upper()}")
