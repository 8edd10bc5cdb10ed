from hypothesis import given
from hypothesis import strategies as st

from jobdeck.store.uuid7 import Uuid7


@given(st.lists(st.integers(0, 2**48 * 1_000 - 10**6), min_size=1, max_size=50))
def test_ids_grow_whatever_the_clock_does(clock: list[int]) -> None:
    make = Uuid7()
    ids = [make.new(now_us) for now_us in clock]
    assert ids == sorted(set(ids))


def test_an_id_is_a_version_7_that_says_when_it_was_made() -> None:
    made = Uuid7().new(1_780_000_000_123_456)
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == 1_780_000_000_123


def test_many_ids_of_one_moment_differ_and_keep_their_order() -> None:
    make = Uuid7()
    ids = [make.new(1_780_000_000_000_000) for _ in range(10_000)]
    assert ids == sorted(set(ids))
