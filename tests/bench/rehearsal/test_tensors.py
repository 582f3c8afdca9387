"""A GPU that is not there refuses what a GPU refuses, waits where one waits, and replays what a graph holds."""

import pytest
import torch
from torch import nn

from bench.rehearsal.tensors import DEVICE, OnGpu
from moevlm.generation.cuda_graph import captured
from moevlm.model.early_number import EarlyNumber
from tests.rehearsed import gpu

__all__ = ["gpu"]


def test_values_are_those_of_the_cpu_and_stay_on_the_gpu(gpu):
    rows, weight = torch.arange(6.0).view(2, 3), torch.ones(4, 3)
    product = nn.functional.linear(rows.to(gpu), weight.cuda())
    assert (type(product), product.device, product.is_cuda) == (OnGpu, gpu, True)
    assert product.cpu().equal(nn.functional.linear(rows, weight))
    assert product.tolist() == [[3.0] * 4, [12.0] * 4]


def test_a_number_comes_early_over_pinned_memory(gpu):
    assert EarlyNumber(torch.tensor(7, device=gpu)).read().tolist() == 7


def test_a_view_writes_through_to_what_it_is_of(gpu):
    rows = torch.zeros(3, 4, device=gpu)
    rows[1:, 2].fill_(5)
    rows.view(-1)[0] = 7
    assert rows.tolist() == [[7, 0, 0, 0], [0, 0, 5, 0], [0, 0, 5, 0]]
    assert rows[1:].untyped_storage().data_ptr() == rows.untyped_storage().data_ptr()


def test_tensors_of_two_devices_do_not_meet(gpu):
    rows = torch.ones(2, device=gpu)
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device, but found cuda:0 and cpu"):
        rows + torch.ones(2)
    assert (rows * torch.tensor(3.0)).tolist() == [3, 3]  # of a single number
    assert rows[torch.tensor([0])].tolist() == [1]  # of indices


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x.sum().item(),
        lambda x: bool((x > 0).all()),
        lambda x: x.nonzero(),
        lambda x: x[x > 0],
        lambda x: x.cpu(),
        lambda x: x.to("cpu"),
        lambda x: torch.empty(4).copy_(x),
        lambda x: x.tolist(),
        lambda x: torch.unique(x),
        lambda x: x.masked_select(x > 0),
        lambda x: torch.equal(x, x),
        lambda x: torch.tensor([1.0]).to(x),
        lambda x: x.copy_(torch.ones(4)),
        lambda x: torch.cuda.synchronize(x.device),
    ],
)
def test_no_graph_holds_what_the_host_waits_for(gpu, wait):
    values = torch.arange(4.0, device=gpu)
    wait(values)
    with (
        torch.inference_mode(),
        pytest.raises(ValueError, match=r"must not wait for the GPU, got: CUDA error: .*captur"),
    ):
        captured(lambda: wait(values), gpu)
    assert DEVICE.captured is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_grouped_product_is_one_kernel_in_bfloat16_alone(gpu, dtype):
    rows, weights = torch.ones(8, 16, device=gpu, dtype=dtype), torch.ones(2, 16, 16, device=gpu, dtype=dtype)
    ends = torch.tensor([3, 8], device=gpu, dtype=torch.int32)
    before = DEVICE.waits
    assert nn.functional.grouped_mm(rows, weights, offs=ends).unique().tolist() == [16]
    assert DEVICE.waits - before == (3 if dtype is torch.float32 else 2)  # unique, tolist


@torch.inference_mode()
def test_a_replay_does_the_operations_again_on_the_same_tensors_and_nothing_else(gpu):
    values, calls = torch.arange(4.0, device=gpu), []

    def work():
        calls.append(1)  # Python's own is not captured
        rows = values.view(2, 2).transpose(0, 1).reshape(-1) * len(calls)
        values.add_(10)
        return rows

    replay = captured(work, gpu)
    first, frozen = replay(), len(calls)
    assert (first.tolist(), values.tolist()) == ([40 * frozen, 42 * frozen, 41 * frozen, 43 * frozen], [50, 51, 52, 53])
    values.zero_()
    assert replay() is first
    assert (first.tolist(), len(calls)) == ([0] * 4, frozen)


def test_memory_is_taken_and_given_back_once_however_many_views(gpu):
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    rows = torch.zeros(256, device=gpu)
    views = [rows[:10], rows.view(16, 16)]
    assert torch.cuda.memory_allocated() - before == 1024
    del rows
    assert torch.cuda.memory_allocated() - before == 1024
    views.clear()
    assert torch.cuda.memory_allocated() == before
    assert torch.cuda.max_memory_allocated() - before == 1024
    assert torch.cuda.mem_get_info()[0] + before == torch.cuda.get_device_properties(gpu).total_memory


def test_a_module_moves_with_its_weights_and_can_be_given_others(gpu):
    layer = nn.Linear(3, 2).to(gpu)
    assert {type(weight) for weight in layer.parameters()} == {OnGpu}
    layer.weight.data = torch.ones(2, 3, device=gpu)
    layer.bias.data = torch.zeros(2, device=gpu)
    assert layer(torch.ones(1, 3, device=gpu)).tolist() == [[3, 3]]
