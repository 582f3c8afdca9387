"""Tests of spreading a model over a group, here of one device: its logits, its parameters, what is refused."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.distributed as dist

from moevlm import EXPERT_BACKENDS, set_expert_backend
from moevlm.model.batch_part import BatchPart
from moevlm.parallel import Group, parallelize, recorded_traffic, serve
from moevlm.smoes.placement import place_in_order

Make = Callable[..., Any]
ALONE = [torch.zeros(8, dtype=torch.int64)] * 2


@pytest.fixture
def group() -> Iterator[Group]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield Group()
    dist.destroy_process_group()


def test_one_device_computes_all_and_sends_nothing(make_model: Make, make_prompt: Make, group: Group) -> None:
    model, ids_BS = make_model(), make_prompt(2, 6)
    with torch.no_grad():
        expected = model(ids_BS).logits
        assert parallelize(model, group, ALONE) == BatchPart()
        with recorded_traffic(group) as traffic:
            torch.testing.assert_close(model(ids_BS).logits, expected, rtol=1e-5, atol=1e-5)
    assert traffic.sent_bytes() == 0
    assert traffic.pairs == [2 * 6 * 2] * 2


def test_nothing_is_recorded_outside_the_block(make_model: Make, make_prompt: Make, group: Group) -> None:
    model = make_model()
    parallelize(model, group, ALONE)
    with recorded_traffic(group) as traffic:
        pass
    model(make_prompt(1, 4))
    assert traffic.exchanges == traffic.pairs == []
    assert group.traffic is None


def test_a_spread_model_takes_no_gradients(make_model: Make, make_prompt: Make, group: Group) -> None:
    model = make_model()
    parallelize(model, group, ALONE)
    assert not model(make_prompt(1, 4)).logits.requires_grad


def test_every_backend_computes_a_shard(make_model: Make, make_prompt: Make, group: Group) -> None:
    model, ids_BS = make_model(), make_prompt(1, 6)
    expected = model(ids_BS).logits
    parallelize(model, group, ALONE)
    for backend in EXPERT_BACKENDS:
        set_expert_backend(model, backend)
        torch.testing.assert_close(model(ids_BS).logits, expected, rtol=1e-4, atol=1e-4)


def test_a_pass_without_samples_computes_nothing(make_model: Make, group: Group) -> None:
    model = make_model()
    with pytest.raises(ValueError, match="must be spread to serve others, got one that is not; call parallelize first"):
        serve(model)
    parallelize(model, group, ALONE)
    with recorded_traffic(group) as traffic:
        serve(model)
    assert traffic.pairs == [0, 0]


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"home": "moon"}, "home must be one of modality, sequence, got 'moon'; choose one of them"),
        ({"copies": "none"}, "copies must be one of device, expert, got 'none'; choose one of them"),
        ({"home": "modality"}, "a home by modality needs an even number of devices, got 1; add or drop one"),
        ({"placement": ALONE[:1]}, "placement must be of 2 MoE layers, got 1; place each layer"),
        (
            {"placement": [place_in_order(8, 2)] * 2},
            r"must put num_experts=8 evenly on 1 devices, got \[4, 4\] experts a device in MoE layer 0; make it with",
        ),
        ({"placement": [torch.zeros(4, dtype=torch.int64)] * 2}, r"evenly on 1 devices, got \[4\] experts a device"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_changed(
    options: dict[str, Any], rule: str, make_model: Make, group: Group
) -> None:
    model = make_model()
    with pytest.raises(ValueError, match=rule):
        parallelize(model, group, **{"placement": ALONE, **options})
    parallelize(model, group, ALONE)


def test_a_dense_model_and_a_spread_one_are_refused(make_model: Make, group: Group) -> None:
    with pytest.raises(ValueError, match="needs an MoE, got a model without experts; spread the MoE"):
        parallelize(make_model(num_experts=0), group, [])
    model = make_model()
    parallelize(model, group, ALONE)
    with pytest.raises(ValueError, match="a model can be spread once, got one that is; load it anew"):
        parallelize(model, group, ALONE)
