"""Tests of what is counted alive, on builds and calls whose bytes are known by construction."""

from collections.abc import Callable

import torch

from bench.harness.memory import Alive, count_alive

CPU = torch.device("cpu")
MIB = 2**20
KEPT: list[torch.Tensor] = []  # as a module's own cache keeps tensors


def block(num_mib: int) -> torch.Tensor:
    return torch.empty(num_mib * MIB, dtype=torch.uint8)


def mib_alive(build: Callable[[], object], call: Callable[[object], object] = lambda _: None) -> tuple[int, ...]:
    alive = count_alive(build, call, CPU)
    assert all(count % MIB == 0 for count in alive)
    return tuple(count // MIB for count in alive)


def test_what_is_built_is_alive_all_along() -> None:
    assert mib_alive(lambda: (block(3), block(5))) == (8, 8, 8)


def test_what_only_the_build_needed_does_not_count() -> None:
    assert mib_alive(lambda: block(5)[: 2 * MIB].clone()) == (2, 2, 2)


def test_a_result_counts_at_the_peak_and_is_not_kept() -> None:
    assert mib_alive(lambda: block(3), lambda _: (block(4), block(1))) == (3, 3, 8)


def test_what_lives_only_inside_the_call_counts_once_at_the_peak() -> None:
    assert mib_alive(lambda: block(1), lambda _: block(4).numel() + block(4).numel()) == (1, 1, 5)


def test_a_copy_that_the_first_call_leaves_behind_is_kept_wherever_it_lies() -> None:
    KEPT.clear()
    assert mib_alive(lambda: block(3), lambda _: KEPT.append(block(2))) == (3, 5, 5)
    assert mib_alive(lambda: {"weights": block(3)}, lambda built: built.update(packed=block(2))) == (3, 5, 5)  # type: ignore[attr-defined]


def test_what_the_first_call_gives_back_of_the_build_is_kept_memory_all_the_same() -> None:
    alive = count_alive(lambda: [block(3), block(4)], list[torch.Tensor].pop, CPU)  # type: ignore[arg-type]
    assert alive == Alive(built=7 * MIB, called=3 * MIB, peak=7 * MIB)
    assert alive.kept == 7 * MIB
    assert Alive(built=3, called=5, peak=9).kept == 5


def test_what_was_there_before_does_not_count() -> None:
    before = block(7)
    assert mib_alive(lambda: before, torch.Tensor.zero_) == (0, 0, 0)  # type: ignore[arg-type]


def test_what_references_itself_in_a_circle_is_not_kept() -> None:
    def circle(_: object) -> None:
        knot: list[object] = [block(2)]
        knot.append(knot)

    assert mib_alive(lambda: block(1), circle) == (1, 1, 3)


def test_a_product_needs_its_result() -> None:
    left, right = torch.ones(256, 512), torch.ones(512, 1024)
    assert mib_alive(lambda: None, lambda _: left @ right) == (0, 0, 1)
