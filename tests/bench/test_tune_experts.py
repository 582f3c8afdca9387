"""The search for the fastest kernels: what is tried, what wins, what the command refuses; a GPU is not needed."""

import random
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import silu

from bench.harness.clock import HostClock, Timed
from bench.tune_experts.__main__ import read_arguments
from bench.tune_experts.candidates import NUM_ROUNDS, SEARCHED, medians, search
from bench.tune_experts.layers import ERROR_BOUNDS, NUM_LAYERS, make_layers, measure_tilings, reference_error
from moevlm.kernels.products import loop_experts
from moevlm.kernels.tilings import TILES, Shape, Tile, Tiling, default_tiling

FIRST = default_tiling("few", "bfloat16", 227 * 1024)
SHAPE = Shape(device="none", dtype="float32", num_experts=6, top_k=2, hidden_size=16, width=8)


def slow_unless(best):
    """Return a measurement by which each product's best tile saves a second."""
    return lambda tilings: {tiling: 3.0 - sum(map(Tile.__eq__, tiling.tiles, best)) for tiling in tilings}


def test_tiles_are_searched_one_product_after_the_other():
    best = (SEARCHED["few"][0][2], SEARCHED["few"][1][4])
    tiling, seconds = search(FIRST, slow_unless(best))
    assert tiling == replace(FIRST, tiles=best)
    assert seconds == 1.0


def test_fewer_tiles_can_be_tried():
    tried = []
    search(FIRST, lambda tilings: dict.fromkeys(tried.extend(tilings) or tilings, 1.0), most_tiles=1)
    assert {tiling.tiles[0] for tiling in tried} == {FIRST.tiles[0], SEARCHED["few"][0][0]}
    assert {tiling.tiles[1] for tiling in tried} == {FIRST.tiles[1], SEARCHED["few"][1][0]}


def test_predicted_tiles_are_tried_too():
    assert search(FIRST, slow_unless(FIRST.tiles))[0] == FIRST


def test_ways_without_tiles_are_measured_as_they_are():
    products = default_tiling("products", "bfloat16", 227 * 1024)
    assert search(products, lambda tilings: dict.fromkeys(tilings, 2.0)) == (products, 2.0)


def test_tiles_that_the_gpu_cannot_hold_are_left_out():
    held = SEARCHED["few"][0][0]
    tiling, _ = search(FIRST, lambda tilings: {tiling: 1.0 for tiling in tilings if tiling.tiles[0] == held})
    assert tiling.tiles[0] == held


def test_a_way_of_which_nothing_is_left_has_no_winner():
    assert search(FIRST, lambda _: {}) is None


def test_every_way_with_tiles_is_searched_for_each_of_its_products():
    assert {way: len(tiles) for way, tiles in TILES.items() if tiles} == {way: len(t) for way, t in SEARCHED.items()}


def test_candidates_run_once_a_round_and_the_median_counts():
    class FakeClock:
        def measure(self, call):
            return Timed(call(), None)

    tilings = [Tiling(way="few", tiles=(Tile(16, n, 64, 4, 2),), is_measured=False) for n in (16, 32)]
    durations = {tilings[0]: iter([9.0] + [1.0] * (NUM_ROUNDS - 1)), tilings[1]: iter([2.0] * NUM_ROUNDS)}
    calls = {tiling: durations[tiling].__next__ for tiling in tilings}
    assert medians(calls, FakeClock(), random.Random(0)) == {tilings[0]: 1.0, tilings[1]: 2.0}
    assert [next(values, None) for values in durations.values()] == [None, None]


def test_layers_have_weights_and_choices_of_their_own():
    layers = make_layers(SHAPE, torch.device("cpu"), torch.float32, 50, seed=0)
    assert len(layers.weights) == len(layers.routings) == NUM_LAYERS
    assert [tensor.shape for tensor in layers.weights[0]] == [(6, 16, 16), (6, 8, 16)]
    assert not torch.equal(layers.weights[0][0], layers.weights[1][0])
    assert not torch.equal(layers.routings[0].ids_TK, layers.routings[1].ids_TK)
    assert layers.routings[0].ids_TK.shape == (50, 2)


def test_a_twins_layers_take_every_block_with_weight_one():
    routing = make_layers(replace(SHAPE, top_k=6), torch.device("cpu"), torch.float32, 4, seed=0).routings[0]
    assert routing.ids_TK.sort(dim=1).values.tolist() == [list(range(6))] * 4
    assert routing.weights_TK.eq(1).all()


def test_an_output_is_held_against_the_slow_path():
    layers = make_layers(SHAPE, torch.device("cpu"), torch.float32, 4, seed=0)
    weights, routing = layers.weights[0], layers.routings[0]
    output = loop_experts(*weights, layers.hidden_TH, routing.ids_TK, routing.weights_TK, silu)
    assert reference_error(layers, output) < ERROR_BOUNDS[torch.float32]
    assert reference_error(layers, 1.01 * output) > 0.009


def test_a_wrong_output_is_told_of_and_the_others_are_timed(monkeypatch, capsys):
    pytest.importorskip("triton")
    layers = make_layers(SHAPE, torch.device("cpu"), torch.float32, 4, seed=0)
    weights, routing = layers.weights[0], layers.routings[0]
    right = loop_experts(*weights, layers.hidden_TH, routing.ids_TK, routing.weights_TK, silu)
    wrong = replace(FIRST, tiles=(SEARCHED["few"][0][0], *FIRST.tiles[1:]))
    outputs = {FIRST: right, wrong: torch.ones_like(right)}
    monkeypatch.setattr("bench.tune_experts.layers.run_layers", lambda tiling, *_, **__: [outputs[tiling]])
    monkeypatch.setattr("bench.tune_experts.layers.captured", lambda call, *_, **__: call)
    monkeypatch.setattr("torch.cuda.graph_pool_handle", lambda: None)
    timed = measure_tilings([wrong, FIRST], layers, SHAPE, clock=HostClock())
    assert list(timed) == [FIRST]
    assert "left out: few must agree with the reference within 0.001, got " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scale", "8b"], "argument --scale: must be one of tiny, "),
        (["--num-tokens", "1,0"], "argument --num-tokens: must be a whole number of at least 1, got '0'; raise it"),
        (["--device", "cpu"], "--device must be a GPU, got cpu; CPUs have no table"),
    ],
)
def test_a_wrong_command_line_names_the_rule(arguments, message, capsys):
    with pytest.raises(SystemExit):
        read_arguments(arguments)
    assert message in capsys.readouterr().err


def test_a_machine_without_a_gpu_is_told_where_to_run_it(monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SystemExit):
        read_arguments([])
    assert "got cuda on a machine without; run it where there is a GPU" in capsys.readouterr().err
