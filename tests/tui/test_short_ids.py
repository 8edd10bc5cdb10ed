from jobdeck.tui.cell_text import ShortIds
from tests.tui.world import key


def test_a_short_id_is_its_own_name() -> None:
    assert ShortIds(13).of(key("op_7f3c91d2")) == "op_7f3c91d2"


def test_long_ids_keep_both_ends() -> None:
    assert ShortIds(13).of(key("op_01HZ9K2QW3RV4M5N6P7Q8R9S0T")) == "op_01H…8R9S0T"


def test_no_two_ids_of_one_list_are_shown_alike() -> None:
    names = ShortIds(9)
    ids = [f"same-front-{number:05d}-same-end" for number in range(500)]
    shown = [names.of(key(id_)) for id_ in ids]
    assert len(set(shown)) == len(ids)
    assert all(len(name) <= 9 for name in shown)


def test_a_name_once_shown_stays() -> None:
    names = ShortIds(9)
    before = names.of(key("aaaaaaaaaa-1-zzzzzzzzzz"))
    names.of(key("aaaaaaaaaa-2-zzzzzzzzzz"))
    assert names.of(key("aaaaaaaaaa-1-zzzzzzzzzz")) == before
