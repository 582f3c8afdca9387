"""Heads of new tokens against transformers' own rotation, in float64."""

import pytest
import torch
from transformers.models.qwen3_moe.modeling_qwen3_moe import apply_rotary_pos_emb

from moevlm.model.attention import rotary_tables
from tests.moevlm.kernels.triton.test_norm import EPSILON, normed
from tests.moevlm.kernels.triton.where import BOUNDS, DEVICE, drawn, error, needs_kernels

heads = pytest.importorskip("moevlm.kernels.triton.heads", reason="Triton is not installed", exc_type=ImportError)
pytestmark = needs_kernels
ROOM, SLOT = 9, 6


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("sizes", [(1, 4, 2, 16), (3, 6, 2, 64), (2, 3, 3, 24)])
def test_queries_return_and_keys_and_values_go_to_the_slot(sizes, dtype):
    num_samples, queries, keys, width = sizes
    projected = drawn(num_samples, (queries + 2 * keys) * width, dtype=dtype)
    scales = drawn(width, dtype=dtype, seed=1), drawn(width, dtype=dtype, seed=2)
    angles = drawn(num_samples, 1, width // 2, seed=3).repeat(1, 1, 2)
    cos, sin = angles.cos().to(dtype), angles.sin().to(dtype)
    memory = tuple(drawn(num_samples, keys, ROOM, width, dtype=dtype, seed=seed) for seed in (4, 5))
    before = [states.clone() for states in memory]
    slot = torch.tensor([SLOT], device=DEVICE)
    found = heads.write_heads(projected, scales, rotary_tables(cos, sin), slot, memory, epsilon=EPSILON)
    query, key, value = projected.view(num_samples, -1, width).split((queries, keys, keys), dim=1)
    wanted = [normed(one, scale)[:, :, None] for one, scale in zip((query, key), scales, strict=True)]
    wanted_query, wanted_key = apply_rotary_pos_emb(*wanted, cos.double(), sin.double())
    assert error(found, wanted_query[:, :, 0]) < BOUNDS[dtype]
    assert error(memory[0][:, :, SLOT], wanted_key[:, :, 0]) < BOUNDS[dtype]
    assert torch.equal(memory[1][:, :, SLOT], value)
    others = [slot for slot in range(ROOM) if slot != SLOT]
    assert all(torch.equal(now[:, :, others], then[:, :, others]) for now, then in zip(memory, before, strict=True))
