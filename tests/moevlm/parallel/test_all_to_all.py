"""Tests of expert parallelism on two, three and four processes: one process's logits, counts, the kernel's bytes."""

import sys
from typing import NamedTuple

import pytest
import torch

from moevlm.generation import decode_steps, prefill
from moevlm.parallel import Exchange, Traffic
from moevlm.parallel.all_to_all import LEGS
from moevlm.parallel.dispatch import row_bytes
from moevlm.smoes.placement import HOME_RULES, cross_device_rate, place_by_bins, place_in_order
from moevlm.smoes.specialization import recorded_routing
from moevlm.steering.expected_routing import specialized_cross_device_rate
from moevlm.steering.replay import record_routing
from tests.moevlm.parallel.device_processes import IMAGE_TOKEN_ID, NUM_LAYERS, Case, Seen, SmallModel, run_cases

pytestmark = pytest.mark.long

TOKENS_AN_IMAGE, STRENGTH = 4, 4.0
BOUNDS = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 2e-2}  # relative error of logits
HEADER_BYTES = 200  # the most that gloo may add to one exchange with one other device


def make_inputs(batch_size: int, length: int, images: int = 1, dtype: torch.dtype = torch.float32) -> dict:
    """Make prompts with as many images each; sample 1 is padded by three tokens on the left."""
    generator = torch.Generator().manual_seed(1)
    ids_BS = torch.randint(IMAGE_TOKEN_ID + 1, 256, (batch_size, length), generator=generator)
    ids_BS[:, 4 : 4 + images * TOKENS_AN_IMAGE] = IMAGE_TOKEN_ID
    mask_BS = torch.ones_like(ids_BS)
    mask_BS[1:2, :3] = 0
    inputs = {"input_ids": ids_BS, "attention_mask": mask_BS}
    if images:
        inputs["pixel_values"] = torch.randn(batch_size * images, 3, 28, 28, generator=generator, dtype=dtype)
    return inputs


def in_order(num_experts: int, num_devices: int) -> list[torch.Tensor]:
    return [place_in_order(num_experts, num_devices)] * NUM_LAYERS


def by_bins(model: SmallModel, inputs: dict, num_devices: int) -> list[torch.Tensor]:
    return [place_by_bins(load_ME, num_devices) for load_ME in record_routing(model.build(), inputs).load()]


def make_cases() -> dict[int, dict[str, Case]]:
    """Make the cases of each number of devices, named by what is special in them."""
    small = {"inputs": make_inputs(3, 14), "num_steps": 2}
    wide = {dtype: {**small, "inputs": make_inputs(3, 14, dtype=dtype)} for dtype in (torch.float64, torch.bfloat16)}
    own_weights, double = SmallModel(profile="weights"), SmallModel(dtype=torch.float64)
    uniform, specialized = (
        SmallModel(num_experts=64, top_k=8, profile=name) for name in ("uniform", f"specialized:{STRENGTH:g}")
    )
    many = make_inputs(4, 260, images=32)
    apart, text = SmallModel(profile="specialized:60"), make_inputs(2, 20, images=0)
    modality, per_expert = {"home": "modality"}, {"copies": "expert"}
    return {
        2: {
            "own weights": Case(model=own_weights, placement=in_order(8, 2), **small),
            "float64": Case(model=double, placement=in_order(8, 2), **wide[torch.float64]),
            "float64 by modality": Case(model=double, placement=in_order(8, 2), **wide[torch.float64], **modality),
            "bfloat16": Case(
                model=SmallModel(dtype=torch.bfloat16, backend="moevlm"),
                placement=in_order(8, 2),
                **wide[torch.bfloat16],
                **modality,
            ),
            "a copy an expert": Case(model=own_weights, placement=in_order(8, 2), **small, **per_expert),
            "uniform": Case(model=uniform, inputs=many, placement=in_order(64, 2)),
            "specialized": Case(model=specialized, inputs=many, placement=by_bins(specialized, many, 2), **modality),
            "specialized in order": Case(model=specialized, inputs=many, placement=in_order(64, 2), **modality),
            "text alone": Case(
                model=apart, inputs=text, placement=by_bins(apart, make_inputs(2, 60, images=8), 2), **modality
            ),
        },
        3: {
            "three": Case(model=SmallModel(num_experts=12, backend="grouped_mm"), placement=in_order(12, 3), **small),
            "idle": Case(
                model=SmallModel(num_experts=12), inputs=make_inputs(1, 14), placement=in_order(12, 3), **per_expert
            ),
        },
        4: {
            "four": Case(model=own_weights, placement=in_order(8, 4), **small),
            "four by modality": Case(model=double, placement=in_order(8, 4), **wide[torch.float64], **modality),
            "idle pair": Case(model=own_weights, inputs=make_inputs(1, 14), placement=in_order(8, 4), **modality),
        },
    }


class Ran(NamedTuple):
    """A case, what its devices saw, and what one process did with it."""

    case: Case
    devices: list[Seen]
    logits: list[torch.Tensor]
    ids_LTK: list[torch.Tensor]

    @property
    def homes(self) -> torch.Tensor:
        return HOME_RULES[self.case.home](self.case.inputs["input_ids"] == IMAGE_TOKEN_ID, len(self.devices))

    def sent_rows(self, leg: str) -> int:
        """Count the rows of a leg that left a device, over all devices and layers."""
        return sum(Traffic(exchanges=device.exchanges).sent_rows(leg) for device in self.devices)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    by_name = {}
    for num_devices, cases in make_cases().items():
        seen = run_cases(tmp_path_factory.mktemp("devices"), num_devices, cases)
        for name, case in cases.items():
            model = case.model.build()
            with recorded_routing(model) as ids:
                state = prefill(model, case.inputs, max_new_tokens=case.num_steps)
            last = decode_steps(model, state, num_steps=case.num_steps)
            by_name[name] = Ran(case, seen[name], [state.logits_BV, last.logits_BV], ids)
    return by_name


def test_devices_give_one_processs_logits_in_prefill_and_decode(ran: dict[str, Ran]) -> None:
    for name, run in ran.items():
        found = {number for device in run.devices for number in device.samples}
        assert found == set(range(len(run.case.inputs["input_ids"]))), name
        for device in run.devices:
            for actual, whole in zip(device.logits, run.logits, strict=bool(device.logits)):
                expected = whole[list(device.samples)].double()
                error = (actual.double() - expected).norm() / expected.norm()
                assert error < BOUNDS[whole.dtype], (name, error)


def test_a_device_keeps_its_own_experts_alone(ran: dict[str, Ran]) -> None:
    for run in ran.values():
        expected = run.case.model.num_experts // len(run.devices)
        assert [device.local_experts for device in run.devices] == [expected] * len(run.devices)


def test_rows_are_those_that_the_routing_asks_for(ran: dict[str, Ran]) -> None:
    for name, run in ran.items():
        expected = 0
        for ids_TK, device_of_expert_E in zip(run.ids_LTK, run.case.placement, strict=True):
            for devices, home in zip(device_of_expert_E[ids_TK].tolist(), run.homes.tolist(), strict=True):
                remote = [device for device in devices if device != home]
                expected += len(set(remote) if run.case.copies == "device" else remote)
        assert run.sent_rows("dispatch") == run.sent_rows("combine") == expected, name


def test_every_choice_is_computed_once(ran: dict[str, Ran]) -> None:
    for name, run in ran.items():
        for layer, ids_TK in enumerate(run.ids_LTK):
            assert sum(device.pairs[layer] for device in run.devices) == ids_TK.numel(), name


def test_what_one_device_sends_another_receives(ran: dict[str, Ran]) -> None:
    for run in ran.values():
        for of_all in zip(*(device.exchanges for device in run.devices), strict=True):
            sent_NN = torch.tensor([exchange.sent_rows_N for exchange in of_all])
            received_NN = torch.tensor([exchange.received_rows_N for exchange in of_all])
            assert torch.equal(sent_NN, received_NN.T)
            assert all(exchange.time_s > 0 for exchange in of_all)


def test_a_row_is_a_hidden_state_with_its_choices(ran: dict[str, Ran]) -> None:
    def bytes_of(name: str) -> dict[str, int]:
        return {exchange.leg: exchange.row_bytes for exchange in ran[name].devices[0].exchanges}

    assert bytes_of("own weights") == {"count": 8, "dispatch": 32 * 4 + 2 * (4 + 4), "combine": 32 * 4}
    assert bytes_of("a copy an expert") == {"count": 8, "dispatch": 32 * 4 + 4 + 4, "combine": 32 * 4}
    assert bytes_of("bfloat16") == {"count": 8, "dispatch": 32 * 2 + 2 * (4 + 2), "combine": 64, "share": 64}
    assert row_bytes(32, 2, torch.bfloat16) == 76
    assert set(LEGS) == set(bytes_of("bfloat16"))


@pytest.mark.skipif(sys.platform != "linux", reason="reads the bytes of connections as Linux counts them")
def test_counted_bytes_are_those_that_the_kernel_sent(ran: dict[str, Ran]) -> None:
    for name, run in ran.items():
        for device in run.devices:
            counted = Traffic(exchanges=device.exchanges).sent_bytes()
            headers = HEADER_BYTES * len(device.exchanges) * (len(run.devices) - 1)
            assert counted <= device.kernel_bytes <= counted + headers, name


def test_uniform_routing_crosses_devices_as_the_closed_form_says(ran: dict[str, Ran]) -> None:
    run = ran["uniform"]
    rate = run.sent_rows("dispatch") / (NUM_LAYERS * run.case.inputs["input_ids"].numel())
    assert rate == pytest.approx(specialized_cross_device_rate(0.0, 64, 8), abs=3e-3)


def test_bins_cross_devices_as_the_specialized_profile_predicts(ran: dict[str, Ran]) -> None:
    rates = {
        name: ran[name].sent_rows("dispatch") / (NUM_LAYERS * ran[name].case.inputs["input_ids"].numel())
        for name in ("specialized", "specialized in order")
    }
    # 1,018 rows of noise in two layers: a standard error of 0.008, two standard errors of a mean over both
    assert rates["specialized"] == pytest.approx(specialized_cross_device_rate(STRENGTH, 64, 8), abs=0.025)
    assert rates["specialized in order"] > 0.9


def test_on_two_devices_rows_are_the_cross_device_rate(ran: dict[str, Ran]) -> None:
    run = ran["specialized"]
    pairs = zip(run.ids_LTK, run.case.placement, strict=True)
    rates = [cross_device_rate(ids_TK, device_E, run.homes) for ids_TK, device_E in pairs]
    assert run.sent_rows("dispatch") == pytest.approx(sum(rates) * len(run.homes))


def test_a_device_without_tokens_and_without_work_takes_part(ran: dict[str, Ran]) -> None:
    vision, text = ran["text alone"].devices
    assert vision.pairs == [0] * NUM_LAYERS
    assert text.pairs == [2 * 20 * 2] * NUM_LAYERS
    assert ran["text alone"].sent_rows("dispatch") == 0
    assert [bool(device.logits) for device in ran["idle"].devices] == [True, False, False]
    assert [bool(device.logits) for device in ran["idle pair"].devices] == [True, False, True, False]


def test_a_copy_a_device_sends_no_more_rows_than_a_copy_an_expert(ran: dict[str, Ran]) -> None:
    once, each = ran["own weights"].sent_rows("dispatch"), ran["a copy an expert"].sent_rows("dispatch")
    assert 0 < once < each


def legs_of(exchanges: list[Exchange]) -> list[tuple[int, str]]:
    return [(exchange.layer, exchange.leg) for exchange in exchanges]


def test_exchanges_are_in_the_order_of_layers_and_legs(ran: dict[str, Ran]) -> None:
    by_sequence = [(layer, leg) for layer in range(NUM_LAYERS) for leg in LEGS if leg != "share"]
    assert legs_of(ran["idle"].devices[2].exchanges) == legs_of(ran["three"].devices[0].exchanges) == by_sequence
    by_modality = [(layer, leg) for layer in range(NUM_LAYERS) for leg in LEGS]
    assert legs_of(ran["four by modality"].devices[3].exchanges) == by_modality
