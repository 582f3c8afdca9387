"""SMoES and its variants: each trains and is saved, fields that do not fit are refused, state is kept in float32."""

import pytest
import torch
from transformers import AutoModelForImageTextToText

from moevlm import MoEVLM
from moevlm.smoes.ablations import SPECIALIZATIONS, specialization_fields, specialized


@pytest.mark.parametrize("name", SPECIALIZATIONS)
def test_every_variant_trains_and_survives_a_round_trip(make_smoes, prompt, tmp_path, name):
    model = make_smoes(name).train()
    loss = model(**prompt, labels=prompt["input_ids"]).loss
    loss.backward()
    gate = model.model.language_model.layers[0].mlp.gate.weight
    assert loss.isfinite()
    assert gate.grad.isfinite().all()
    assert gate.grad.abs().sum() > 0
    model.eval().save_pretrained(tmp_path)
    reloaded = AutoModelForImageTextToText.from_pretrained(tmp_path)
    assert set(reloaded.state_dict()) == set(model.state_dict())
    for tensor, same in zip(reloaded.state_dict().values(), model.state_dict().values(), strict=True):
        assert torch.equal(tensor, same)
    found, expected = (m(**prompt, output_routing=True) for m in (reloaded, model))
    torch.testing.assert_close(found.logits, expected.logits)
    torch.testing.assert_close(found.routing[1].scores_BS, expected.routing[1].scores_BS)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_bins": 3}, r"num_bins must divide num_experts=8, got 3"),
        ({"specialization_loss": "kl"}, "num_bins must be at least 2 for specialization_loss='kl', .* got 1"),
        ({"num_bins": 4, "binning": "none"}, "num_bins must be 1 where binning is none"),
        ({"load_balance_coef": -1.0}, "load_balance_coef must be at least 0, got -1.0"),
        ({"num_experts": 0, "modality_scores": "soft"}, "modality_scores must be one of"),
        ({"modality_scores": "soft"}, "modality_scores must be one of hard, attention, gaussian, got 'soft'"),
        ({"num_text_experts": 7}, "num_text_experts must leave num_experts_per_tok=2 experts to each modality"),
        ({"specialization_momentum": 1.0}, r"specialization_momentum must be in \[0, 1\), got 1.0"),
        ({"modality_temperature": 0.0}, "modality_temperature must be above 0"),
    ],
)
def test_fields_that_do_not_fit_are_refused(make_config, fields, message):
    with pytest.raises(ValueError, match=message):
        make_config(**fields)


@pytest.mark.parametrize("before", SPECIALIZATIONS)
@pytest.mark.parametrize("after", SPECIALIZATIONS)
def test_a_variant_of_a_variant_is_that_variant(make_config, before, after):
    plain = make_config(num_experts=16, num_experts_per_tok=2).text_config
    assert specialized(specialized(plain, before), after).to_dict() == specialized(plain, after).to_dict()


def test_an_unknown_variant_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"specialization must be one of plain, smoes-attention.*got 'soft'"):
        specialization_fields("soft", 8)


def test_state_is_float32_and_absent_from_a_plain_model(make_model, make_smoes):
    assert not any("bins" in name or "modality" in name for name in make_model().state_dict())
    with torch.device("cpu"):
        torch.set_default_dtype(torch.bfloat16)
        try:
            state = make_smoes("smoes-gaussian").state_dict()
        finally:
            torch.set_default_dtype(torch.float32)
    dtypes = {
        name.rpartition(".")[2]: tensor.dtype for name, tensor in state.items() if "bins" in name or "modality" in name
    }
    assert dtypes == {
        "mean_MD": torch.float32,
        "var_MD": torch.float32,
        "is_seen_M": torch.bool,
        "load_ME": torch.float32,
        "bin_of_expert_E": torch.int64,
    }
    assert isinstance(make_smoes(), MoEVLM)


def test_a_plain_checkpoint_gives_a_smoes_model_with_fresh_state(make_model, make_config, tmp_path):
    plain = make_model()
    plain.save_pretrained(tmp_path)
    config = make_config(**{**specialization_fields("smoes-gaussian", 8), "num_bins": 4})
    model = MoEVLM.from_pretrained(tmp_path, config=config)
    for layer in model.model.language_model.layers:
        assert layer.mlp.bins.bin_of_expert_E.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
        assert layer.mlp.bins.load_ME.abs().sum() == 0
        assert layer.mlp.modality.var_MD.eq(1).all()
        assert not layer.mlp.modality.is_seen_M.any()
