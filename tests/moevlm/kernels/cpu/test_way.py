"""Which way a feed-forward goes: few rows, the rule, what the environment asks for, what was measured, and its file."""

import pytest
import torch

from moevlm.kernels import fast
from moevlm.kernels.cpu import build, choosing, compiler, ops, way, way_timing
from moevlm.kernels.cpu.build import load
from moevlm.kernels.cpu.way_timing import DENSE, EXPERTS
from tests.moevlm.chosen_ways import forget
from tests.moevlm.kernels.cpu.test_ops import choose, make_tokens, make_weights, slow_sum

pytestmark = pytest.mark.skipif(load() is not None, reason="no C++ compiler")
BOUNDS = {torch.float32: 1e-5, torch.bfloat16: 1e-2}
SECONDS = {"kernels": 3.0, "products": 2.0, "blocks": 1.0}


@pytest.fixture
def machine(asked, monkeypatch, tmp_path):
    """A machine of scripted seconds whose file is in `tmp_path`; holds what was measured."""
    library = tmp_path / "cpu-0-0.so"
    library.write_bytes(b"compiled")
    measured = []

    def seconds_by_way(shape, rows):
        measured.append((shape.kind, shape.num_threads, rows))
        return {name: SECONDS[name] for name in shape.ways}

    monkeypatch.setattr(build, "library", lambda: library)
    monkeypatch.setattr(way_timing, "seconds_by_way", seconds_by_way)
    asked("measured")
    return measured


def dense(num_blocks=4, dtype=torch.float32):
    return make_weights(num_blocks, 32, 64, dtype)


def test_few_rows_run_our_kernels_whatever_is_asked_for_or_measured(machine, asked):
    for name in (*choosing.ASKED, "measured"):
        asked(name)
        assert way.way_of(DENSE, dense()[1], 8) == "kernels"
    assert not machine


def test_a_way_that_is_forced_holds_for_any_rows_until_the_body_ends(machine):
    down = dense()[1]
    with way.forced("blocks"):
        assert [way.way_of(DENSE, down, rows) for rows in (1, 100)] == ["blocks"] * 2
        assert way.way_of(EXPERTS, down, 1) == "products"  # which have no blocks
        with way.forced("kernels"):
            assert way.way_of(EXPERTS, down, 500) == "kernels"
        assert way.way_of(DENSE, down, 1) == "blocks"
    assert not machine
    assert way.way_of(DENSE, down, 1) == "kernels"
    with (
        pytest.raises(ValueError, match="a way must be one of kernels, products, blocks, got 'fast'"),
        way.forced("fast"),
    ):
        pass


def test_more_rows_run_what_was_measured_which_is_asked_of_the_machine_once(machine):
    down = dense()[1]
    assert [way.way_of(DENSE, down, rows) for rows in (9, 24, 9)] == ["blocks"] * 3
    assert way.way_of(EXPERTS, down, 500.5) == "products"
    assert machine == [(DENSE, torch.get_num_threads(), 16), (EXPERTS, torch.get_num_threads(), 512)]
    forget()  # another process
    assert way.way_of(DENSE, down, 12) == "blocks"
    assert len(machine) == 2


def test_a_dense_layer_of_one_block_has_no_blocks_to_take_apart(machine):
    assert way.way_of(DENSE, dense(1)[1], 100) == "products"


@pytest.mark.parametrize("thing", ["threads", "dtype", "hidden size", "experts"])
def test_another_shape_or_number_of_threads_is_measured_for_itself(machine, thing, monkeypatch):
    down = dense()[1]
    other = {"dtype": down.bfloat16(), "hidden size": down.repeat(1, 1, 2), "experts": down[:2]}.get(thing, down)
    way.way_of(DENSE, down, 64)
    if thing == "threads":
        monkeypatch.setattr(ops, "num_threads", lambda: torch.get_num_threads() + 1)
    way.way_of(DENSE, other, 64)
    assert len(machine) == 2


def test_kernels_or_a_chooser_that_changed_are_measured_anew(machine, monkeypatch, tmp_path):
    down, kept_in = dense()[1], choosing.kept_in.__wrapped__
    first = kept_in()
    way.way_of(DENSE, down, 64)
    other = tmp_path / "cpu-0-1.so"
    monkeypatch.setattr(build, "library", lambda: other)
    second = kept_in()
    monkeypatch.setattr(choosing, "CHOOSER", choosing.CHOOSER[:-1])
    third = kept_in()
    assert len({first, second, third}) == 3
    assert {path.parent for path in (first, second, third)} == {tmp_path}
    forget()
    way.way_of(DENSE, down, 64)
    assert len(machine) == 2


def test_another_processor_has_a_file_of_its_own(machine, monkeypatch):
    first = choosing.kept_in()
    monkeypatch.setattr(compiler, "processor", lambda: b"another")
    assert choosing.kept_in.__wrapped__().stem.split("-")[1] != first.stem.split("-")[1]


def test_the_rule_and_a_way_that_is_asked_for_measure_nothing(machine, asked, monkeypatch):
    down, limit = dense()[1], 64  # in float32 on a processor without AVX512-BF16
    monkeypatch.setattr(way.ops, "tiers", lambda: ("generic",))
    asked("rule")
    assert [way.way_of(DENSE, down, rows) for rows in (limit, limit + 1)] == ["kernels", "products"]
    for name in ("kernels", "products", "blocks"):
        asked(name)
        assert way.way_of(DENSE, down, 500) == name
    assert way.way_of(EXPERTS, down, 500) == "products"  # blocks are a dense layer's
    assert not machine


def test_an_unknown_way_is_refused_with_the_known_ones(asked):
    asked("fastest")
    said = (
        "MOEVLM_FEED_FORWARD must be one of measured, rule, kernels, products, blocks, got 'fastest'; set one of them"
    )
    with pytest.raises(ValueError, match=said):
        way.way_of(DENSE, dense()[1], 9)


def test_where_the_library_is_gone_the_choice_is_made_and_said_to_be_lost(machine, monkeypatch):
    def gone():
        raise OSError("no folder can keep the compiled library")

    monkeypatch.setattr(build, "library", gone)
    with pytest.warns(UserWarning, match="cannot be kept: no folder can keep"):
        assert way.way_of(DENSE, dense()[1], 64) == "blocks"


def test_a_choice_is_a_constant_of_a_compiled_graph_for_any_number_of_rows(machine, monkeypatch):
    monkeypatch.setitem(SECONDS, "kernels", 0.1)
    weights = dense()
    compiled = torch.compile(lambda hidden: fast.fast_dense(*weights, hidden, "silu"), fullgraph=True, backend="eager")
    for num_tokens in (12, 13, 14, 600):
        hidden = make_tokens(num_tokens, 64, torch.float32)
        assert torch.equal(compiled(hidden), ops.swiglu_dense(*weights, hidden))
    assert [rows for _, _, rows in machine] == [16, 512]


@pytest.mark.parametrize("num_tokens", [9, 33, 64, 65, 130, 600])
@pytest.mark.parametrize("name", ["kernels", "products", "blocks"])
@pytest.mark.parametrize("dtype", BOUNDS)
def test_every_way_of_a_dense_layer_agrees_with_float64(asked, dtype, name, num_tokens):
    from moevlm.kernels.products import plain_dense

    asked(name)
    weights, hidden = make_weights(5, 64, 128, dtype), make_tokens(num_tokens, 128, dtype)
    actual = fast.fast_dense(*weights, hidden, "silu")
    assert (actual is None) == (name == "products" and dtype != torch.float32)
    if actual is None:
        actual = plain_dense(*weights, hidden, torch.nn.functional.silu)
    expected = slow_sum(*weights, hidden, torch.arange(5).expand(num_tokens, 5), torch.ones(num_tokens, 5))
    assert actual.dtype == dtype
    assert (actual.double() - expected).norm() < BOUNDS[dtype] * expected.norm()


@pytest.mark.parametrize(("top_k", "num_experts"), [(2, 16), (8, 64)])
@pytest.mark.parametrize("num_tokens", [80, 600])
@pytest.mark.parametrize("name", ["kernels", "products"])
@pytest.mark.parametrize("dtype", BOUNDS)
def test_every_way_of_experts_agrees_with_float64(asked, dtype, name, num_tokens, top_k, num_experts):
    from moevlm.kernels.products import loop_experts

    asked(name)
    weights, hidden = make_weights(num_experts, 32, 64, dtype), make_tokens(num_tokens, 64, dtype)
    ids, by = choose(num_tokens, top_k, num_experts, dtype)
    actual = fast.fast_experts(*weights, hidden, ids, by, "silu")
    assert (actual is None) == (name == "products")
    if actual is None:
        actual = loop_experts(*weights, hidden, ids, by, torch.nn.functional.silu)
    expected = slow_sum(*weights, hidden, ids, by)
    assert (actual.double() - expected).norm() < BOUNDS[dtype] * expected.norm()
