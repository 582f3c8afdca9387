"""What training minimises: losses as formulas over what was recorded, in training alone, under checkpointing too."""

import pytest
import torch

from moevlm.smoes.losses import inter_bin_mutual_information, intra_bin_load_balance, modality_load
from moevlm.smoes.modality import as_modalities


def test_losses_are_the_formulas_over_what_was_recorded(make_smoes, prompt):
    model = make_smoes(specialization_loss_coef=0.5, load_balance_coef=0.25).train()
    output = model(**prompt, labels=prompt["input_ids"])
    mask_BS, mutual_information, balance = prompt["attention_mask"].bool(), 0.0, 0.0
    for routing, layer in zip(output.routing, model.model.language_model.layers, strict=True):
        gates_BSE, bins = routing.logits_BSE.softmax(-1), layer.mlp.bins.bin_of_expert_E
        scores_BSM = as_modalities(routing.scores_BS)
        mutual_information += inter_bin_mutual_information(scores_BSM, gates_BSE, bins, mask_BS).mean()
        balance += intra_bin_load_balance(gates_BSE[mask_BS], routing.ids_BSK[mask_BS], bins)
    torch.testing.assert_close(output.routing_losses.specialization, -mutual_information)
    torch.testing.assert_close(output.routing_losses.load_balance, balance)
    expected = output.task_loss - 0.5 * mutual_information + 0.25 * balance
    torch.testing.assert_close(output.loss, expected)
    assert not any(routing.scores_BS.requires_grad for routing in output.routing)


def test_plain_moe_trains_with_the_load_balance_of_qwen3_moe(make_model, make_prompt):
    from transformers.models.qwen3_moe.modeling_qwen3_moe import load_balancing_loss_func

    model, ids_BS = make_model().train(), make_prompt(2, 12)
    output = model(ids_BS, labels=ids_BS)
    logits = tuple(routing.logits_BSE.flatten(0, 1) for routing in output.routing)
    each_layer = sum(load_balancing_loss_func((layer,), num_experts=8, top_k=2) for layer in logits)
    torch.testing.assert_close(output.routing_losses.load_balance, each_layer)
    assert output.routing_losses.specialization == 0


def test_a_dense_model_trains_on_the_task_alone(make_model, make_prompt):
    ids_BS = make_prompt(2, 8)
    output = make_model(num_experts=0).train()(ids_BS, labels=ids_BS)
    assert output.loss is output.task_loss
    assert output.routing_losses is None


@pytest.mark.parametrize("name", ["smoes-attention", "smoes-gaussian"])
def test_a_sample_of_one_modality_adds_nothing_to_the_specialization_loss(make_smoes, prompt, make_prompt, name):
    model = make_smoes(name).train()
    model(**prompt, labels=prompt["input_ids"])  # both modalities are known now
    text = make_prompt(1, 12)
    assert model(text, labels=text).routing_losses.specialization == 0
    mixed = model(**prompt, labels=prompt["input_ids"]).routing_losses.specialization
    assert mixed < 0


def test_only_a_training_model_adds_routing_losses_to_its_loss(make_smoes, prompt):
    model = make_smoes(load_balance_coef=1.0)
    output = model(**prompt, labels=prompt["input_ids"], output_routing=True)
    assert output.loss is output.task_loss
    assert output.routing_losses.load_balance > 0
    record = []
    output = model.train()(**prompt, labels=prompt["input_ids"], routing_record=record)
    assert output.loss > output.task_loss
    assert len(record) == 2


@pytest.mark.parametrize("name", ["plain", "smoes-attention"])
def test_checkpointing_changes_no_gradient_of_task_and_routing_losses(make_smoes, prompt, checkpoint, name):
    gradients = []
    for is_checkpointed in (False, True):
        model = make_smoes(name, specialization_loss_coef=0.5, load_balance_coef=0.5).train()
        if is_checkpointed:
            checkpoint(model, use_reentrant=False)
        model(**prompt, labels=prompt["input_ids"]).loss.backward()
        gradients.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name_, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name_], gradient)


def test_reentrant_checkpointing_is_refused(make_smoes, prompt, checkpoint):
    model = make_smoes().train()
    checkpoint(model, use_reentrant=True)
    with pytest.raises(ValueError, match="gradient checkpointing must be non-reentrant"):
        model(**prompt, labels=prompt["input_ids"])


def test_only_training_moves_the_state_and_each_step_once(make_smoes, prompt, checkpoint):
    model = make_smoes("smoes-attention", specialization_momentum=0.5)
    bins = model.model.language_model.layers[0].mlp.bins
    model(**prompt, labels=prompt["input_ids"], output_routing=True)
    assert bins.load_ME.sum() == 0
    model.train()
    checkpoint(model)
    output = model(**prompt, labels=prompt["input_ids"])
    output.loss.backward()  # computes each layer a second time
    routing, mask_T = output.routing[0], prompt["attention_mask"].bool().flatten()
    scores_TM = as_modalities(routing.scores_BS).flatten(0, 1)
    load_ME = modality_load(scores_TM, routing.ids_BSK.flatten(0, 1), 8, mask_T)
    torch.testing.assert_close(bins.load_ME, 0.5 * load_ME)
