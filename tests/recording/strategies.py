"""Entries of a recording for property tests: any values of the domain's types."""

import types
from collections.abc import Mapping
from dataclasses import fields, replace
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import JobKey, Target
from jobdeck.recording import entries as e
from tests.builders import make_target
from tests.recording.making import at

TARGETS = (
    make_target("op_1"),
    replace(make_target("op_2"), accepted_request_id="req-1", accepted=True, retry_after=3.0),
    make_target("507f1f77bcf86cd799439012", "sonarly", "prospecting"),
    Target(JobKey("ci", "octocat/.github", "manual__2026-11-28T09:40:00+00:00"), "github-actions", "job"),
    Target(JobKey("ci", None, "{4b2d}-ünï=1"), "github-actions", "job"),
)
KEYS = [target.key for target in TARGETS]
WORDS = st.sampled_from(["", "processing", "a b", "ünï", "x" * 300, '"quoted", [1]', "👩‍💻 ok"])
MOMENTS = st.integers(0, 4 * 10**9).map(lambda us: at(us / 1e6))
JSON = st.sampled_from(['{"people":[1,2,3]}', "[]", '"\\n"', "two\nlines"])
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: WORDS,
    int: st.integers(0, 10**12),
    float: st.floats(0, 1e6) | st.integers(0, 1000).map(lambda tenths: tenths / 10 / 100),
    bool: st.booleans(),
    type(None): st.none(),
    Instant: MOMENTS,
    JobKey: st.sampled_from(KEYS),
    Target: st.sampled_from(TARGETS),
}
NAMED: dict[str, st.SearchStrategy[Any]] = {
    "progress": st.none() | st.floats(0, 1),
    "id": st.sampled_from([key.id for key in KEYS]),
    "account_group": st.sampled_from([key.account_group for key in KEYS]),
    "result": st.none() | JSON,
    "details": st.none() | JSON,
    "body": st.none() | st.text(st.characters(exclude_categories=["Cs"])),
}


def values(hint: Any, name: str = "") -> st.SearchStrategy[Any]:
    """Any value of a type of the domain, so that a field that is new there is tried without a word here."""
    origin = get_origin(hint)
    if name in NAMED:
        return NAMED[name]
    if hint in PLAIN:
        return PLAIN[hint]
    if origin in {Union, types.UnionType}:
        return st.one_of(*(values(one, name) for one in get_args(hint)))
    if origin is tuple:
        parts = get_args(hint)
        if parts[-1] is Ellipsis:
            return st.lists(values(parts[0], name), max_size=2).map(tuple)
        return st.tuples(*(values(one, name) for one in parts))
    if origin is Mapping:
        return st.dictionaries(WORDS, values(get_args(hint)[1]), max_size=2)
    if issubclass(hint, Enum):
        return st.sampled_from(hint)
    hints = get_type_hints(hint)
    return st.builds(hint, **{field.name: values(hints[field.name], field.name) for field in fields(hint)})


ENTRIES = st.lists(values(e.Entry), min_size=1, max_size=12)
