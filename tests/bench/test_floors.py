"""What records hold of an arm's work: parts that add up, and floors as computed elsewhere for an H200."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bench.floors import answer_costs, costs_of, joined, work_of
from bench.harness.peaks import floor_s
from fixtures.models import Twins, build_twins
from moevlm.costs import phase_cost
from moevlm.presets import preset_config

H200 = {"matmul_flop_per_s": 790e12, "copy_byte_per_s": 4.3e12}


@pytest.fixture(scope="module")
def twins() -> Twins:
    return build_twins("tiny", device=torch.device("cpu"), dtype=torch.float32)


@pytest.mark.parametrize(
    ("preset", "arm", "phase", "load", "milliseconds"),
    [
        ("7b", "moe", "decode", {"batch_size": 1, "seq_len": 1024}, 0.49),
        ("7b", "dense", "decode", {"batch_size": 1, "seq_len": 1024}, 3.11),
        ("34b", "moe", "decode", {"batch_size": 64, "seq_len": 1024}, 17.5),
        ("7b", "moe", "prefill", {"batch_size": 8, "seq_len": 2048}, 43.3),
    ],
)
def test_floors_on_an_h200(preset: str, arm: str, phase: str, load: dict[str, int], milliseconds: float) -> None:
    work = work_of([phase_cost(preset_config(preset, arm), phase, dtype_bytes=2, **load)])
    assert floor_s(work, H200) == pytest.approx(1e-3 * milliseconds, rel=0.015)  # the table gives two or three digits


def test_parts_add_up_to_the_work(twins: Twins) -> None:
    for work in costs_of(twins, "decode", batch_size=4, seq_len=64).values():
        flops, moved = zip(*work["parts"], strict=True)
        assert (sum(flops), sum(moved)) == pytest.approx((work["flops"], work["bytes"]))


def test_several_steps_are_one_after_another(twins: Twins) -> None:
    first, second = (costs_of(twins, "decode", seq_len=length)["moe"] for length in (64, 65))
    both = costs_of(twins, "decode", seq_len=64, num_steps=2)["moe"]
    assert both["flops"] == first["flops"] + second["flops"]
    assert both["parts"] == [[a + c, b + d] for (a, b), (c, d) in zip(first["parts"], second["parts"], strict=True)]


def test_work_of_several_phases_keeps_their_parts() -> None:
    works = [{"flops": 1.0, "bytes": 2.0, "parts": [[1.0, 2.0]]}, {"flops": 3.0, "bytes": 4.0, "parts": [[3.0, 4.0]]}]
    assert joined(works) == {"flops": 4.0, "bytes": 6.0, "parts": [[1.0, 2.0], [3.0, 4.0]]}


@pytest.mark.parametrize("num_output_tokens", [1, 4])
def test_an_answer_is_a_prefill_and_its_decode_steps(twins: Twins, num_output_tokens: int) -> None:
    inputs: Any = SimpleNamespace(
        prompt_tokens=(60, 68), mean_prompt_tokens=64, num_tiles=2, num_output_tokens=num_output_tokens
    )
    expected = costs_of(twins, "prefill", batch_size=2, seq_len=64, num_tiles=2)["dense"]["flops"]
    for step in range(num_output_tokens - 1):
        expected += costs_of(twins, "decode", batch_size=2, seq_len=64 + step)["dense"]["flops"]
    found = answer_costs(twins, inputs)["dense"]
    assert found["flops"] == pytest.approx(expected)
    assert sum(flops for flops, _ in found["parts"]) == pytest.approx(expected)
