"""Recognizing rate limits behind other statuses, by the code or the message of the error body."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jobdeck.domain.problem import ProblemKind

_CODE = re.compile(
    r"throttling[a-z]*|[a-z]*(?:throttl(?:ed|ing)|ratelimit(?:s|ed|ing|exceeded|reached)?|toomanyrequests|slowdown"
    r"|requestlimit(?:exceeded|reached)|requestratetoolarge|throughputexceeded|enhanceyourcalm|resourceexhausted)"
    r"(?:exception|error|fault)?",
    re.ASCII,
)
"""Codes of many vendors, reduced to lower-case letters; a prefix may come before them."""

_MESSAGE = re.compile(
    r"exceeded\b.{0,60}\brate[ -]?limit|\brate[ -]?limit(?:s|ed|ing)?\b.{0,40}\b(?:exceeded|reached|hit)\b"
    r"|\brate[ -]?limited\b|\bsecondary rate limit\b|\btoo many requests\b|\brate exceeded\b"
    r"|\brequests? limit (?:exceeded|reached)\b|\brequests? (?:was|were|has been|have been|is being) throttled\b",
    re.IGNORECASE,
)
_CODE_KEYS = frozenset({"code", "type", "__type", "status", "reason", "errorcode", "error_code", "errortype", "error"})
_MAX_NODES = 50
_MAX_CODE = 200

_NEVER = frozenset(
    {ProblemKind.AUTH, ProblemKind.PAYMENT, ProblemKind.NOT_FOUND, ProblemKind.REDIRECT, ProblemKind.RATE_LIMIT}
)


@dataclass(frozen=True, slots=True)
class RateLimitWords:
    """An API's own codes and texts in messages that mean a rate limit, whatever the status."""

    codes: frozenset[str] = frozenset()
    messages: tuple[str, ...] = ()


def is_throttling_code(code: str) -> bool:
    """Whether a code of an error body means a rate limit in the usage of many vendors."""
    # AWS writes `com.amazon.coral.availability#ThrottlingException`.
    return _CODE.fullmatch(re.sub(r"[^a-z]", "", code.rpartition("#")[2].lower())) is not None


def is_throttled(kind: ProblemKind, body: object, message: str | None, words: RateLimitWords) -> bool:
    """Whether an error is a rate limit by the codes in its JSON `body` or its message: usual ones, or the API's own.

    A server error is no rate limit because of a usual message: "too many requests" may be its own trouble.
    """
    if kind in _NEVER or body is None:
        return False
    if any(code in words.codes or is_throttling_code(code) for code in _codes(body)):
        return True
    text = (message or "")[:4_096]
    if any(own.lower() in text.lower() for own in words.messages):
        return True
    return kind is not ProblemKind.SERVER_ERROR and _MESSAGE.search(text) is not None


def _codes(value: object) -> Iterator[str]:
    """Yield the values near the top of an error body that may be codes; numbers as their digits."""
    nodes: list[object] = [value]
    for index in range(_MAX_NODES):
        if index == len(nodes):
            return
        node = nodes[index]
        if isinstance(node, list):
            nodes.extend(node[:5])
        if not isinstance(node, Mapping):
            continue
        for name, inner in node.items():
            if isinstance(inner, dict | list):
                nodes.append(inner)
            elif isinstance(name, str) and name.lower() in _CODE_KEYS:
                if isinstance(inner, str) and len(inner) <= _MAX_CODE:
                    yield inner.strip()
                elif type(inner) is int and inner.bit_length() <= 64:
                    yield str(inner)
