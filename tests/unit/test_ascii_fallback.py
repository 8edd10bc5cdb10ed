"""Signs for a locale that knows only some characters."""

import pytest

from jobdeck.domain.glyphs import BY_PHASE
from jobdeck.domain.text import FALLBACKS, to_ascii
from jobdeck.tui.render.spans import FULL, HALF, LEVELS, TRACK
from jobdeck.tui.render.state import ALL_STATES


def test_every_sign_has_a_stand_in_of_one_character_and_no_two_states_share_one() -> None:
    assert all(len(sign) == 1 and sign.isascii() for sign in FALLBACKS.values())
    glyphs = {state.glyph for state in ALL_STATES} | set(BY_PHASE.values())
    assert len({to_ascii(glyph) or glyph for glyph in glyphs}) == len(glyphs)
    assert len({to_ascii(level) for level in LEVELS}) == len(LEVELS)
    assert len({to_ascii(part) for part in (FULL, HALF, TRACK)}) == 3


@pytest.mark.parametrize(("sign", "shown"), [("│", "|"), ("┐", "-"), ("▏", "|"), ("é", None), ("世", None)])
def test_frames_have_stand_ins_and_words_have_none(sign: str, shown: str | None) -> None:
    assert to_ascii(sign) == shown
