"""What commands do grows with what they read as a line does: calls are counted, at one, two and four times the size."""

import functools
import gc
import json
import selectors
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType

import pytest

from bench.__main__ import main
from bench.gate.cap import UNJUDGEABLE
from bench.gate.history import follow, read_history
from bench.gate.ledger import CONTROL, Slowdown
from bench.gate.sentences import explanations
from bench.gate.verdict import Verdict
from tests.bench.large_records import commit_promotions, large_document
from tests.bench.sample_records import BASELINE_NAME
from tests.bench.sample_verdicts import change, said_of

SIZES = (15, 30, 60)
FEW = (3, 6, 12)
WAITS = (selectors.__file__, subprocess.__file__)
LINE, SQUARE = 2.0, 4.0  # by which the second step of the work exceeds the first


def growth(work: Callable[[int], object], sizes: Sequence[int] = SIZES) -> float:
    """Return by which factor the calls that the second step adds exceed those that the first adds."""
    work(sizes[0])  # what is imported and kept once
    few, more, most = (calls(functools.partial(work, size)) for size in sizes)
    return (most - more) / (more - few)


def calls(work: Callable[[], object]) -> int:
    """Count the calls of Python's and of C's functions, but for the waits for a process, which its turns make many."""
    count = 0

    def counting(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call") and frame.f_code.co_filename not in WAITS

    before = sys.getprofile()
    gc.collect()
    gc.disable()  # its callbacks are calls too, of whoever registered them
    sys.setprofile(counting)
    try:
        work()
    finally:
        sys.setprofile(before)
        gc.enable()
    return count


def test_the_measure_of_growth_tells_a_line_from_a_square() -> None:
    assert growth(lambda size: [len("x") for _ in range(size)]) == pytest.approx(LINE, rel=0.1)
    assert growth(lambda size: [len("x") for _ in range(size) for _ in range(size)]) == pytest.approx(SQUARE, rel=0.1)


def written(folder: Path, name: str, **sizes: int) -> str:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(large_document(**sizes)))
    return str(path)


def test_report_and_compare_grow_as_the_scenarios_do(tmp_path: Path) -> None:
    names = {
        size: [
            written(tmp_path, f"{kind}-{size}", scenarios=size, launches=launches, blocks=3, seed=launches)
            for kind, launches in (("run", 1), ("base", 2))
        ]
        for size in SIZES
    }
    assert growth(lambda size: main(["report", names[size][0]])) < 1.1 * LINE
    assert growth(lambda size: main(["compare", names[size][0], "--baseline", names[size][1]])) < 1.1 * LINE


def test_compare_grows_as_the_launches_do(tmp_path: Path) -> None:
    names = {size: written(tmp_path, f"run-{size}", scenarios=3, launches=size, blocks=3) for size in SIZES}
    assert growth(lambda size: main(["compare", names[size], "--baseline", names[size]])) < 1.1 * LINE


def test_history_grows_as_the_promotions_do(tmp_path: Path) -> None:
    folders = {
        size: commit_promotions(tmp_path / str(size), BASELINE_NAME, promotions=size, scenarios=2) for size in FEW
    }
    assert growth(lambda size: read_history(folders[size], BASELINE_NAME), FEW) < 1.1 * LINE


def test_following_grows_as_promotions_and_accepted_slowdowns_do(tmp_path: Path) -> None:
    commit_promotions(tmp_path, BASELINE_NAME, promotions=1, scenarios=2)
    (promotion,) = read_history(tmp_path / "baselines", BASELINE_NAME).promotions
    name = next(iter(promotion.scenarios))
    entry = Slowdown(name, CONTROL, 1.0, 1.01, 0.00995, BASELINE_NAME, "", promotion.date, "", promotion.release)
    assert growth(lambda size: follow([promotion] * size, [entry] * size, baseline=BASELINE_NAME)) < 1.1 * LINE


def test_what_is_said_of_noisy_scenarios_grows_as_they_do() -> None:
    noisy = said_of(Verdict.INCONCLUSIVE, change(Verdict.INCONCLUSIVE), why=UNJUDGEABLE)
    assert growth(lambda size: explanations(replace(noisy, scenario=str(i)) for i in range(size))) < 1.1 * LINE
