"""What is kept of a document that is too large, whatever it is and however it comes."""

import json
import random
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from pydantic_core import from_json

from jobdeck.http import prune
from jobdeck.http.marker import is_partial
from jobdeck.http.prune import Pruner
from jobdeck.http.skip import NotJsonError
from tests.support.examples import examples


def pruned(data: bytes, size: int, kept: int = 2 * 2**20) -> tuple[object, Pruner]:
    pruner = Pruner(kept)
    for start in range(0, len(data), size):
        pruner.feed(data[start : start + size])
    return from_json(pruner.finish()), pruner


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=300) | st.sampled_from(["x" * 900, '\\"\n' * 200]),
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(max_size=5), inner, max_size=12),
    max_leaves=60,
)


def assert_part_of(part: object, whole: object, pruner: Pruner) -> None:
    """What is kept is where it was and what it was, or ends in a marker."""
    match part:
        case str() if pruner.marker.is_in(part):
            assert not isinstance(whole, str) or whole.startswith(part[: part.index("dropped-")])
        case dict():
            assert isinstance(whole, dict)
            for name, value in part.items():
                if not pruner.marker.is_in(name):
                    assert_part_of(value, whole[name], pruner)
        case list():
            assert isinstance(whole, list)
            for number, value in enumerate(part):
                if not (number == len(part) - 1 and isinstance(value, str) and pruner.marker.is_in(value)):
                    assert_part_of(value, whole[number], pruner)
        case _:
            assert part == whole


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"_SMALL": 64, "_PREFIX": 32, "_ELEMENTS": 4, "_MIN_ROOM": 100}.items():
        monkeypatch.setattr(prune, name, value)


@pytest.mark.usefixtures("small_pieces")
@given(first=VALUES, second=VALUES, ascii_only=st.booleans(), indent=st.sampled_from([None, 1]))
@examples(10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_pruned_is_part_of_the_whole_in_slices_of_any_size(
    first: object, second: object, ascii_only: bool, indent: int | None
) -> None:
    whole = {"id": "i", "first": first, "status": "s", "second": second, "last": "l"}
    data = json.dumps(whole, ensure_ascii=ascii_only, indent=indent).encode()
    for size in (1, 13, 200):
        part, pruner = pruned(data, size, kept=4_000)
        assert_part_of(part, whole, pruner)
        assert isinstance(part, dict)
        assert (part["id"], part["status"], part["last"]) == ("i", "s", "l")


@pytest.mark.usefixtures("small_pieces")
@given(VALUES, st.randoms(use_true_random=False))
@examples(20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_pruned_or_no_json(value: object, chance: random.Random) -> None:
    data = bytearray(json.dumps([value, value]).encode())
    for _ in range(chance.randint(1, 4)):
        data[chance.randrange(len(data))] = chance.choice(b'{}[],:"\\ \n1x\xff')
    data = data[: chance.randint(1, len(data))]
    pruner = Pruner(2_000)
    with suppress(NotJsonError):
        for start in range(0, len(data), 7):
            pruner.feed(bytes(data[start : start + 7]))
        assert pruner.finish()


@pytest.mark.parametrize(
    "damage", [b"1 2", b"}", b'{"a" 1}', b'{"a":}', b"{1:2}", b",,", b'"a" "b"', b'{"a":1 "b":2}', b"[1", b"1:2"]
)
@pytest.mark.parametrize("size", [13, prune.SLICE])
@pytest.mark.usefixtures("small_pieces")
def test_what_is_dropped_is_checked_all_the_same(damage: bytes, size: int) -> None:
    rows = b",".join(b'{"n":[%d,{"a":"b,]"}]}' % number for number in range(400))
    raw = b'{"id":"i","result":[%b,%b,%b],"status":"s"}'
    part, _ = pruned(raw % (rows, b"2", rows), size, kept=4_000)
    assert isinstance(part, dict)
    assert part["status"] == "s"
    with pytest.raises((NotJsonError, ValueError)):
        pruned(raw % (rows, damage, rows), size, kept=4_000)


@pytest.mark.parametrize("raw", [b'{"first":1,%b,"last":2}', b'{"first":1,"in":{%b},"last":2}'], ids=["outer", "inner"])
def test_an_object_with_too_many_members_is_told_from_a_whole_one(raw: bytes) -> None:
    names = b",".join(b'"k%d":%d' % (number, number) for number in range(1_000))
    part, _ = pruned(raw % names, prune.SLICE, kept=4_000)
    assert isinstance(part, dict)
    inner = part.get("in", part)
    assert (part["first"], is_partial(inner), is_partial(part)) == (1, True, inner is part)
    assert ("last" in part) == (inner is not part)
