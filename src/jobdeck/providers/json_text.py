"""JSON values as text that is safe anywhere: ASCII, printable, without NaN."""

import re

from pydantic_core import to_json

_UNSAFE = re.compile(r"[^\x20-\x7e]")


def json_text(value: object) -> str:
    r"""Return a parsed JSON value as compact JSON in printable ASCII; NaN and the infinities become null.

    DEL is ASCII and allowed in JSON, but drives terminals: it is escaped as ``\u007f``.
    """
    text = to_json(value, inf_nan_mode="null").decode()
    return text if text.isascii() and text.isprintable() else _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
