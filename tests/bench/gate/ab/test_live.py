"""Tests of launches that are measured now: on which terms."""

from types import SimpleNamespace
from typing import Any

import pytest

from bench.gate.ab import live
from bench.gate.ab.live import LiveLaunches

BRIEF = SimpleNamespace(seed=3, accept_answers="")
SIDES = SimpleNamespace(project="p", base="b", head="h", placebo="b again")


@pytest.mark.parametrize(("number", "head"), [(0, "h"), (1, "b again")])
def test_a_launch_has_ten_blocks_at_least_and_a_placebo_base_for_its_head(
    monkeypatch: pytest.MonkeyPatch, number: int, head: str
) -> None:
    asked: list[Any] = []

    def run(terms: object, node_ids: object) -> list[str]:
        asked.append((terms, node_ids))
        return []

    monkeypatch.setattr(live, "run_launch", run)
    monkeypatch.setattr(live, "LaunchTerms", SimpleNamespace)
    list(LiveLaunches(BRIEF, SIDES, ["f.py::a", "f.py::b"], "known").launch(number, ["b"]))  # type: ignore[arg-type]
    ((terms, node_ids),) = asked
    assert node_ids == ["f.py::b"]
    assert (terms.head, terms.min_blocks, terms.number, terms.is_placebo) == (head, 10, number, head != "h")
