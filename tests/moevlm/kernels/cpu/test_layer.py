"""Decoder layers as one operator: against float64, one sample, head and expert after another; and what it refuses."""

import math

import pytest
import torch

from moevlm.kernels.cpu import ops
from moevlm.kernels.cpu.build import load
from moevlm.kernels.cpu.layer import LayerRouter, LayerWeights, Place, RouterSettings, decode_layers

pytestmark = pytest.mark.skipif(load() is not None, reason="no C++ compiler")
BOUNDS = {torch.float32: 1e-5, torch.bfloat16: 2e-2}  # relative, of a norm over all values
OPEN = 0.05  # of a spread of logits: so near each other, rounding may choose another expert
EPSILON, SCALE, DAMPING = 1e-6, 0.3, 0.25
HIDDEN_SIZE, NUM_QUERIES, NUM_KEYS, WIDTH, ROOM = 128, 4, 2, 64, 20
NUM_EXPERTS, EXPERT_WIDTH, TOP_K, NUM_ROWS = 8, 32, 2, 7


@pytest.fixture(params=list(BOUNDS))
def dtype(request):
    return request.param


def normal(*shape, dtype, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def layer_weights(dtype, num_blocks=NUM_EXPERTS):
    shapes = [
        (HIDDEN_SIZE,),
        (NUM_QUERIES * WIDTH, HIDDEN_SIZE),
        (NUM_KEYS * WIDTH, HIDDEN_SIZE),
        (NUM_KEYS * WIDTH, HIDDEN_SIZE),
        (WIDTH,),
        (WIDTH,),
        (HIDDEN_SIZE, NUM_QUERIES * WIDTH),
        (HIDDEN_SIZE,),
        (num_blocks, 2 * EXPERT_WIDTH, HIDDEN_SIZE),
        (num_blocks, EXPERT_WIDTH, HIDDEN_SIZE),
    ]
    return LayerWeights(
        *(normal(*shape, dtype=dtype, seed=seed) / math.sqrt(shape[-1] if len(shape) > 1 else 1)
          for seed, shape in enumerate(shapes))
    )  # fmt: skip


def router(dtype, table_PE=None, **fields):
    weight = normal(NUM_EXPERTS, HIDDEN_SIZE, dtype=dtype, seed=20) / math.sqrt(HIDDEN_SIZE)
    plain = {"damping": DAMPING, "top_k": TOP_K, "normalises": True}
    return LayerRouter(weight, table_PE, RouterSettings(**{**plain, **fields}))


def inputs(dtype, num_samples, slot, *, is_padded):
    """Return hidden states, the place of the tokens, and a cache's memory, all random."""
    angle = normal(num_samples, WIDTH // 2, dtype=torch.float64, seed=30)
    tables = torch.cat([angle.cos()] * 2, -1).to(dtype), torch.cat([-angle.sin(), angle.sin()], -1).to(dtype)
    is_seen = None
    if is_padded:
        is_seen = torch.ones(num_samples, slot + 1, dtype=torch.bool)
        is_seen[0, : slot // 2] = False
    memory = tuple(normal(num_samples, NUM_KEYS, ROOM, WIDTH, dtype=dtype, seed=seed) for seed in (31, 32))
    return normal(num_samples, HIDDEN_SIZE, dtype=dtype, seed=33), Place(*tables, slot, is_seen), memory


def run(hidden, weights, routing, rows, place, memory):
    with torch.inference_mode():
        return decode_layers(
            hidden, [weights], [] if routing is None else [routing], rows, place, [memory],
            epsilon=EPSILON, scale=SCALE, tier=len(ops.tiers()) - 1,
        )  # fmt: skip


def normalised(row, scale):
    return row / (row.square().mean(-1, keepdim=True) + EPSILON).sqrt() * scale.double()


def turned(heads, scale, cos, signed_sin):
    """Normalise heads and turn their pairs as complex numbers."""
    half, scaled = WIDTH // 2, normalised(heads, scale)
    turn = torch.complex(cos[:half].double(), signed_sin[half:].double())
    result = torch.complex(scaled[:, :half], scaled[:, half:]) * turn
    return torch.cat([result.real, result.imag], -1)


def attended(sample, row, weights, place, memory):
    """Return what a sample's attention adds to its residual stream, its new key and its new value."""
    projected = (weights.q_weight, weights.k_weight, weights.v_weight)
    query, key, value = ((weight.double() @ row).view(-1, WIDTH) for weight in projected)
    tables = place.cos[sample], place.signed_sin[sample]
    query, key = turned(query, weights.q_scale_W, *tables), turned(key, weights.k_scale_W, *tables)
    heads = []
    for head, one in enumerate(query):
        group = head // (NUM_QUERIES // NUM_KEYS)
        keys, values = (
            torch.cat([cached[sample, group, : place.slot].double(), new[group, None]])
            for cached, new in zip(memory, (key, value), strict=True)
        )
        scores = SCALE * keys @ one
        if place.is_seen is not None:
            scores = scores.masked_fill(~place.is_seen[sample], -math.inf)
        heads.append(scores.softmax(-1) @ values)
    return weights.o_weight.double() @ torch.cat(heads), key, value


def swiglu(row, gate_up, down):
    gate, up = (gate_up.double() @ row).chunk(2)
    return (gate * torch.sigmoid(gate) * up) @ down.double()


def plain_layer(hidden, weights, routing, rows, place, memory):
    """Return the stream after the layer, keys, values, the experts of each sample, and whether these are settled."""
    results = []
    for sample, stream in enumerate(hidden.double()):
        change, key, value = attended(sample, normalised(stream, weights.input_norm_H), weights, place, memory)
        row = normalised(stream + change, weights.ffn_norm_H)
        shares, is_settled = torch.ones(len(weights.down_EIH), dtype=torch.float64), True
        if routing is not None:
            shares, is_settled = chosen_shares(row, routing, None if rows is None else int(rows[sample]))
        chosen = shares.nonzero()[:, 0].tolist()
        ffn = sum(shares[e] * swiglu(row, weights.gate_up_EWH[e], weights.down_EIH[e]) for e in chosen)
        results.append((stream + change + ffn, key, value, chosen, is_settled))
    stream, keys, values, chosen, is_settled = zip(*results, strict=True)
    return torch.stack(stream), torch.stack(keys), torch.stack(values), chosen, torch.tensor(is_settled)


def chosen_shares(row, routing, table_row):
    logits = routing.weight_EH.double() @ row
    if table_row is not None:
        logits = routing.table_PE[table_row].double() + routing.how.damping * logits
    spread = logits.std()
    if routing.how.num_open >= 0:
        logits[routing.how.num_open :] = -math.inf
    order = logits.sort(descending=True)
    kept = order.indices[: routing.how.top_k]
    gap = order.values[routing.how.top_k - 1] - order.values[routing.how.top_k]
    shares = torch.zeros_like(logits)
    shares[kept] = logits.softmax(-1)[kept]
    return shares / shares.sum() if routing.how.normalises else shares, bool(gap > OPEN * spread)


def assert_right(dtype, routing, rows, num_samples, slot, *, is_padded):
    weights = layer_weights(dtype)
    hidden, place, memory = inputs(dtype, num_samples, slot, is_padded=is_padded)
    before = [states.clone() for states in memory]
    expected, keys, values, _, is_settled = plain_layer(hidden, weights, routing, rows, place, before)
    found = run(hidden, weights, routing, rows, place, memory)
    assert found.dtype == dtype
    assert is_settled.sum() * 2 >= num_samples
    error = (found.double() - expected)[is_settled].norm() / expected[is_settled].norm()
    assert error < BOUNDS[dtype]
    for states, old, new in zip(memory, before, (keys, values), strict=True):
        assert (states[:, :, slot].double() - new).norm() / new.norm() < BOUNDS[dtype]
        old[:, :, slot] = states[:, :, slot]
        assert torch.equal(states, old)


@pytest.mark.parametrize("is_padded", [False, True])
@pytest.mark.parametrize("slot", [0, 5, ROOM - 1])
@pytest.mark.parametrize("num_samples", [1, 2, 8, 9, 16])
def test_a_dense_layer_equals_float64s(dtype, num_samples, slot, is_padded):
    assert_right(dtype, None, None, num_samples, slot, is_padded=is_padded)


@pytest.mark.parametrize("is_padded", [False, True])
@pytest.mark.parametrize("slot", [0, 5])
@pytest.mark.parametrize("num_samples", [1, 2, 8, 9, 16])
@pytest.mark.parametrize("normalises", [True, False])
def test_an_moe_layer_equals_float64s(dtype, num_samples, slot, is_padded, normalises):
    routing = router(dtype, normalises=normalises)
    assert_right(dtype, routing, None, num_samples, slot, is_padded=is_padded)


@pytest.mark.parametrize("num_samples", [1, 8, 16])
@pytest.mark.parametrize("num_open", [-1, 4])
@pytest.mark.parametrize("is_wide", [False, True])
def test_a_profile_steers_and_hard_routing_closes_experts(dtype, num_samples, num_open, is_wide):
    table = normal(NUM_ROWS, NUM_EXPERTS, dtype=torch.float32 if is_wide else dtype, seed=40)
    rows = torch.arange(num_samples) * 3 % NUM_ROWS
    routing = router(dtype, table_PE=table, num_open=num_open)
    assert_right(dtype, routing, rows, num_samples, 5, is_padded=False)


def test_a_table_that_is_wide_orders_experts_that_bfloat16_would_not():
    table = torch.ones(1, NUM_EXPERTS)
    table[0, 5] += 1e-4  # 1 in bfloat16
    routing = router(torch.bfloat16, table_PE=table, damping=0.0, top_k=1)
    weights, (hidden, place, memory) = layer_weights(torch.bfloat16), inputs(torch.bfloat16, 1, 3, is_padded=False)
    alone = routing._replace(table_PE=torch.nn.functional.one_hot(torch.tensor([5]), NUM_EXPERTS).float())
    found, expected = (run(hidden, weights, one, torch.tensor([0]), place, memory) for one in (routing, alone))
    assert torch.equal(found, expected)


@pytest.mark.parametrize("num_samples", [1, 3, 16])
def test_experts_that_nobody_chooses_are_not_read(dtype, num_samples):
    weights, routing = layer_weights(dtype), router(dtype)
    hidden, place, memory = inputs(dtype, num_samples, 5, is_padded=False)
    expected = run(hidden, weights, routing, None, place, memory)
    *_, chosen, is_settled = plain_layer(hidden, weights, routing, None, place, memory)
    hidden, place = (
        hidden[is_settled],
        place._replace(cos=place.cos[is_settled], signed_sin=place.signed_sin[is_settled]),
    )
    memory = tuple(states[is_settled].contiguous() for states in memory)
    named = {expert for sample in is_settled.nonzero()[:, 0].tolist() for expert in chosen[sample]}
    unseen = [expert for expert in range(NUM_EXPERTS) if expert not in named]
    if num_samples == 1:
        assert len(unseen) == NUM_EXPERTS - TOP_K
    for holder in (weights.gate_up_EWH, weights.down_EIH):
        holder[unseen] = math.nan
    torch.testing.assert_close(
        run(hidden, weights, routing, None, place, memory), expected[is_settled], rtol=BOUNDS[dtype], atol=BOUNDS[dtype]
    )


@pytest.mark.parametrize("is_moe", [False, True])
def test_layers_together_are_one_after_another(dtype, is_moe):
    weights = [layer_weights(dtype), LayerWeights(*(one.flip(0).contiguous() for one in layer_weights(dtype)))]
    table, rows = normal(NUM_ROWS, NUM_EXPERTS, dtype=torch.float32, seed=40), torch.tensor([1, 5, 3])
    routers = [router(dtype, table), router(dtype, table.flip(0).contiguous())] if is_moe else []
    routers[1:] = [one._replace(weight_EH=one.weight_EH.flip(0).contiguous()) for one in routers[1:]]
    (hidden, place, one), (_, _, other) = (inputs(dtype, 3, 5, is_padded=True) for _ in range(2))
    other = tuple(states.flip(0).contiguous() for states in other)
    copies = [tuple(states.clone() for states in memory) for memory in (one, other)]
    expected = hidden
    for number, memory in enumerate((one, other)):
        expected = run(expected, weights[number], routers[number] if is_moe else None, rows, place, memory)
    how = {"epsilon": EPSILON, "scale": SCALE, "tier": len(ops.tiers()) - 1}
    with torch.inference_mode():
        found = decode_layers(hidden, weights, routers, rows, place, copies, **how)
    assert torch.equal(found, expected)
    for kept, written in zip(copies, (one, other), strict=True):
        assert all(map(torch.equal, kept, written))


@pytest.mark.parametrize("field", [2, 3, 8])
def test_lists_that_are_not_one_a_layer_are_refused(dtype, field):
    hidden, place, memory = inputs(dtype, 1, 5, is_padded=False)
    arguments = [
        hidden, list(layer_weights(dtype)), [router(dtype).weight_EH], [], None, place.cos, place.signed_sin,
        [memory[0]], [memory[1]], place.slot, None, EPSILON, SCALE, DAMPING, TOP_K, True, -1, len(ops.tiers()) - 1,
    ]  # fmt: skip
    arguments[field] = [hidden, hidden]
    with pytest.raises(RuntimeError, match=r"(routers|tables|values) must be 1, got 2"), torch.inference_mode():
        torch.ops.moevlm.decode_layers(*arguments)


@pytest.mark.parametrize("num_samples", [3, 8])
def test_each_sample_is_what_it_is_alone(dtype, num_samples):
    weights, routing = layer_weights(dtype), router(dtype)
    hidden, place, memory = inputs(dtype, num_samples, 5, is_padded=True)
    alone = []
    for sample in range(num_samples):
        own = slice(sample, sample + 1)
        of_one = Place(place.cos[own], place.signed_sin[own], place.slot, place.is_seen[own])
        alone.append(run(hidden[own], weights, routing, None, of_one, [states[own].clone() for states in memory]))
    found = run(hidden, weights, routing, None, place, memory)
    torch.testing.assert_close(found, torch.cat(alone), rtol=BOUNDS[dtype], atol=BOUNDS[dtype])


@pytest.mark.parametrize("is_moe", [False, True])
@pytest.mark.parametrize("num_samples", [3, 12])
def test_nan_stays_in_its_sample(dtype, is_moe, num_samples):
    weights, routing = layer_weights(dtype), router(dtype) if is_moe else None
    hidden, place, memory = inputs(dtype, num_samples, 5, is_padded=False)
    hidden[1, 3] = math.nan
    is_nan = run(hidden, weights, routing, None, place, memory).isnan()
    assert is_nan[1].all()
    assert not is_nan[[0, 2]].any()


def test_a_slot_beyond_the_memory_is_refused(dtype):
    hidden, place, memory = inputs(dtype, 2, 5, is_padded=False)
    with pytest.raises(RuntimeError, match=r"slot must be in \[0, 20\), got 20"):
        run(hidden, layer_weights(dtype), None, None, place._replace(slot=ROOM), memory)


@pytest.mark.parametrize("row", [-1, NUM_ROWS])
def test_a_row_beyond_the_table_is_refused(dtype, row):
    hidden, place, memory = inputs(dtype, 1, 5, is_padded=False)
    routing = router(dtype, table_PE=normal(NUM_ROWS, NUM_EXPERTS, dtype=dtype))
    with pytest.raises(RuntimeError, match=rf"rows must be in \[0, 7\), got {row}"):
        run(hidden, layer_weights(dtype), routing, torch.tensor([row]), place, memory)


@pytest.mark.parametrize("is_moe", [False, True])
def test_the_operator_says_what_it_returns_and_what_it_writes(dtype, is_moe):
    hidden, place, memory = inputs(dtype, 3, 5, is_padded=True)
    routers = [router(dtype).weight_EH] if is_moe else []
    routing = (DAMPING, TOP_K, True, -1, len(ops.tiers()) - 1)
    arguments = (
        hidden, list(layer_weights(dtype)), routers, [], None, place.cos, place.signed_sin, [memory[0]], [memory[1]],
        place.slot, place.is_seen, EPSILON, SCALE, *routing,
    )  # fmt: skip
    checks = ("test_schema", "test_faketensor")
    torch.library.opcheck(torch.ops.moevlm.decode_layers, arguments, test_utils=checks)
