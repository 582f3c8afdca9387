"""Tests of imports that are set aside: no search for garbage looks through them, but through all that came later."""

import gc
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.harness.imports import import_aside, look_again


class Circle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def looked_through_afterwards() -> Iterator[None]:
    yield
    look_again()
    assert gc.get_freeze_count() == 0


def test_modules_are_imported_but_for_those_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "module_that_breaks.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    import_aside(["no_such_module", "module_that_breaks", "colorsys"])
    assert "colorsys" in sys.modules
    assert "module_that_breaks" not in sys.modules


def test_no_search_looks_through_what_was_there() -> None:
    import_aside([])
    assert gc.get_freeze_count() > 10_000  # an interpreter under pytest has many times as many
    assert len(gc.get_objects()) < 10_000


def test_what_was_garbage_before_is_gone_and_what_becomes_garbage_later_is_found() -> None:
    before = weakref.ref(Circle())
    import_aside([])
    later = weakref.ref(Circle())
    assert before() is None
    assert later() is not None
    gc.collect()
    assert later() is None
