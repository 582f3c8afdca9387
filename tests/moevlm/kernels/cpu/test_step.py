"""Products of few rows, norms and rotation against float64, and what is left to torch."""

import sys

import pytest
import torch
import torch.nn.functional as F

from moevlm.kernels.cpu import step
from moevlm.kernels.cpu.build import load

pytestmark = pytest.mark.skipif(load() is not None, reason="no C++ compiler")
BOUNDS = {torch.float32: 1e-5, torch.bfloat16: 1e-2}  # relative, of a norm over all values
EPSILON = 1e-6
NOT_FINITE = [float("nan"), float("inf"), float("-inf")]


@pytest.fixture(params=list(BOUNDS))
def dtype(request):
    return request.param


def normal(*shape, dtype, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def assert_near(found, expected):
    error = (found.double() - expected).norm() / expected.norm()
    assert found.shape == expected.shape
    assert error < BOUNDS[found.dtype]


def assert_same_kind(found, expected):
    """NaN, both infinities and numbers are where they should be."""
    assert not expected.isfinite().all()
    for kind in (torch.isnan, torch.isposinf, torch.isneginf):
        assert torch.equal(kind(found), kind(expected))


def normalised(rows):
    return rows / (rows.square().mean(-1, keepdim=True) + EPSILON).sqrt()


@pytest.mark.parametrize("rows", range(1, step.MOST_ROWS + 1))
@pytest.mark.parametrize(("outputs", "width"), [(4, 64), (1028, 192)])
def test_a_product_of_few_rows_equals_float64s(dtype, rows, outputs, width):
    weight, hidden = normal(outputs, width, dtype=dtype), normal(rows, width, dtype=dtype, seed=1)
    assert_near(step.few_rows(weight, hidden), (hidden.double()[:, None] * weight.double()).sum(-1))


def test_each_row_of_a_product_is_what_it_is_alone(dtype):
    weight, hidden = normal(32, 64, dtype=dtype), normal(7, 64, dtype=dtype, seed=1)
    alone = torch.cat([step.few_rows(weight, row[None]) for row in hidden])
    assert torch.equal(step.few_rows(weight, hidden), alone)


@pytest.mark.parametrize("rows", [1, 2, step.MOST_ROWS])
def test_threads_share_the_outputs_of_a_product(dtype, rows):
    weight, hidden = normal(1028, 1024, dtype=dtype), normal(rows, 1024, dtype=dtype, seed=1)  # 2 MB or more
    alone, num_threads = step.few_rows(weight, hidden), torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        shared = step.few_rows(weight, hidden)
    finally:
        torch.set_num_threads(num_threads)
    assert torch.equal(shared, alone)


@pytest.mark.parametrize("rows", [1, 3, 1000])
@pytest.mark.parametrize("width", [7, 64, 200])
def test_a_norm_equals_its_formula_in_float64(dtype, width, rows):
    hidden, scale = 3 * normal(2, rows, width, dtype=dtype), normal(width, dtype=dtype, seed=1)
    assert_near(step.rms_norm(hidden, scale, EPSILON), normalised(hidden.double()) * scale.double())


def test_a_row_of_zeros_stays_zero(dtype):
    zeros = torch.zeros(1, 64, dtype=dtype)
    assert torch.equal(step.rms_norm(zeros, torch.ones(64, dtype=dtype), EPSILON), zeros)


@pytest.mark.parametrize("rows", [3, 700])
def test_heads_turn_as_complex_numbers_do(dtype, rows):
    queries, keys, width = 4, 2, 16
    projected = normal(rows, (queries + 2 * keys) * width, dtype=dtype)
    scales = normal(width, dtype=dtype, seed=1), normal(width, dtype=dtype, seed=2)
    angle = normal(rows, width // 2, dtype=torch.float64, seed=3)
    tables = torch.cat([angle.cos()] * 2, -1).to(dtype), torch.cat([-angle.sin(), angle.sin()], -1).to(dtype)
    found = step.rotated_heads(projected, scales, tables, epsilon=EPSILON, num_queries=queries, num_keys=keys)
    heads = normalised(projected.double().view(rows, -1, width)[:, : queries + keys])
    heads[:, :queries] *= scales[0].double()
    heads[:, queries:] *= scales[1].double()
    turn = torch.complex(tables[0][:, : width // 2].double(), tables[1][:, width // 2 :].double())
    turned = torch.complex(heads[..., : width // 2], heads[..., width // 2 :]) * turn[:, None]
    assert_near(found, torch.cat([turned.real, turned.imag], -1))


@pytest.mark.parametrize("value", NOT_FINITE)
def test_what_is_not_finite_comes_out_of_a_product_and_a_norm_as_of_torchs(dtype, value):
    weight, hidden, scale = (normal(*shape, dtype=dtype) for shape in [(8, 64), (3, 64), (64,)])
    weight[5, 1] = hidden[1, 7] = scale[9] = value
    rows, inner = hidden.double(), weight.double()
    assert_same_kind(step.few_rows(weight, hidden), rows @ inner.T)
    assert_same_kind(step.rms_norm(hidden, scale, EPSILON), F.rms_norm(rows, (64,), scale.double(), EPSILON))


@pytest.mark.parametrize(
    ("hidden", "other"),
    [
        (torch.ones(9, 64), torch.ones(64)),
        (torch.ones(0, 64), torch.ones(64)),
        (torch.ones(2, 64, dtype=torch.float64), torch.ones(64, dtype=torch.float64)),
        (torch.ones(2, 64), torch.ones(64, dtype=torch.bfloat16)),
        (torch.ones(2, 128)[:, ::2], torch.ones(64)),
        (torch.ones(2, 64), torch.ones(128)[::2]),
        (torch.ones(2, 64, device="meta"), torch.ones(64, device="meta")),
    ],
)
def test_what_the_kernels_cannot_compute_with_is_left_to_torch(hidden, other):
    with torch.no_grad():
        assert step.takes(torch.ones(8, 64), torch.ones(64))
        assert not step.takes(hidden, other)
        assert step.takes_rows(hidden, other) is (len(hidden) > step.MOST_ROWS)  # norms and rotation take any number


def test_gradients_are_left_to_torch():
    assert not step.takes(torch.ones(2, 64), torch.ones(64))
    assert not step.takes_rows(torch.ones(20, 64), torch.ones(64))


@pytest.mark.parametrize("shape", [(4, 32), (6, 64)])
def test_odd_matrices_are_left_to_torch(shape):
    assert step.takes_weight(torch.ones(4, 64))
    assert not step.takes_weight(torch.ones(shape))


NUM_SAMPLES, NUM_KEYS, WIDTH, ROOM, HIDDEN_SIZE = 3, 2, 64, 300, 128


def token(dtype, num_queries, num_samples=NUM_SAMPLES):
    """A new token's hidden state, what turns it into heads, and a cache's memory, all random."""
    sizes = [(count * WIDTH, HIDDEN_SIZE) for count in (num_queries, NUM_KEYS, NUM_KEYS)]
    weights = [normal(*size, dtype=dtype, seed=index) / 8 for index, size in enumerate(sizes)]
    scales = [normal(WIDTH, dtype=dtype, seed=index) for index in (4, 5)]
    angle = normal(num_samples, WIDTH // 2, dtype=torch.float64, seed=6)
    tables = torch.cat([angle.cos()] * 2, -1).to(dtype), torch.cat([-angle.sin(), angle.sin()], -1).to(dtype)
    memory = [normal(num_samples, NUM_KEYS, ROOM, WIDTH, dtype=dtype, seed=index) for index in (7, 8)]
    return normal(num_samples, 1, HIDDEN_SIZE, dtype=dtype, seed=9), step.Heads(*weights, *scales, *tables), memory


def attend(hidden, heads, memory, mask, slot):
    return step.attend(hidden, heads, step.Cached(*memory, slot, mask), epsilon=EPSILON, scale=0.3)


def turned(rows, scale, cos, signed_sin):
    """Normalise and rotate (heads, W) in float64, pair by pair as complex numbers."""
    half = WIDTH // 2
    scaled = normalised(rows) * scale.double()
    result = torch.complex(scaled[:, :half], scaled[:, half:]) * torch.complex(
        cos[:half].double(), signed_sin[half:].double()
    )
    return torch.cat([result.real, result.imag], -1)


def gathered(sample, hidden, heads, memory, mask, slot):
    """What one sample's heads gather, its new key and its new value, in float64, one head after another."""
    query, key, value = ((weight.double() * hidden[sample].double()).sum(-1).view(-1, WIDTH) for weight in heads[:3])
    query = turned(query, heads.q_scale_W, heads.cos[sample], heads.signed_sin[sample])
    key = turned(key, heads.k_scale_W, heads.cos[sample], heads.signed_sin[sample])
    results = []
    for head, row in enumerate(query):
        group = head // (len(query) // NUM_KEYS)
        keys, values = (
            torch.cat([cached[sample, group, :slot].double(), new[group, None]])
            for cached, new in zip(memory, (key, value), strict=True)
        )
        products = 0.3 * (keys * row).sum(-1)
        if mask is not None:
            products = products.masked_fill(~mask[sample, 0, 0], float("-inf"))
        results.append((products.softmax(-1)[:, None] * values).sum(0))
    return torch.cat(results), key, value


@pytest.mark.parametrize("num_queries", [2, 6, 8])  # one, three and four queries share a key
@pytest.mark.parametrize("slot", [0, 1, 3, 38, ROOM - 1])  # an odd and an even number of tokens
@pytest.mark.parametrize("is_padded", [False, True])
@pytest.mark.parametrize("width", [64, 128])
def test_a_new_token_gathers_what_attention_in_float64_does(dtype, num_queries, slot, is_padded, width, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "WIDTH", width)
    hidden, heads, memory = token(dtype, num_queries)
    mask = torch.ones(NUM_SAMPLES, 1, 1, slot + 1, dtype=torch.bool) if is_padded else None
    if is_padded:
        mask[1, ..., : slot // 2] = False
    before = [states.clone() for states in memory]
    expected = [gathered(sample, hidden, heads, before, mask, slot) for sample in range(NUM_SAMPLES)]
    with torch.inference_mode():
        assert step.takes_attention(hidden, heads, step.Cached(*memory, slot, mask))
        found = attend(hidden, heads, memory, mask, slot)
    assert found.shape == (NUM_SAMPLES, 1, num_queries * WIDTH)
    assert_near(found[:, 0], torch.stack([heads for heads, _, _ in expected]))
    for states, old, new in zip(memory, before, (1, 2), strict=True):
        assert_near(states[:, :, slot], torch.stack([sample[new] for sample in expected]))
        old[:, :, slot] = states[:, :, slot]
        assert torch.equal(states, old)


def test_each_sample_attends_as_it_does_alone(dtype):
    hidden, heads, memory = token(dtype, 4)
    alone = []
    for sample in range(NUM_SAMPLES):
        own = slice(sample, sample + 1)
        of_one = heads._replace(cos=heads.cos[own], signed_sin=heads.signed_sin[own])
        alone.append(attend(hidden[own], of_one, [states[own].clone() for states in memory], None, 20))
    assert torch.equal(attend(hidden, heads, memory, None, 20), torch.cat(alone))


@pytest.mark.parametrize("part", [0, 1], ids=["key", "value"])
@pytest.mark.parametrize("is_hidden", [False, True])
@pytest.mark.parametrize("slot", [5, 39])
def test_nan_in_the_cache_comes_out_of_the_heads_that_share_it(dtype, part, is_hidden, slot):
    hidden, heads, memory = token(dtype, 6)
    mask = torch.ones(NUM_SAMPLES, 1, 1, slot + 1, dtype=torch.bool)
    mask[1, ..., 2] = not is_hidden  # SDPA adds minus infinity to a score and multiplies a value by 0: NaN stays
    memory[part][1, 0, 2, 7] = torch.nan
    expected = torch.zeros(NUM_SAMPLES, 1, 6, WIDTH, dtype=torch.bool)
    expected[(1, 0, slice(3), slice(None) if part == 0 else 7)] = True
    assert torch.equal(attend(hidden, heads, memory, mask, slot).isnan().view_as(expected), expected)


def test_nan_in_a_new_token_comes_out_of_all_heads_of_its_sample(dtype):
    hidden, heads, memory = token(dtype, 6)
    hidden[1, 0, 3] = torch.nan
    is_nan = attend(hidden, heads, memory, None, 20).isnan()
    assert is_nan[1].all()
    assert not is_nan[[0, 2]].any()


def test_a_token_beyond_the_memory_is_refused(dtype):
    hidden, heads, memory = token(dtype, 4)
    with pytest.raises(RuntimeError, match=r"slot must be in \[0, 300\), got 300"):
        attend(hidden, heads, memory, None, ROOM)


def test_attention_of_other_shapes_is_left_to_torch():
    hidden, heads, memory = token(torch.float32, 4)
    seen = torch.ones(NUM_SAMPLES, 1, 1, 21, dtype=torch.bool)
    narrow = [states[..., :32].contiguous() for states in memory]
    cached = step.Cached(*memory, 20, seen)
    with torch.no_grad():
        assert step.takes_attention(hidden, heads, cached)
        assert not step.takes_attention(hidden, heads, cached._replace(slot=19))
        assert not step.takes_attention(hidden, heads, cached._replace(mask=seen.float()))
        assert not step.takes_attention(hidden, heads, cached._replace(mask=seen.expand(-1, -1, 2, -1)))
        assert not step.takes_attention(hidden, heads, step.Cached(*narrow, 20, seen))
        assert not step.takes_attention(hidden[:2], heads, cached)
        assert not step.takes_attention(hidden.view(1, NUM_SAMPLES, -1), heads, cached)
        assert not step.takes_attention(hidden, heads._replace(cos=heads.cos[:1]), cached)


@pytest.mark.parametrize("is_padded", [False, True])
def test_attention_says_what_it_returns_and_what_it_writes(dtype, is_padded):
    checks = ("test_schema", "test_faketensor")
    hidden, heads, memory = token(dtype, 4)
    seen = torch.ones(NUM_SAMPLES, 1, 1, 4, dtype=torch.bool) if is_padded else None
    torch.library.opcheck(torch.ops.moevlm.attend, (hidden, *heads, EPSILON, *memory, 3, seen, 0.3), test_utils=checks)
