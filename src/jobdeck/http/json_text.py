"""Reading JSON from any bytes, and writing JSON as text that is safe anywhere: printable ASCII, without NaN."""

import re

from pydantic_core import from_json, to_json

_SURROGATES = re.compile(
    rb"\\\\"  # a backslash that is itself escaped begins nothing
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a pair is one character
    rb"|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def read_json(body: bytes) -> object:
    """Return the value of a JSON text, with lone surrogates as visible escapes; raises ValueError if it is no JSON."""
    try:
        return from_json(body)
    except ValueError:
        mended = without_lone_surrogates(body)
        if mended == body:
            raise
        return from_json(mended)


def without_lone_surrogates(body: bytes) -> bytes:
    r"""Return JSON in which the escape of a lone surrogate (``\ud83d``) is literal text, since parsers refuse it.

    Otherwise one string cut in the middle of an emoji would hide every job of a list.
    """
    return _SURROGATES.sub(lambda match: b"\\" + match["lone"] if match["lone"] else match[0], body)


def json_text(value: object) -> str:
    r"""Return a parsed JSON value as compact JSON in printable ASCII; NaN and the infinities become null.

    DEL is ASCII and allowed in JSON, but drives terminals: it is escaped as ``\u007f``.
    """
    text = to_json(value, inf_nan_mode="null", ensure_ascii=True).decode()
    return text.replace("\x7f", "\\u007f") if "\x7f" in text else text
