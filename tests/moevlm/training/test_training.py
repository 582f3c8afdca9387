"""Training: rates by hand, stages, clipping, and that an interrupted run goes on as if nothing had happened."""

import json
import math
import re
import shutil

import pytest
import torch
from transformers import AutoModelForImageTextToText

from moevlm.training import CHECKPOINT, IGNORED, LOG, MODEL, VISUAL_LABELS, Schedule, Stage, VisualProbe, train
from tests.full_disk import largest_file

SCHEDULE = Schedule(
    stages=(Stage(num_steps=3, learning_rate=1e-2, projector_only=True), Stage(num_steps=5, learning_rate=1e-2)),
    warmup_share=0.4,
    probe_coef=0.5,
    checkpoint_steps=2,
    log_steps=1,
)
ONE_STAGE = Schedule(stages=SCHEDULE.stages[1:], checkpoint_steps=2, log_steps=1)
NUM_CLASSES = 3


@pytest.fixture
def make_batches(make_prompt):
    """Return a pure function of the step: two prompts with an image each, and labels for its tokens."""

    def batches(step):
        ids_BS = make_prompt(2, 12, image_tokens=4, seed=100 + step)
        generator = torch.Generator().manual_seed(step)
        visual_PBS = torch.full((1, 2, 12), IGNORED)
        visual_PBS[0, :, 2:6] = torch.randint(NUM_CLASSES, (2, 4), generator=generator)
        pixels = torch.randn(2, 3, 28, 28, generator=generator)
        return {"input_ids": ids_BS, "labels": ids_BS, "pixel_values": pixels, VISUAL_LABELS: visual_PBS}

    return batches


@pytest.fixture
def make_pair(make_model):
    """Return a small SMoES model and a probe with the same weights each time."""

    def pair(**fields):
        fields = fields or {"num_bins": 4, "specialization_loss": "mutual_information", "modality_scores": "gaussian"}
        model = make_model(**fields)
        torch.manual_seed(1)
        return model, VisualProbe(64, NUM_CLASSES)

    return pair


def losses_in(folder):
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


def test_a_full_disk_is_told_by_the_system_and_costs_no_checkpoint(make_pair, make_batches, tmp_path):
    train(make_pair()[0], make_batches, ONE_STAGE, tmp_path / "whole")
    checkpoint, weights = (tmp_path / "whole" / name for name in (CHECKPOINT, f"{MODEL}/model.safetensors"))
    for size, num_done in ((checkpoint.stat().st_size - 1, 4), (weights.stat().st_size - 1, 5)):  # 5: all but the model
        folder = tmp_path / str(num_done)
        train(make_pair()[0], make_batches, ONE_STAGE, folder, stop_after=num_done)
        shutil.rmtree(folder / MODEL, ignore_errors=True)
        before = (folder / CHECKPOINT).read_bytes()
        with largest_file(size), pytest.raises(OSError, match="File too large"):
            train(make_pair()[0], make_batches, ONE_STAGE, folder)
        assert (folder / CHECKPOINT).read_bytes() == before
        train(make_pair()[0], make_batches, ONE_STAGE, folder)
        assert (folder / MODEL / "model.safetensors").read_bytes() == weights.read_bytes()


def test_the_learning_rate_rises_is_held_and_falls_in_each_stage():
    stages = (Stage(num_steps=8, learning_rate=8.0), Stage(num_steps=2, learning_rate=2.0))
    schedule = Schedule(stages=stages, warmup_share=0.25, decay_share=0.5)
    expected = [4.0, 8.0, 8.0, 8.0, 8.0, 6.0, 4.0, 2.0, 2.0, 2.0]
    assert [schedule.learning_rate(step) for step in range(10)] == pytest.approx(expected)


def test_an_interrupted_run_resumes_to_the_same_losses_and_weights(make_pair, make_batches, tmp_path):
    model, probe = make_pair()
    train(model, make_batches, SCHEDULE, tmp_path / "whole", probe=probe)
    for stop in (2, 3, 5):  # within a stage, between two, after the last checkpoint of the schedule
        first, first_probe = make_pair()
        parts, seen = tmp_path / f"parts{stop}", []
        train(first, make_batches, SCHEDULE, parts, probe=first_probe, stop_after=stop)
        assert not (parts / MODEL).exists()
        second, second_probe = make_pair()
        train(
            second,
            make_batches,
            SCHEDULE,
            parts,
            probe=second_probe,
            on_step=lambda done, _, seen=seen: seen.append(done),
        )
        assert seen == list(range(stop + 1, 9))
        assert losses_in(parts) == losses_in(tmp_path / "whole")
        for ours, theirs in zip(second.state_dict().values(), model.state_dict().values(), strict=True):
            assert torch.equal(ours, theirs)


def test_the_first_stage_moves_the_projector_alone(make_pair, make_batches, tmp_path):
    (model, probe), (fresh, _) = make_pair(), make_pair()
    schedule = Schedule(stages=SCHEDULE.stages[:1], probe_coef=1.0)
    train(model, make_batches, schedule, tmp_path, probe=probe)
    before = dict(fresh.named_parameters())
    moved = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    assert moved
    assert all("multi_modal_projector" in name for name in moved)


def test_the_second_stage_moves_tower_experts_and_router(make_pair, make_batches, tmp_path):
    (model, probe), (fresh, _) = make_pair(), make_pair()
    train(model, make_batches, SCHEDULE, tmp_path, probe=probe)
    before = dict(fresh.named_parameters())
    moved = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    for part in ("vision_tower.embeddings.patch_embedding", "mlp.experts.down", "mlp.gate.weight", "self_attn.q_proj"):
        assert any(part in name for name in moved), part


def test_the_first_step_is_adamws_by_hand(make_pair, make_batches, tmp_path):
    """Bias-corrected moments of a first gradient g give a step of lr * g / (|g| + eps), after decay by lr * weight."""
    schedule = Schedule(stages=(Stage(num_steps=1, learning_rate=1e-2),), weight_decay=0.1, max_grad_norm=1e9)
    (model, _), (twin, _) = make_pair(num_experts=0), make_pair(num_experts=0)
    batch = make_batches(0)
    batch.pop(VISUAL_LABELS)
    train(model, lambda _step: batch, schedule, tmp_path)
    twin.train()
    twin(**batch).loss.backward()
    weight, gradient = twin.lm_head.weight, twin.lm_head.weight.grad
    expected = weight * (1 - 1e-2 * 0.1) - 1e-2 * gradient / (gradient.abs() + 1e-8)
    torch.testing.assert_close(model.lm_head.weight, expected)


def test_gradients_are_clipped_and_their_norm_is_logged(make_pair, make_batches, tmp_path):
    schedule = Schedule(stages=(Stage(num_steps=1, learning_rate=1e-3),), max_grad_norm=1e-3, log_steps=1)
    model, probe = make_pair()
    train(model, make_batches, schedule, tmp_path, probe=probe)
    norm = torch.sqrt(
        sum(p.grad.square().sum() for p in [*model.parameters(), *probe.parameters()] if p.grad is not None)
    )
    assert losses_in(tmp_path)[0]["grad_norm"] > 1e-3
    torch.testing.assert_close(norm, torch.tensor(1e-3), rtol=1e-3, atol=0)


def test_the_logged_loss_is_the_sum_of_its_logged_parts(make_pair, make_batches, tmp_path):
    model, probe = make_pair()
    train(model, make_batches, SCHEDULE, tmp_path, probe=probe)
    lines = losses_in(tmp_path)
    assert [line["step"] for line in lines] == list(range(1, 9))
    for line in lines:
        routing = 1e-4 * line["specialization"] + 1e-3 * line["load_balance"]
        assert line["loss"] == pytest.approx(line["task_loss"] + routing + 0.5 * line["probe"], rel=1e-5)


def test_training_on_one_batch_lowers_its_loss(make_pair, make_batches, tmp_path):
    model, probe = make_pair()
    schedule = Schedule(stages=(Stage(num_steps=12, learning_rate=1e-2),), probe_coef=0.1, log_steps=1)
    train(model, lambda _step: make_batches(0), schedule, tmp_path, probe=probe)
    lines = losses_in(tmp_path)
    assert lines[-1]["task_loss"] < 0.5 * lines[0]["task_loss"]


def test_the_finished_model_loads_as_any_other(make_pair, make_batches, tmp_path):
    model, probe = make_pair()
    train(model, make_batches, SCHEDULE, tmp_path, probe=probe)
    loaded = AutoModelForImageTextToText.from_pretrained(tmp_path / MODEL)
    for ours, theirs in zip(loaded.state_dict().values(), model.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    assert not model.training


def test_the_probe_is_cross_entropy_over_labelled_tokens_of_its_states():
    probe = VisualProbe(4, NUM_CLASSES, hidden_states=(0, 2))
    states = tuple(torch.randn(1, 3, 4) for _ in range(3))
    labels_PBS = torch.tensor([[[1, IGNORED, 2]], [[IGNORED, 0, IGNORED]]])
    logs = [probe.heads[i](states[state])[0].log_softmax(-1) for i, state in enumerate((0, 2))]
    expected = -(logs[0][0, 1] + logs[0][2, 2]) / 2 - logs[1][1, 0]
    torch.testing.assert_close(probe(states, labels_PBS), expected)


def test_a_checkpoint_of_another_plan_is_refused(make_pair, make_batches, tmp_path):
    model, probe = make_pair()
    train(model, make_batches, SCHEDULE, tmp_path, probe=probe, stop_after=2)
    other = Schedule(stages=SCHEDULE.stages, probe_coef=0.1)
    with pytest.raises(ValueError, match=r"must be of the same schedule, got another in .*; choose another folder"):
        train(model, make_batches, other, tmp_path, probe=probe)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_checkpoint(make_pair, make_batches, tmp_path):
    model, probe = make_pair()

    def broken(step):
        batch = make_batches(step)
        return batch if step < 3 else {**batch, "pixel_values": batch["pixel_values"] * math.nan}

    with pytest.raises(ValueError, match="loss must be finite, got nan at step 3; lower the learning rate"):
        train(model, broken, SCHEDULE, tmp_path, probe=probe)
    assert len(losses_in(tmp_path)) == 2


def test_gradients_that_are_not_finite_stop_the_run_before_they_touch_a_weight(make_pair, make_batches, tmp_path):
    model, probe = make_pair()
    weight, steps = model.lm_head.weight, []
    weight.register_hook(lambda gradient: gradient * (math.inf if len(steps) == 3 else 1.0))
    with pytest.raises(ValueError, match=r"gradients must be finite, got a norm of .* at step 3; lower the"):
        train(model, make_batches, ONE_STAGE, tmp_path, probe=probe, on_step=lambda done, _loss: steps.append(done))
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    fresh, fresh_probe = make_pair()
    train(fresh, make_batches, ONE_STAGE, tmp_path, probe=fresh_probe)
    assert len(losses_in(tmp_path)) == 5


def test_a_batch_without_labels_is_refused(make_pair, make_batches, tmp_path):
    model, probe = make_pair()
    batch = {name: tensor for name, tensor in make_batches(0).items() if name not in ("labels", VISUAL_LABELS)}
    with pytest.raises(ValueError, match="a batch must hold labels, visual_labels_PBS, got input_ids, pixel_values"):
        train(model, lambda _step: batch, SCHEDULE, tmp_path, probe=probe)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"stages": ()}, "stages must each have at least one step"),
        ({"stages": (Stage(num_steps=0, learning_rate=1.0),)}, "stages must each have at least one step"),
        ({"stages": SCHEDULE.stages, "log_steps": 0}, "log_steps must be at least 1, got 0"),
        ({"stages": SCHEDULE.stages, "decay_share": 1.5}, r"decay_share must be in \[0, 1\], got 1.5"),
    ],
)
def test_plans_that_do_nothing_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Schedule(**fields)


DAMAGES = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("{}"),
    "flipped": lambda path: path.write_bytes(bytes(255 - byte for byte in path.read_bytes())),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a list": lambda path: torch.save([1, 2], path),
    "code": lambda path: torch.save({"plan": Stage}, path),  # what is no number, text or tensor is never loaded
}
CHANGES = {
    "no weights": lambda state: state.pop("modules"),
    "weights of another shape": lambda state: state.update(modules={name: value[..., :1]
                                                                    for name, value in state["modules"].items()}),
    "more steps than there are": lambda state: state.update(num_done=10**9),
    "steps below 1": lambda state: state.update(num_done=-1),
    "steps that are no number": lambda state: state.update(num_done="two"),
    "a log that is none": lambda state: state.update(log=["{"]),
    "a log without steps": lambda state: state.update(log=["[]"]),
    "random numbers of another kind": lambda state: state.update(random=torch.zeros(3)),
    "an optimizer of another model": lambda state: state.update(optimizer={}),
}  # fmt: skip


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Return a folder that is filled once by whoever comes first: a run that stopped after two steps."""
    return tmp_path_factory.mktemp("stopped")


@pytest.mark.parametrize("name", [*DAMAGES, *CHANGES])
def test_a_damaged_checkpoint_is_named_with_a_remedy(make_pair, make_batches, stopped, tmp_path, name):
    if not (stopped / "checkpoint.pt").exists():
        model, probe = make_pair()
        train(model, make_batches, SCHEDULE, stopped, probe=probe, stop_after=2)
    path = shutil.copytree(stopped, tmp_path / "run") / "checkpoint.pt"
    if name in DAMAGES:
        DAMAGES[name](path)
    else:
        state = torch.load(path, weights_only=True)
        CHANGES[name](state)
        torch.save(state, path)
    model, probe = make_pair()
    rule = f"^{re.escape(str(path))} must be a checkpoint as training writes it, got .*; restore it, or remove it"
    with pytest.raises(ValueError, match=rule):
        train(model, make_batches, SCHEDULE, path.parent, probe=probe, stop_after=1)
