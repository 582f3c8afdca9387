"""What fits is the longest beginning that does, found by trying each; what is left out is counted."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from bench.gate.room import LEFT_OUT, fitting, short_name, short_text

ROWS = st.lists(st.text("a", min_size=20, max_size=60), min_size=1, max_size=40)


def lines(rows: Sequence[str]) -> str:
    return "\n".join(rows)


def beginning(rows: Sequence[str], count: int) -> str:
    left = len(rows) - count
    note = LEFT_OUT.format("1 row" if left == 1 else f"{left} rows")
    return "\n\n".join([lines(rows[:count])] * bool(count) + [note] * bool(left))


@given(rows=ROWS, room=st.integers(0, 3_000))
def test_the_longest_beginning_that_fits_is_kept(rows: list[str], room: int) -> None:
    known = [beginning(rows, count) for count in range(len(rows) + 1)]
    fits = [text for text in known if len(text) <= room]
    assert fitting(rows, room, lines) == (fits or known)[-1 if fits else 0]


def test_nothing_is_said_of_an_empty_list() -> None:
    assert fitting([], 100, lines) == ""


def test_a_name_keeps_both_ends_and_a_text_its_beginning() -> None:
    assert short_name("bench_x[a-b1]", 13) == short_text("bench_x[a-b1]", 13) == "bench_x[a-b1]"
    for size in range(14, 200):
        shown = short_name("bench_" + "x" * size + "-b1]", 18)
        assert (shown[:6], shown[-4:], len(shown)) == ("bench_", "-b1]", 18)
    assert short_text("a reason of 24 letters..", 8) == "a reason ..."
    assert short_text("\x1b" * 9, 8) == "\\x1b\\x1b ..."
