"""Recognizing words in place of an ID that cannot be one: polled, each would be a job that the server does not know."""

import re

from jobdeck.domain.text import safe_excerpt

_ORDINARY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_~:-]*")
_NOTHING = frozenset({"null", "undefined", "none", "nil", "nan", "[object object]"})
"""Words that programs print for a missing value."""

_PLACEHOLDER_NAMES = frozenset({"ID", "JOB", "JOB_ID", "OPERATION_ID", "TARGET", "YOUR_ID"})
_PLACEHOLDER = re.compile(r"<[^<>/]*>|\{+[^{}\"]*\}+|%\w+%|\$.*|\[[A-Z_ ]+\]", re.DOTALL)
_ASSIGNED = re.compile(r"""[A-Za-z_]\w*(?:["']?\s*=|["']\s*:|:\s)\s*(?P<value>\S.*)""", re.DOTALL)
_CUT = re.compile(r"…|\.\.\.")
_AROUND = "\"'`‘’“”‚„«»‹›()[]{}<>,;#"
_DASHES = "‐‑‒–—−"
_BEHIND = _AROUND + ".!?:"
_HOST = r"(?:localhost|\d+(?:\.\d+){3}|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,})"
_NO_SCHEME = re.compile(rf"{_HOST}(?::\d{{1,5}}(?:/.*)?|/(?:api|v\d)[^/]*/.*)", re.DOTALL)
_FILE = re.compile(
    r"[^:]*\.(?:txt|json|jsonl|ndjson|csv|tsv|log|md|toml|ya?ml|list|lst|ids|out|html?|xml|http|gz|zip|bak|tmp|jobdeck)",
    re.IGNORECASE,
)


def mistake_in(text: str) -> str | None:
    """Return in one line why a text without a profile's name cannot be meant as an ID; None if it can.

    After a profile's name, any text in the form of an ID is accepted.
    """
    if _ORDINARY.fullmatch(text) and text.lower() not in _NOTHING and text not in _PLACEHOLDER_NAMES:
        return None
    name = safe_excerpt(text)
    if text.lower() in _NOTHING:
        return f"{name}: looks like a missing value, not an ID{_anyway(text)}"
    if text in _PLACEHOLDER_NAMES or _PLACEHOLDER.fullmatch(text):
        return f"{name}: looks like an unfilled placeholder{_anyway(text)}"
    if text[0] in "{[" and '"' in text:
        return f"{name}: pass JSON in a file or on standard input: jobdeck -"
    if _CUT.search(text):
        return f"{name}: truncated; enter the full ID"
    if text[0] in _DASHES:
        return f"{name}: options start with ASCII hyphens, not dashes"
    if is_file_name(text):
        return f"{name}: looks like a file name, not a job ID{_anyway(text)}"
    return without_scheme(text) or _decorated(text, name)


def without_scheme(text: str) -> str | None:
    """Return the correction of a URL without a scheme; None for any other text."""
    return (
        f"{safe_excerpt(text)}: URL scheme missing: https://{safe_excerpt(text)}"
        if _NO_SCHEME.fullmatch(text)
        else None
    )


def is_file_name(text: str) -> bool:
    """Whether a text ends like the name of a file, as hardly any ID does."""
    return _FILE.fullmatch(text) is not None


def _decorated(text: str, name: str) -> str | None:
    """Return the mistake in an ID with remains of the text around it, such as quotes or brackets; else None."""
    core = text.strip(_AROUND).rstrip(_BEHIND).strip()
    if assigned := _ASSIGNED.fullmatch(core):
        core = assigned["value"].strip(_AROUND)
    if re.search(r"[\s,;]", core):
        return f"{name}: contains spaces; pass each ID separately"
    if "*" in core:
        return f"{name}: no files match this pattern"
    if core == text:
        return None
    return f"{name}: not a job ID; did you mean {safe_excerpt(core)}?{_anyway(text)}" if core else None


def _anyway(text: str) -> str:
    return f" (if it is an ID, write PROFILE:{text})" if re.fullmatch(r"[A-Za-z0-9_.~-]+", text) else ""
