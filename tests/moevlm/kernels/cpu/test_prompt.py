"""Attention of a prompt against float64's softmax, over ragged sizes, masks and score columns; what torch keeps."""

import math

import pytest
import torch

from moevlm.kernels.cpu import prompt
from moevlm.kernels.cpu.build import load

pytestmark = pytest.mark.skipif(load() is not None, reason="no C++ compiler")
BOUNDS = {torch.float32: 1e-5, torch.bfloat16: 1e-2}  # relative, of a norm over all values
SIZES = {  # heads, groups, tokens, width, columns of a value
    "two tokens": (2, 1, 2, 16, 16),
    "fewer tokens than lanes": (4, 2, 13, 16, 16),
    "a block and one row": (8, 4, 13, 64, 64),
    "one group": (6, 1, 71, 32, 32),
    "no shared heads": (3, 3, 65, 64, 64),
    "score columns": (8, 4, 67, 64, 72),
    "two panels of values": (4, 2, 130, 128, 128),
    "odd columns": (2, 2, 33, 18, 19),
    "keys of several blocks": (2, 1, 523, 16, 16),
}


@pytest.fixture(autouse=True)
def inference():
    with torch.no_grad():
        yield


@pytest.fixture(params=list(BOUNDS))
def dtype(request):
    return request.param


def states(size, dtype, *, samples=1, cached=0, room=3):
    """Queries as heads of tokens beside each other, keys and values as part of a longer memory."""
    heads, groups, tokens, width, columns = size
    draw = torch.Generator().manual_seed(0)
    query = torch.randn(samples, tokens, heads, width, generator=draw).to(dtype).transpose(1, 2)
    length = cached + tokens
    memory = [torch.randn(samples, groups, length + room, wide, generator=draw).to(dtype) for wide in (width, columns)]
    return query, *(states[:, :, :length] for states in memory)


def causal(tokens, length):
    return torch.ones(tokens, length, dtype=torch.bool).tril(length - tokens)


def plain(query, key, value, is_seen, scale):
    """Softmax over the scores in float64, one query head after another, (B, S, N, C)."""
    shared = query.shape[1] // key.shape[1]
    heads = []
    for head in range(query.shape[1]):
        group = head // shared
        scores = scale * query[:, head].double() @ key[:, group].double().transpose(1, 2)
        shares = scores.masked_fill(~is_seen, -math.inf).softmax(-1)
        heads.append(shares @ value[:, group].double())
    return torch.stack(heads, dim=2)


def assert_near(found, expected):
    assert found.shape == expected.shape
    assert (found.double() - expected).norm() / expected.norm() < BOUNDS[found.dtype]


@pytest.mark.parametrize("name", SIZES)
def test_each_token_gathers_from_those_up_to_itself(dtype, name):
    query, key, value = states(SIZES[name], dtype, samples=2)
    assert prompt.takes(query, key, value, None)
    found = prompt.attend(query, key, value, None, scale=0.3)
    assert_near(found, plain(query, key, value, causal(query.shape[2], key.shape[2]), 0.3))


@pytest.mark.parametrize("name", SIZES)
def test_a_mask_says_what_is_seen_of_padding_and_of_what_was_cached(dtype, name):
    size, cached = SIZES[name], 5
    query, key, value = states(size, dtype, samples=3, cached=cached)
    length = key.shape[2]
    padding = torch.tensor([0, 1, 4])[:, None, None]
    is_seen = causal(size[2], length) & (torch.arange(length) >= padding)
    mask = is_seen[:, None].contiguous()
    assert prompt.takes(query, key, value, mask)
    found = prompt.attend(query, key, value, mask, scale=0.3)
    assert_near(found, plain(query, key, value, is_seen, 0.3))


def test_any_mask_is_heeded_whatever_its_shape(dtype):
    query, key, value = states((4, 2, 37, 32, 32), dtype, cached=300)
    is_seen = torch.rand(1, 37, 337, generator=torch.Generator().manual_seed(1)) < 0.2
    is_seen[:, 3, 20:], is_seen[:, 4, :320] = False, False
    is_seen[:, [3, 4], [7, 330]] = True
    found = prompt.attend(query, key, value, is_seen[:, None].contiguous(), scale=1.0)
    assert_near(found, plain(query, key, value, is_seen, 1.0))


def test_a_token_that_sees_nothing_gathers_nothing(dtype):
    query, key, value = states((2, 1, 9, 16, 16), dtype)
    is_seen = causal(9, 9)
    is_seen[:4] = False
    found = prompt.attend(query, key, value, is_seen[None, None].contiguous(), scale=1.0)
    assert torch.equal(found[:, :4], torch.zeros_like(found[:, :4]))
    assert found[:, 4:].isfinite().all()


def test_large_scores_leave_the_largest_alone(dtype):
    query, key, value = states((2, 1, 300, 16, 16), dtype)
    key[:, :, 290] = 1e4 * query[:, :1, 299]
    found = prompt.attend(query, key, value, None, scale=1.0)[:, 299, 0]
    assert torch.equal(found, value[:, 0, 290])


@pytest.mark.parametrize("which", ["query", "key", "value"])
def test_nan_stays_where_it_is_seen_and_nowhere_else(dtype, which):
    found_states = dict(zip(("query", "key", "value"), states((2, 1, 300, 16, 16), dtype), strict=True))
    found_states[which][:, :, 280, 0] = math.nan
    found = prompt.attend(*found_states.values(), None, scale=1.0)
    if which != "value":  # 0 times NaN is NaN: a block of tokens may gather it, as in torch
        assert found[:, :280].isfinite().all()
    reached = {"query": found[:, 280], "key": found[:, 280:], "value": found[:, 280:, :, 0]}[which]
    assert reached.isnan().all()


def test_threads_change_nothing(dtype):
    inputs, before = states((4, 2, 200, 64, 64), dtype, samples=2), torch.get_num_threads()
    alone = prompt.attend(*inputs, None, scale=0.1)
    try:
        torch.set_num_threads(3)
        assert torch.equal(prompt.attend(*inputs, None, scale=0.1), alone)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("change", "is_taken"),
    [
        (lambda query, key, value: (query, key, value, None), True),
        (lambda query, key, value: (query[:, :, -1:], key, value, None), False),
        (lambda query, key, value: (query[:, :, 1:], key, value, None), False),
        (lambda query, key, value: (query, key, value, torch.zeros(1, 1, 8, 8)), False),
        (lambda query, key, value: (query, key, value, causal(8, 8)[None, None].expand(1, 2, 8, 8)), False),
        (lambda query, key, value: (query, key, value, causal(8, 8)[None, None].transpose(2, 3)), False),
        (lambda query, key, value: (query.double(), key.double(), value.double(), None), False),
        (lambda query, key, value: (query.bfloat16(), key, value, None), False),
        (lambda query, key, value: (query[..., :15], key[..., :15], value, None), False),
        (lambda query, key, value: (query, key.transpose(2, 3).contiguous().transpose(2, 3), value, None), False),
        (lambda query, key, value: (query.to("meta"), key.to("meta"), value.to("meta"), None), False),
    ],
    ids=[
        "a prompt", "one token", "what follows a cache without a mask", "a mask to be added", "a mask a head",
        "a mask in another layout", "float64", "two dtypes", "an odd width", "rows apart", "another device",
    ],
)  # fmt: skip
def test_what_is_left_to_torch(change, is_taken):
    assert prompt.takes(*change(*states((2, 1, 8, 16, 16), torch.float32))) is is_taken


def test_gradients_are_torchs():
    with torch.enable_grad():
        assert not prompt.takes(*states((2, 1, 8, 16, 16), torch.float32), None)


def test_what_was_not_measured_is_left_to_torch(monkeypatch):
    inputs = states((2, 1, 8, 16, 16), torch.bfloat16)
    assert prompt.takes(*inputs, None) is (prompt.tiers()[-1] != "tiles")
    monkeypatch.setattr(prompt, "tiers", lambda: ("generic", "dot", "tiles"))
    assert not prompt.takes(*inputs, None)
    assert prompt.takes(*states((2, 1, 8, 16, 16), torch.float32), None)
