"""Tests of peak memory on calls whose bytes are known by construction."""

import torch

from bench.harness.memory import peak_new_bytes

CPU = torch.device("cpu")
MIB = 2**20


def block(num_mib: int) -> torch.Tensor:
    return torch.empty(num_mib * MIB, dtype=torch.uint8)


def test_what_is_held_together_is_added() -> None:
    assert peak_new_bytes(lambda: (block(3), block(5)), CPU) == 8 * MIB


def test_what_was_released_before_does_not_count() -> None:
    def call() -> torch.Tensor:
        first = block(5)
        del first
        return block(3)

    assert peak_new_bytes(call, CPU) == 5 * MIB


def test_what_lives_only_inside_the_call_counts() -> None:
    def call() -> int:
        return block(4).numel() + block(4).numel()  # one after the other

    assert peak_new_bytes(call, CPU) == 4 * MIB


def test_what_was_there_before_does_not_count() -> None:
    kept = block(7)
    assert peak_new_bytes(kept.zero_, CPU) == 0


def test_a_product_needs_its_result() -> None:
    left, right = torch.ones(256, 512), torch.ones(512, 1024)
    assert peak_new_bytes(lambda: left @ right, CPU) == 4 * 256 * 1024
