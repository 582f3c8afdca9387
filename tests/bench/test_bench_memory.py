"""Memory of whole models: a second copy of the experts is found in the arm that has it, whenever it is made."""

import functools
import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest
import torch

from bench.bench_memory import alive_of
from bench.harness.apart import Apart
from bench.harness.memory import Alive
from fixtures.models import Twins
from fixtures.scales import LoneArms
from moevlm.kernels.cpu import choosing, way
from moevlm.model.vision_language import MoEVLM
from moevlm.routing.profiles import RoutingProfile
from tests.fixtures.sample_options import cpu_options
from tests.moevlm.chosen_ways import forget

CPU = torch.device("cpu")
TENSORS = {"input_ids": torch.arange(5, 5 + 48).reshape(2, 24)}
PACKED: dict[int, list[torch.Tensor]] = {}  # as a package's own cache keeps what was packed


@dataclass(frozen=True)
class Packing:
    """A build of an arm that keeps a second copy of its feed-forward weights; picklable, as a partial is."""

    build: Callable[[], Twins]
    when: str

    def __call__(self) -> Twins:
        twins = self.build()
        (model,) = twins.values()
        pack = functools.partial(keep_packed, model)
        if self.when == "build":
            pack()
        else:
            model.model.language_model.register_forward_pre_hook(lambda *_: pack())
        return twins


def alive_as_chosen(by: str, build: Callable[[], Twins]) -> Alive:
    """Count in a process of a user, who asks for nothing, on a machine that chose one way for every feed-forward."""
    os.environ.pop(choosing.VARIABLE)
    forget()
    way._measured = lambda *_: by
    return alive_of(build, TENSORS, CPU)


def keep_packed(model: MoEVLM) -> None:
    if id(model) not in PACKED:
        PACKED[id(model)] = [weight.clone() for weight in feed_forward(model)]


def feed_forward(model: MoEVLM) -> list[torch.Tensor]:
    return [weight for name, weight in model.named_parameters() if ".mlp." in name and "language_model" in name]


@pytest.fixture(scope="module")
def lone() -> LoneArms:
    return LoneArms("tiny", cpu_options(), RoutingProfile.parse("uniform"))


@pytest.fixture(scope="module")
def apart() -> Iterator[Apart]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # other tests may have computed on more: a fork must not
    process = Apart()
    process.begin()
    yield process
    process.end()
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def unchanged(apart: Apart, lone: LoneArms) -> Mapping[str, Alive]:
    return {arm: apart.run(alive_of, build, TENSORS, CPU) for arm, build in lone.items()}


def test_an_arm_keeps_its_parameters_and_buffers_and_nothing_else(
    lone: LoneArms, unchanged: Mapping[str, Alive]
) -> None:
    for arm, build in lone.items():
        model: MoEVLM = build()[arm]
        storages = [tensor.untyped_storage() for tensor in (*model.parameters(), *model.buffers())]
        own = sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())
        assert unchanged[arm].called == unchanged[arm].built == own
        text = model.config.text_config
        cached_values = 2 * text.num_hidden_layers * text.num_key_value_heads * text.head_dim * 2 * (24 + 2)
        assert unchanged[arm].peak > unchanged[arm].built + cached_values * 4


@pytest.mark.parametrize("when", ["build", "first call"])
@pytest.mark.parametrize("arm", ["moe", "dense"])
def test_a_second_copy_of_the_feed_forward_weights_is_found_in_its_arm(
    apart: Apart, lone: LoneArms, unchanged: Mapping[str, Alive], when: str, arm: str
) -> None:
    num_bytes = sum(weight.nbytes for weight in feed_forward(lone[arm]()[arm]))
    assert num_bytes > 0.2 * unchanged[arm].built
    for _ in range(2):  # whatever ran before
        found = apart.run(alive_of, Packing(lone[arm], when), TENSORS, CPU)
        assert found.built == unchanged[arm].built + (num_bytes if when == "build" else 0)
        assert found.called == found.kept == unchanged[arm].kept + num_bytes
        assert found.peak == unchanged[arm].peak + num_bytes


def test_which_way_was_faster_when_this_machine_measured_changes_nothing(
    apart: Apart, lone: LoneArms, unchanged: Mapping[str, Alive]
) -> None:
    for arm, by in itertools.product(lone, choosing.WAYS):
        assert apart.run(alive_as_chosen, by, lone[arm]) == unchanged[arm]


def test_what_ran_before_changes_nothing_of_an_arm(
    apart: Apart, lone: LoneArms, unchanged: Mapping[str, Alive]
) -> None:
    again = {arm: apart.run(alive_of, lone[arm], TENSORS, CPU) for arm in reversed(lone)}
    assert again == unchanged
