"""The text of a body: in UTF-8, as JSON must be, else in the charset that its bytes or headers indicate."""

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
"""The positions of NULs in a body that begins with ASCII, as JSON does."""

_SUPPORTED = re.compile(
    r"utf-(?:8|16|32)(?:-[lb]e)?|ascii|iso8859-\d{1,2}|cp(?:125\d|437|85\d|866|874|932|949|950)|koi8-[ru]|mac-roman"
    r"|shift_jis(?:_2004|x0213)?|euc_(?:jp|kr)|iso2022_jp|gb2312|gbk|gb18030|big5(?:hkscs)?|tis-620"
)
"""Python's names of the charsets that servers use; other codecs of Python are no charsets (``idna``) or take quadratic
time."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A body as text, without a byte order mark; `note` says what was wrong with it, None if nothing was."""

    text: str
    note: str | None = None


def charset_of(content_type: str | None) -> str | None:
    """Return the charset in a ``Content-Type``, as Python spells it; None if it has none or an unsupported one."""
    match = _CHARSET.search(content_type or "")
    try:
        name = None if match is None else codecs.lookup(match[1]).name
    except LookupError:
        return None
    return name if name is not None and _SUPPORTED.fullmatch(name) else None


class Utf8Transcoder:
    """Converts the pieces of a body from UTF-16 or UTF-32 to UTF-8; other bodies lose only their byte order mark.

    In all other charsets an ASCII character is one byte, which is all that the search for secrets needs.
    """

    def __init__(self) -> None:
        self._begin = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._decided = False

    def feed(self, piece: bytes) -> bytes:
        """Return the converted bytes that are complete after a piece."""
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
    """Return a body as text: by its byte order mark, else as UTF-8 if it is valid, else in `charset`.

    Bytes that are invalid in that charset become U+FFFD, with a note.
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
    """Return the kind of UTF-16 or UTF-32 of a body, by its byte order mark or its first NULs; None for neither."""
    marked = next((name for mark, name in _BOMS if body.startswith(mark)), None)
    return marked or next((name for pattern, name in _NULS if pattern.match(body)), None)


def _decode(body: bytes, charset: str) -> Decoded:
    try:
        return Decoded(body.decode(charset))
    except UnicodeDecodeError:
        return Decoded(body.decode(charset, "replace"), f"bytes that are not {charset.upper()}")
