"""Kernels that scenarios tell of: what the arms' feed-forward takes for as many tokens as their passes have."""

import sys
from types import SimpleNamespace

import pytest
import torch

import moevlm.generation.prefill  # noqa: F401  # whose module is patched
from bench.kernels import answer_kernels, decode_kernels, kernels_of, prefill_kernels
from fixtures.models import Twins, build_twins
from moevlm.kernels.cpu import ops
from moevlm.kernels.cpu.build import load

needs_kernels = pytest.mark.skipif(load() is not None, reason="no C++ compiler")


@pytest.fixture(scope="module")
def twins() -> Twins:
    return build_twins("proxy", depth=1, device=torch.device("cpu"), dtype=torch.float32)


def prompts(batch_size: int, seq_len: int) -> SimpleNamespace:
    ids_BS = torch.zeros(batch_size, seq_len, dtype=torch.long)
    return SimpleNamespace(tensors={"input_ids": ids_BS}, prompt_tokens=[seq_len] * batch_size)


@pytest.fixture(autouse=True)
def generic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the rule of a processor without AVX512-BF16: in float32 ours up to 64 rows."""
    monkeypatch.setattr(ops, "tiers", lambda: ("generic",))


@needs_kernels  # 2 of 16 experts a token
def test_each_arm_is_told_by_its_own_rows(twins: Twins) -> None:
    assert kernels_of(twins, {"moe": 512, "dense": 64}) == {"moe": "kernels", "dense": "kernels"}
    assert kernels_of(twins, {"moe": 520, "dense": 65}) == {"moe": "products", "dense": "products"}
    assert prefill_kernels(twins, prompts(2, 128)) == {"moe": "kernels", "dense": "products"}


@needs_kernels
def test_a_prompt_in_chunks_is_told_by_the_rows_of_a_chunk(twins: Twins, monkeypatch: pytest.MonkeyPatch) -> None:
    prefill = sys.modules["moevlm.generation.prefill"]  # the package has a function of the name
    monkeypatch.setattr(prefill, "CHUNK_BYTES", 40 * 4 * 4 * 4096)  # of one sample of 40 tokens in the twin
    assert prefill_kernels(twins, prompts(8, 40))["dense"] == "kernels"


@needs_kernels
def test_a_step_is_told_by_its_samples_and_an_answer_by_both(twins: Twins) -> None:
    assert decode_kernels(twins, 64) == {"moe": "kernels", "dense": "kernels"}  # as operators
    assert decode_kernels(twins, 65) == {"moe": "kernels", "dense": "products"}  # by modules
    told = answer_kernels(twins, prompts(2, 128))
    assert told == {"moe": "prefill kernels, decode kernels", "dense": "prefill products, decode kernels"}
