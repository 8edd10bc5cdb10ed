"""JSONPath over hostile answers: what may be asked, and what it costs."""

import time

import pytest

from jobdeck.apis.jsonpath import MAX_VALUES, Match, PathError, compile_all, compile_first, compile_values


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("", "1 to 500 characters"),
        ("$" + ".a" * 300, "1 to 500 characters"),
        ("status", "must start with \\$"),
        (" $.a", "must start with \\$"),
        ("$.a[", "end of query"),
        ("$.a b", "."),
        ("$..status", "descendants"),
        ("$.a[?@..b]", "single values below @"),
        ("$.a[?@.b == $.c]", "single values below @"),
        ("$.a[?@.b[*] == 1]", "."),
        ("$.a[?@.b[?@.c]]", "single values below @"),
        ("$.a[?count(@.b[*]) > 1]", "single values below @"),
        ("$.a[?match(@.b, '(a+)+$')]", "match\\(\\) is not supported"),
        ("$.a[?search(@.b, 'x')]", "search\\(\\) is not supported"),
        ("$.a | $.b", "."),
        ("$[?" + "(" * 400 + "]", "."),
    ],
)
def test_a_path_that_is_wrong_or_could_cost_anything_is_refused_in_words(path: str, told: str) -> None:
    with pytest.raises(PathError, match=told) as caught:
        compile_all(path)
    assert "\n" not in str(caught.value)


def find_all(path: str, value: object) -> list[Match]:
    """All that a path finds, which the two shorter ways to ask must agree with."""
    found = compile_all(path)(value)
    known = [match.value for match in found if match.value is not None]
    assert compile_values(path)(value) == known
    assert compile_first(path)(value) == (known[0] if known else None)
    return found


DATA = {"a": [{"n": 1, "k": "x"}, {"n": 2, "k": "y"}], "o": {"p": 1, "q": None}, "@type": "t"}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", [(DATA, None)]),
        ("$.a[0].n", [(1, "n")]),
        ("$.a[-1].n", [(2, "n")]),
        ("$.a[1:].k", [("y", "k")]),
        ("$.a[?@.k == 'y'].n", [(2, "n")]),
        ("$.a[?@.n >= 1 && !@.z].k", [("x", "k"), ("y", "k")]),
        ("$.o.*", [(1, "p"), (None, "q")]),
        ("$['@type']", [("t", "@type")]),
        ("$.a.n", []),
        ("$.o.p.deeper", []),
        ("$.missing[0].x", []),
    ],
)
def test_what_a_path_finds(path: str, found: list[tuple[object, object]]) -> None:
    assert [(each.value, each.key) for each in find_all(path, DATA)] == found


def test_a_path_looks_at_so_many_values_and_no_further() -> None:
    wide = {"a": [{"b": [0] * 2_000} for _ in range(5_000)], "last": [{"k": 1}]}
    assert len(find_all("$.a[*]", wide)) == MAX_VALUES
    assert len(find_all("$.a[*].b[*]", wide)) == MAX_VALUES
    assert find_all("$.a[?@.b == 1]", wide) == []
    assert len(find_all("$.a[10:].b", wide)) == MAX_VALUES
    late = [0] * MAX_VALUES + [{"k": 1}]
    assert find_all("$[?@.k == 1]", late) == []
    assert find_all("$[-1].k", late)


def test_a_path_over_millions_of_values_takes_no_time() -> None:
    body = {"a": [0] * 4_000_000, "o": {str(number): number for number in range(500_000)}}
    begun = time.process_time()
    for path in ("$.a[?@.k == 'x'].y", "$.a[*].b[*].c[*]", "$.o.*", "$.o[?@ == 1]", "$.a[5:]", "$.a[::-1]"):
        find_all(path, body)
    assert time.process_time() - begun < 2.0


@pytest.mark.parametrize("value", [None, 1, "text", True, [], {}, "{[", [[]], {"a": "[1, 2]"}])
def test_any_value_can_be_searched(value: object) -> None:
    for path in ("$.a", "$[0]", "$.a[0].b", "$[*]", "$.*.x", "$[?@.a]"):
        find_all(path, value)
