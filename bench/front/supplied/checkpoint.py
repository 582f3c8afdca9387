"""Load a checkpoint that answers questions about images: ours, or any that transformers knows as image-text-to-text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor, PreTrainedConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

from bench.front.supplied.plausible import require_plausible, require_stored
from moevlm.config import MoEVLMConfig
from moevlm.model.processing import MoEVLMProcessor

OURS = (MoEVLMConfig.model_type, MoEVLMProcessor.__name__)  # importing them makes them known to transformers
# As the families' configurations write them; those with moe_ are Aria's, top_k_experts is Gemma 4's.
EXPERT_FIELDS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
TOP_K_FIELDS = ("num_experts_per_tok", "moe_topk", "top_k_experts")
EXPERTS = ".experts."  # in the name of a parameter that a token meets only if it is routed there
NUM_NAMES_SHOWN = 3
NUM_HASHED = 64  # values of each tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """A model in eval mode and the processor that belongs to it."""

    name: str
    model: Any  # transformers' classes share no type that has both generate and a processor's inputs
    processor: Any

    @property
    def num_parameters(self) -> int:
        """Count all parameters."""
        return sum(int(parameter.numel()) for parameter in self.model.parameters())

    @property
    def num_active_parameters(self) -> int:
        """Count what one token meets: of the experts top K of each layer, and everything else."""
        routed = sum(int(tensor.numel()) for name, tensor in self.model.named_parameters() if EXPERTS in name)
        if not routed:
            return self.num_parameters
        num_experts, top_k = (_expert_count(self.model.config, fields) for fields in (EXPERT_FIELDS, TOP_K_FIELDS))
        return self.num_parameters - routed + routed * top_k // num_experts

    @property
    def kind(self) -> str:
        """Say what it is: only a model of ours that was configured with bins is SMoES."""
        if self.num_active_parameters == self.num_parameters:
            return "dense"
        return "smoes" if getattr(self.model.config.get_text_config(), "num_bins", 1) > 1 else "moe"

    @property
    def weights(self) -> str:
        """Tell checkpoints of one shape apart: a hash of the first values of each tensor, for training moves them."""
        digest = sha256()
        for name, parameter in self.model.named_parameters():
            values = parameter.detach().flatten()[:NUM_HASHED].float().cpu()
            digest.update(name.encode() + values.numpy().tobytes())
        return digest.hexdigest()[:16]


def load_checkpoint(
    name: str,
    *,
    device: torch.device,
    dtype: torch.dtype,
    check: Callable[[Any, PreTrainedConfig], None] = lambda *_: None,
) -> Checkpoint:
    """Load a model and its processor.

    Args:
        name: Folder of a checkpoint, or a model's name on the Hugging Face Hub; code that a checkpoint brings along is
            never run.
        check: Called with the processor and the configuration before the weights load; what it raises is passed on.

    Raises:
        ValueError: There is no such checkpoint, it is of another architecture, its weights are incomplete, no
            processor comes with it, or it has experts and does not say how many.
    """
    config = _config(name)
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        raise ValueError(
            f"--checkpoint must be an image-text-to-text model, got model_type {config.model_type} in {name}; "
            "take a vision-language checkpoint that AutoModelForImageTextToText knows"
        )
    require_plausible(name, config)
    processor = _processor(name)
    check(processor, config)
    require_stored(name, config)
    try:
        loaded: Any = AutoModelForImageTextToText.from_pretrained(name, dtype=dtype, output_loading_info=True)
    except Exception as error:  # as above
        raise ValueError(f"the weights of {name} must load, got {first_line(error)}; download them again") from error
    model, report = loaded
    _require_all_weights(name, report)
    _require_expert_counts(model)
    return Checkpoint(name=name, model=on_device(device, model, name).eval(), processor=processor)


def on_device(device: torch.device, model: Any, name: str) -> Any:
    """Move a model to a device.

    Raises:
        ValueError: It does not fit.
    """
    try:
        return model.to(device)
    except torch.OutOfMemoryError as error:
        size = sum(parameter.nbytes for parameter in model.parameters()) / 2**30
        raise ValueError(
            f"the weights of {name} must fit on {device}, got {size:.1f} GiB of them; give a device with more memory, "
            "or --dtype bfloat16"
        ) from error


def _require_expert_counts(model: Any) -> None:
    """Refuse what would be counted as dense, before hours of answers."""
    if any(EXPERTS in name for name, _ in model.named_parameters()):
        for fields in (EXPERT_FIELDS, TOP_K_FIELDS):
            _expert_count(model.config, fields)


def _expert_count(config: PreTrainedConfig, fields: Sequence[str]) -> int:
    """Return the first of some fields of the decoder's configuration that holds a number."""
    text = config.get_text_config()
    found = next((value for name in fields if isinstance(value := getattr(text, name, None), int) and value), None)
    if found is None:
        raise ValueError(
            f"a model with experts must say in its configuration one of {', '.join(fields)} as a number, got none in "
            f"{type(text).__name__}; add its field's name to bench/front/supplied/checkpoint.py"
        )
    return found


def _config(name: str) -> PreTrainedConfig:
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(name)
    except Exception as error:  # transformers and what it calls say in many ways that a stranger's file is damaged
        raise ValueError(
            "--checkpoint must be a folder with config.json, or a model's name on the hub, of an architecture that "
            f"transformers has without code of the checkpoint's own, got {name}: {first_line(error)}"
        ) from error
    return config


def _processor(name: str) -> Any:
    remedy = "save it beside the weights with processor.save_pretrained"
    try:
        processor = AutoProcessor.from_pretrained(name)
    except Exception as error:  # as above; a package that it needs may be missing too
        raise ValueError(f"{name} must hold its processor, got {first_line(error)}; {remedy}") from error
    missing = [part for part in ("tokenizer", "image_processor") if getattr(processor, part, None) is None]
    if missing:  # AutoProcessor falls back to a tokenizer alone
        raise ValueError(
            f"{name} must hold a processor of text and images, got {type(processor).__name__} without "
            f"{' and '.join(missing)}; {remedy}"
        )
    if not (getattr(processor, "chat_template", None) or getattr(processor, "image_token", None)):
        raise ValueError(
            f"a processor must have a chat template or an image_token to write a prompt with, got "
            f"{type(processor).__name__} of {name} without; give the checkpoint its chat_template.jinja"
        )
    processor.tokenizer.padding_side = "left"  # the answer goes on where the prompt ends
    if processor.tokenizer.pad_token is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    return processor


def _require_all_weights(name: str, report: Any) -> None:
    """Refuse what transformers would fill with random numbers."""
    absent = sorted({*report["missing_keys"], *(str(key) for key in report["mismatched_keys"])})
    if absent:
        raise ValueError(
            f"{name} must hold every weight of its architecture in its shape, got none for "
            f"{', '.join(absent[:NUM_NAMES_SHOWN])}{' and more' * (len(absent) > NUM_NAMES_SHOWN)}; download it again"
        )


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, or its name where it says nothing."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
