"""Which library multiplies float32 matrices, and that either gives the product: beside float64."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from moevlm.kernels.cpu import build, compiler, matmul
from moevlm.kernels.cpu.matmul import DEFAULT, LEAST_ROWS, LEAST_WIDTH, LIBRARIES, ONEDNN, linear
from tests.moevlm.chosen_ways import forget

needs_onednn = pytest.mark.skipif(not matmul.has_onednn(), reason="torch was built without oneDNN")


@pytest.fixture
def machine(asked, monkeypatch, tmp_path):
    """A machine of scripted seconds whose file is in `tmp_path`; holds for how many threads it was measured."""
    library = tmp_path / "cpu-0-0.so"
    library.write_bytes(b"compiled")
    measured, seconds = [], {DEFAULT: 1.0, ONEDNN: 1.0}

    def seconds_by_library(num_threads):
        measured.append(num_threads)
        return dict(seconds)

    monkeypatch.setattr(build, "library", lambda: library)
    monkeypatch.setattr(matmul, "seconds_by_library", seconds_by_library)
    monkeypatch.setattr(compiler, "processor", lambda: b"model name: AMD")
    asked("measured")
    return measured, seconds


def drawn(*sizes):
    return torch.rand(sizes, generator=torch.Generator().manual_seed(len(sizes)))


@needs_onednn
@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("has_bias", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize("kind", ["rows", "batch", "transposed weight", "a part of rows"])
def test_either_library_gives_the_product(monkeypatch, library, has_bias, kind):
    monkeypatch.setattr(matmul, "chosen", lambda _: library)
    rows, weight, bias = drawn(LEAST_ROWS, 272), drawn(260, 272), drawn(260) if has_bias else None
    if kind == "batch":
        rows = rows.view(2, -1, 272)
    elif kind == "transposed weight":
        weight = weight.t().contiguous().t()
    elif kind == "a part of rows":
        rows = drawn(LEAST_ROWS, 300)[:, 20:292]
    expected = rows.double() @ weight.double().t() + (0 if bias is None else bias.double())
    with torch.inference_mode():
        found = linear(rows, weight, bias)
    assert found.dtype == torch.float32
    assert found.shape == expected.shape
    assert (found - expected).norm() <= 1e-6 * expected.norm()


def refuse(_):
    raise AssertionError("nobody may choose here")


@pytest.mark.parametrize(
    "kind",
    ["few rows", "few inputs", "few outputs", "bfloat16", "gradient", "autocast", "fake", "meta", "without oneDNN"],
)
def test_what_only_torchs_default_computes_is_left_to_it(monkeypatch, kind):
    monkeypatch.setattr(matmul, "chosen", refuse)
    inputs, outputs = (LEAST_WIDTH - (kind == f"few {what}") for what in ("inputs", "outputs"))
    rows, weight = drawn(LEAST_ROWS - (kind == "few rows"), inputs), drawn(outputs, inputs)
    if kind == "bfloat16":
        rows, weight = rows.bfloat16(), weight.bfloat16()
    elif kind == "gradient":
        assert linear(rows, weight.requires_grad_()).requires_grad
        return
    elif kind == "autocast":
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert linear(rows, weight).dtype == torch.bfloat16
        return
    elif kind == "fake":
        with FakeTensorMode(allow_non_fake_inputs=True) as mode:
            assert linear(mode.from_tensor(rows), mode.from_tensor(weight)).shape == (LEAST_ROWS, LEAST_WIDTH)
        return
    elif kind == "meta":
        rows, weight = rows.to("meta"), weight.to("meta")
    elif kind == "without oneDNN":
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert linear(rows, weight).shape == (len(rows), outputs)


@needs_onednn
def test_a_product_that_may_choose_asks_which(monkeypatch):
    monkeypatch.setattr(matmul, "chosen", refuse)
    with pytest.raises(AssertionError, match="nobody may choose here"), torch.inference_mode():
        linear(drawn(LEAST_ROWS, LEAST_WIDTH), drawn(LEAST_WIDTH, LEAST_WIDTH))


@needs_onednn
@pytest.mark.parametrize(
    ("processor", "default", "onednn", "library"),
    [
        (b"model name: AMD", 1.0, 1.0, ONEDNN),
        (b"model name: AMD", 1.0, 1.05, ONEDNN),
        (b"model name: AMD", 1.0, 1.2, DEFAULT),
        (b"model name: Intel(R) Xeon(R)", 1.0, 1.0, DEFAULT),
        (b"model name: Intel(R) Xeon(R)", 1.05, 1.0, DEFAULT),
        (b"model name: Intel(R) Xeon(R)", 1.2, 1.0, ONEDNN),
    ],
)
def test_the_usual_library_stays_unless_the_other_is_faster_by_a_tenth(
    machine, monkeypatch, processor, default, onednn, library
):
    measured, seconds = machine
    seconds.update({DEFAULT: default, ONEDNN: onednn})
    monkeypatch.setattr(compiler, "processor", lambda: processor)
    assert matmul.chosen(1) == library
    assert measured == [1]


@needs_onednn
def test_each_number_of_threads_is_measured_once_a_machine(machine):
    measured, _ = machine
    for _ in range(2):
        assert {matmul.chosen(1), matmul.chosen(2), matmul.chosen(1)} == {ONEDNN}
        forget()  # another process
    assert measured == [1, 2]


@needs_onednn
@pytest.mark.parametrize("fixed", ["rule", "products", "kernels"])
def test_where_ways_are_fixed_nothing_is_measured(machine, asked, fixed):
    asked(fixed)
    assert matmul.chosen(1) == ONEDNN
    assert machine[0] == []


def test_without_onednn_there_is_no_choice(machine, monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert matmul.chosen(1) == DEFAULT
    assert machine[0] == []


@needs_onednn
def test_both_libraries_are_timed():
    found = matmul.seconds_by_library(1)
    assert set(found) == set(LIBRARIES)
    assert all(second > 0 for second in found.values())
