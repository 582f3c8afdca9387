"""Attention cut along the cache against plain attention in float64."""

import pytest
import torch

from tests.moevlm.kernels.triton.where import BOUNDS, DEVICE, drawn, error, needs_kernels

attend = pytest.importorskip("moevlm.kernels.triton.attend", reason="Triton is not installed", exc_type=ImportError)
pytestmark = needs_kernels
SCALE = 0.3
SIZES = {"7b's heads": (2, 8, 2, 64), "one head each": (1, 3, 3, 16), "odd widths": (3, 6, 2, 24)}


def made(sizes, room, dtype=torch.float32):
    num_samples, queries, keys, width = sizes
    states = [drawn(num_samples, keys, room, width, dtype=dtype, seed=seed) for seed in (1, 2)]
    return drawn(num_samples, queries, width, dtype=dtype), states, torch.zeros(num_samples, room, dtype=torch.bool)


def expected(query, memory, is_seen):
    keys, values = (one.double().repeat_interleave(query.shape[1] // one.shape[1], dim=1) for one in memory)
    scores = (keys @ query.double()[..., None])[..., 0] * SCALE
    shares = scores.masked_fill(~is_seen.to(DEVICE)[:, None], -torch.inf).softmax(-1)
    return (shares[..., None] * torch.where(is_seen.to(DEVICE)[:, None, :, None], values, 0.0)).sum(2)


def found(query, memory, is_seen, slot):
    slot_1 = torch.tensor([slot], device=DEVICE)
    return attend.attend(query, memory, is_seen.to(DEVICE), slot_1, scale=SCALE)


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("slot", [0, 5, 63, 64, 199])
@pytest.mark.parametrize("sizes", SIZES)
def test_any_length_of_a_cache_is_attended_to(sizes, slot, dtype):
    query, memory, is_seen = made(SIZES[sizes], 200, dtype)
    is_seen[:, : slot + 1] = True
    attended = found(query, memory, is_seen, slot)
    assert attended.dtype == dtype
    assert error(attended, expected(query, memory, is_seen)) < BOUNDS[dtype]


@pytest.mark.parametrize("padding", [1, 64, 130, 150])
def test_padding_on_the_left_is_not_seen_even_where_it_fills_parts(padding):
    query, memory, is_seen = made(SIZES["7b's heads"], 200)
    is_seen[:, :151] = True
    is_seen[1, :padding] = False
    assert error(found(query, memory, is_seen, 150), expected(query, memory, is_seen)) < 1e-5


def test_what_is_not_seen_or_not_there_yet_may_be_nan():
    query, memory, is_seen = made(SIZES["7b's heads"], 100)
    is_seen[:, 10:81] = True
    clean = found(query, memory, is_seen, 80)
    for states in memory:
        states[:, :, :10] = states[:, :, 81:] = torch.nan
    assert torch.equal(found(query, memory, is_seen, 80), clean)


def test_nan_in_a_seen_key_reaches_its_heads_of_its_sample():
    query, memory, is_seen = made(SIZES["7b's heads"], 100)
    is_seen[:, :81] = True
    memory[0][1, 0, 3, 5] = torch.nan
    is_nan = found(query, memory, is_seen, 80).isnan().all(-1)
    assert is_nan.tolist() == [[False] * 8, [True] * 4 + [False] * 4]


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_any_number_of_parts_gives_the_same(parts, monkeypatch):
    monkeypatch.setattr(attend, "num_parts", lambda *_: parts)
    query, memory, is_seen = made(SIZES["7b's heads"], 300)
    is_seen[:, :211] = True
    assert error(found(query, memory, is_seen, 210), expected(query, memory, is_seen)) < 1e-5


@pytest.mark.parametrize("heads", [4, 8, 32, 256, 1024])
@pytest.mark.parametrize("room", [1, 64, 2176, 40000])
def test_parts_fill_a_gpu_and_none_is_smaller_than_a_tile(heads, room):
    parts = attend.num_parts(heads, room)
    assert parts == 1 or (parts - 1) * attend.TOKENS < room
    assert parts * heads >= min(attend.PROGRAMS, heads * -(-room // attend.TOKENS))
