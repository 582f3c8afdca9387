"""One run of training: steps over the schedule's stages, a checkpoint now and then, exact resumption."""

from __future__ import annotations

import io
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from torch import nn

from moevlm.training.probe import VISUAL_LABELS, VisualProbe
from moevlm.training.schedule import Schedule

if TYPE_CHECKING:
    from moevlm.model.vision_language import MoEVLM

ADAM_BETAS = (0.9, 0.98)  # the second moment forgets in 50 steps: runs here are short
PROJECTOR_PATH = "multi_modal_projector"
CHECKPOINT, LOG, MODEL = "checkpoint.pt", "log.jsonl", "model"  # what a run leaves in its folder

Batches = Callable[[int], Mapping[str, torch.Tensor]]


def train(
    model: MoEVLM,
    batches: Batches,
    schedule: Schedule,
    folder: Path,
    *,
    probe: VisualProbe | None = None,
    on_step: Callable[[int, float], None] = lambda _step, _loss: None,
    stop_after: int | None = None,
) -> None:
    """Train a model where it lies, from the checkpoint in `folder` if there is one; save model and log there.

    Args:
        model: On its device; its weights are trained in their dtype, in bfloat16 autocast on a GPU.
        batches: Step -> the forward's tensors with labels, and `visual_labels_PBS` for the probe; pure.
        schedule: Stages and rates.
        folder: Takes the checkpoint, the log (a JSON line for some steps) and, at the end, the model.
        probe: Auxiliary head; needs `visual_labels_PBS` in the batches.
        on_step: Told (steps done, loss) after each step: for a progress bar.
        stop_after: End after so many steps of this call, with a checkpoint: for a run in parts.

    Raises:
        ValueError: The checkpoint is of another schedule, a batch lacks labels, or loss or gradients are not finite;
            the last checkpoint is kept.
        OSError: The folder takes no file; the last checkpoint is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(model, probe, schedule, folder)
    start = run.resume()
    end = schedule.num_steps if stop_after is None else min(schedule.num_steps, start + stop_after)
    for step in range(start, end):
        loss = run.step(step, batches(step))
        on_step(step + 1, loss)
        if (step + 1) % schedule.checkpoint_steps == 0 or step + 1 == end:
            run.save(step + 1)
    if end == schedule.num_steps:
        model.train(mode=False)
        _write_model(model, folder / MODEL)


class _Run:
    """What outlives a step: model, probe, optimizer of the stage, and the log."""

    def __init__(self, model: MoEVLM, probe: VisualProbe | None, schedule: Schedule, folder: Path) -> None:
        self.model, self.probe, self.schedule, self.folder = model, probe, schedule, folder
        self.modules = nn.ModuleList([model, *([probe] if probe else [])])
        self.optimizer: torch.optim.AdamW | None = None
        self.stage: int | None = None
        self.lines: list[str] = []

    def step(self, step: int, batch: Mapping[str, torch.Tensor]) -> float:
        self._enter(self.schedule.locate(step)[0])
        assert self.optimizer is not None, "a stage was entered"
        rate = self.schedule.learning_rate(step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        losses = self._losses(batch)
        loss = float(losses["loss"].detach())
        if not math.isfinite(loss):
            raise ValueError(f"loss must be finite, got {loss} at step {step}; lower the learning rate")
        losses["loss"].backward()
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        norm = float(nn.utils.clip_grad_norm_(parameters, self.schedule.max_grad_norm))
        if not math.isfinite(norm):
            raise ValueError(f"gradients must be finite, got a norm of {norm} at step {step}; lower the learning rate")
        self.optimizer.step()
        if (step + 1) % self.schedule.log_steps == 0:
            values = {name: float(value.detach()) for name, value in losses.items()}
            line = {"step": step + 1, "learning_rate": rate, "grad_norm": norm, **values}
            self.lines.append(json.dumps(line))
        return loss

    def _losses(self, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        missing = {"labels", *([VISUAL_LABELS] if self.probe else [])} - set(batch)
        if missing:
            raise ValueError(
                f"a batch must hold {', '.join(sorted(missing))}, got {', '.join(batch)}; add what is missing"
            )
        inputs = {name: tensor for name, tensor in batch.items() if name != VISUAL_LABELS}
        device = self.model.device
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            output = self.model(**inputs, output_hidden_states=self.probe is not None, use_cache=False)
            losses = {"loss": output.loss, "task_loss": output.task_loss}
            if output.routing_losses:
                losses |= output.routing_losses._asdict()
            if self.probe:
                losses["probe"] = self.probe(output.hidden_states, batch[VISUAL_LABELS])
                losses["loss"] = losses["loss"] + self.schedule.probe_coef * losses["probe"]
        return losses

    def _enter(self, number: int) -> None:
        """Begin a stage with an optimizer of its own, unless it has begun."""
        if number == self.stage:
            return
        self.stage, stage = number, self.schedule.stages[number]
        self.modules.train()
        for name, parameter in self.modules.named_parameters():
            parameter.requires_grad_(not stage.projector_only or PROJECTOR_PATH in name)
        learning = [parameter for parameter in self.modules.parameters() if parameter.requires_grad]
        groups = [
            {"params": [p for p in learning if p.dim() > 1], "weight_decay": self.schedule.weight_decay},
            {"params": [p for p in learning if p.dim() <= 1], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=stage.learning_rate, betas=ADAM_BETAS)

    def save(self, num_done: int) -> None:
        assert self.optimizer is not None, "a step was done"
        state = {
            "num_done": num_done,
            "plan": asdict(self.schedule),  # under its key in every checkpoint that exists
            "modules": self.modules.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if self.model.device.type == "cuda" else [],
            "log": self.lines,
        }
        part = self.folder / f"{CHECKPOINT}.part"
        written = io.BytesIO()  # torch tells a full disk as a fault of its own
        torch.save(state, written)
        part.write_bytes(written.getbuffer())
        part.replace(self.folder / CHECKPOINT)
        self._write_log()

    def _write_log(self) -> None:
        (self.folder / LOG).write_text("".join(f"{line}\n" for line in self.lines))

    def resume(self) -> int:
        """Take up the checkpoint if there is one; return the steps already done."""
        path = self.folder / CHECKPOINT
        if not path.exists():
            return 0
        try:
            state = torch.load(path, map_location=self.model.device, weights_only=True)
            is_of_schedule = state["plan"] == asdict(self.schedule)
            num_done = self._take_up(state) if is_of_schedule else 0
        except Exception as error:  # torch says in many ways that a file is not what it wrote
            said = f"{type(error).__name__}: {error}".partition("\n")[0]
            raise ValueError(
                f"{path} must be a checkpoint as training writes it, got {said}; restore it, or remove it to train "
                "from the start"
            ) from error
        if not is_of_schedule:
            raise ValueError(f"a checkpoint must be of the same schedule, got another in {path}; choose another folder")
        self._write_log()  # a run that was killed as it wrote has left a part
        return num_done

    def _take_up(self, state: Mapping[str, Any]) -> int:
        """Go on from a checkpoint's state; return the steps already done."""
        self.modules.load_state_dict(state["modules"])
        num_done = state["num_done"]
        if type(num_done) is not int or not 0 < num_done <= self.schedule.num_steps:
            raise ValueError(f"num_done must be in [1, {self.schedule.num_steps}], got {num_done!r}")
        self.lines = [json.dumps(_line(line)) for line in state["log"]]
        torch.set_rng_state(state["random"].cpu())
        if state["random_cuda"]:
            torch.cuda.set_rng_state_all([random.cpu() for random in state["random_cuda"]])
        self._enter(self.schedule.locate(num_done - 1)[0])
        assert self.optimizer is not None, "the stage was entered"
        self.optimizer.load_state_dict(state["optimizer"])
        return num_done


def _write_model(model: MoEVLM, folder: Path) -> None:
    """Save a model; a disk that refuses it is told as the system tells it."""
    try:
        model.save_pretrained(folder)
    except SafetensorError as error:
        code = re.search(r"os error (\d+)", str(error))
        if code is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1])), str(folder)) from error


def _line(text: str) -> dict[str, float]:
    """Read a line of the log."""
    line: dict[str, float] = json.loads(text)
    if not isinstance(line["step"], int):
        raise ValueError(f"step must be a whole number, got {line['step']!r}")
    return line
