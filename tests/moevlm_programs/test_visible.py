"""What hides in a text, or steers who reads it, is written out."""

import sys
import unicodedata

from moevlm_programs.visible import visible, visible_lines
from tests.bench.hostile_names import HOSTILE

# Unicode's Default_Ignorable_Code_Point among what is neither control nor format, and braille's empty cell.
LOOK_LIKE_NOTHING = [0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x2800, 0x3164, 0xFFA0,
                     *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]  # fmt: skip
NOTHING = frozenset(LOOK_LIKE_NOTHING)


def test_every_character_is_seen_or_written_out() -> None:
    for code in range(sys.maxunicode + 1):
        one = chr(code)
        is_seen = one == " " or (unicodedata.category(one)[0] not in "CZ" and code not in NOTHING)
        said = visible(one)
        assert said == one if is_seen else said != one and said.isprintable(), hex(code)


def test_no_name_steers_a_terminal() -> None:
    for name in HOSTILE:
        said = visible_lines(name)
        assert all(one in "\n\t" or one.isprintable() for one in said), name
        assert said.count("\n") == name.count("\n"), name


def test_what_is_seen_stays_and_what_is_written_out_is_pythons_spelling() -> None:
    assert visible("a \u00e4 \U0001f600") == "a \u00e4 \U0001f600"
    assert visible("\x1b\u202e\U000e0041\ud800") == r"\x1b\u202e\U000e0041\ud800"
