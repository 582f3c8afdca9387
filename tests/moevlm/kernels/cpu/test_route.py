"""A router as one operator: logits and shares against float64, the choice against torch's softmax and top k."""

import pytest
import torch

from moevlm.kernels.cpu import step
from moevlm.kernels.cpu.build import load

pytestmark = pytest.mark.skipif(load() is not None, reason="no C++ compiler")
BOUNDS = {torch.float32: 1e-5, torch.bfloat16: 1e-2}  # relative, of a norm over all values
ROUNDINGS = {torch.float32: 1e-6, torch.bfloat16: 2**-7}  # relative, of one value
NUM_ROWS = 256
NAN, INF = float("nan"), float("inf")


@pytest.fixture(params=list(BOUNDS))
def dtype(request):
    return request.param


def normal(*shape, dtype=torch.float64, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def assert_near(found, expected):
    error = (found.double() - expected).norm() / expected.norm()
    assert found.shape == expected.shape
    assert error < BOUNDS[found.dtype]


def routed(logits, batch_size, **options):
    """Route rows of these logits, some at a time: hidden states of zeros leave a table's rows as they are."""
    hidden, weight = torch.zeros(batch_size, 64, dtype=logits.dtype), torch.zeros(logits.shape[1], 64).to(logits.dtype)
    parts = [
        step.route(hidden[: len(rows)], weight, (logits, rows), damping=1.0, **options)
        for rows in torch.arange(len(logits)).split(batch_size)
    ]
    return [torch.cat(results) for results in zip(*parts, strict=True)]


def assert_as_torch(logits, batch_size, top_k, *, normalises):
    seen, weights, ids = routed(logits, batch_size, top_k=top_k, normalises=normalises)
    shares, expected_ids = logits.softmax(-1, dtype=torch.float32).topk(top_k)
    expected = shares / shares.sum(-1, keepdim=True) if normalises else shares
    torch.testing.assert_close(seen, logits, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(ids, expected_ids)
    tolerance = ROUNDINGS[logits.dtype]
    torch.testing.assert_close(weights, expected.to(logits.dtype), rtol=tolerance, atol=0, equal_nan=True)


@pytest.mark.parametrize(("num_experts", "top_k"), [(4, 1), (16, 2), (128, 8), (8, 8)])
@pytest.mark.parametrize("is_steered", [False, True])
@pytest.mark.parametrize("normalises", [False, True])
def test_routing_takes_the_largest_shares_of_a_softmax_in_float64(dtype, num_experts, top_k, is_steered, normalises):
    hidden, weight = normal(5, 64, dtype=dtype), normal(num_experts, 64, dtype=dtype, seed=1)
    steering = (normal(7, num_experts, dtype=dtype, seed=2), torch.tensor([6, 0, 3, 3, 1])) if is_steered else None
    logits, weights, ids = step.route(hidden, weight, steering, damping=0.25, top_k=top_k, normalises=normalises)
    own = (hidden.double()[:, None] * weight.double()).sum(-1)
    assert_near(logits, own if steering is None else steering[0][steering[1]].double() + own / 4)
    shares = logits.double().softmax(-1)
    largest = shares.sort(dim=-1, descending=True).values[:, :top_k]
    assert torch.equal(shares.gather(1, ids), largest)
    assert all(len(set(row)) == top_k for row in ids.tolist())
    assert_near(weights, largest / largest.sum(-1, keepdim=True) if normalises else largest)


LOGITS = {  # of which many shares are equal, each kind for a reason of its own
    "all equal": lambda rows: rows * 0,
    "few values": lambda rows: (2 * rows).round() / 2,
    "bfloat16's values": lambda rows: rows.bfloat16(),
    "too near each other for a softmax": lambda rows: rows * 2**-24,
    "too far below the first": lambda rows: 60 * rows,
}


@pytest.mark.parametrize("kind", LOGITS)
@pytest.mark.parametrize("batch_size", [1, 3, 8])
@pytest.mark.parametrize("num_experts", [8, 16, 64, 256])
def test_equal_shares_are_chosen_as_torch_chooses(dtype, num_experts, batch_size, kind):
    logits = LOGITS[kind](normal(NUM_ROWS, num_experts, seed=batch_size)).to(dtype)
    for top_k in (1, 2, 4, 8):
        assert_as_torch(logits, batch_size, top_k, normalises=True)


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("normalises", [False, True])
def test_what_is_not_finite_goes_where_torch_sends_it(dtype, value, normalises):
    logits = normal(12, 16).to(dtype)
    for row, experts in enumerate(([3], [0, 15], range(15))):
        logits[row, experts] = value
    assert_as_torch(logits, 5, 3, normalises=normalises)


def test_nan_in_a_routers_weight_makes_every_weight_nan(dtype):
    weight = normal(8, 64, dtype=dtype)
    weight[5, 9] = NAN
    weights = step.route(normal(2, 64, dtype=dtype), weight, None, damping=1.0, top_k=3, normalises=True)[1]
    assert weights.isnan().all()


def test_a_row_that_the_table_does_not_have_is_refused(dtype):
    hidden, table = torch.ones(1, 64, dtype=dtype), torch.ones(7, 8, dtype=dtype)
    with pytest.raises(RuntimeError, match=r"rows must be in \[0, 7\), got 7"):
        step.route(hidden, torch.ones(8, 64, dtype=dtype), (table, torch.tensor([7])), damping=1.0, top_k=1,
                   normalises=True)  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "rows", "says"),
    [
        (7, [1, 2], "a table must have 8 columns, got 7"),
        (8, [1], "a table must come with a row for each of 2 tokens"),
        (8, None, "a table must come with a row for each of 2 tokens"),
    ],
)
def test_a_table_of_other_experts_or_without_rows_is_refused(dtype, columns, rows, says):
    inputs = (torch.ones(2, 64, dtype=dtype), torch.ones(8, 64, dtype=dtype), torch.ones(7, columns, dtype=dtype))
    with pytest.raises(RuntimeError, match=says):
        torch.ops.moevlm.route(*inputs, None if rows is None else torch.tensor(rows), 1.0, 1, True)


@pytest.mark.parametrize("is_steered", [False, True])
def test_the_operator_says_what_it_returns(dtype, is_steered):
    steering = (normal(7, 8, dtype=dtype), torch.tensor([1, 2, 3])) if is_steered else (None, None)
    inputs = (normal(3, 64, dtype=dtype), normal(8, 64, dtype=dtype), *steering, 0.5, 2, True)
    torch.library.opcheck(torch.ops.moevlm.route, inputs, test_utils=("test_schema", "test_faketensor"))
