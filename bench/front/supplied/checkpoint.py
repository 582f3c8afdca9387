"""Load a checkpoint that answers questions about images: ours, or any that transformers knows as image-text-to-text."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForImageTextToText, PreTrainedConfig

from bench.front.supplied.causes import first_line, remedy_of
from bench.front.supplied.experts import chosen_of, num_routed
from bench.front.supplied.families import require_supported
from bench.front.supplied.plausible import described, require_plausible, require_stored
from bench.front.supplied.processor import load_processor
from moevlm.config import MoEVLMConfig
from moevlm.model.processing import MoEVLMProcessor

OURS = (MoEVLMConfig.model_type, MoEVLMProcessor.__name__)  # importing them makes them known to transformers
NUM_NAMES_SHOWN = 3
NUM_HASHED = 64  # values of each tensor
AGAIN = "download them again"


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
        routed = num_routed(self.model)
        if not routed:
            return self.num_parameters
        top_k, num_experts = chosen_of(self.model.config)
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
    device_map: str | None = None,
    check: Callable[[Any, PreTrainedConfig], None] = lambda *_: None,
) -> Checkpoint:
    """Load a model and its processor; code that a checkpoint brings along is never run.

    Args:
        name: Folder of a checkpoint, or a model's name on the Hugging Face Hub.
        device_map: How accelerate spreads the layers over several devices; None for all on the one.
        check: Called with the processor and the configuration before the weights load; what it raises is passed on.

    Raises:
        ValueError: There is no such checkpoint, it is of another architecture, its weights are incomplete or fit
            nowhere, no processor comes with it, or it has experts and does not say how many.
    """
    config = _config(name)
    require_supported(name, config)
    require_plausible(name, config)
    processor = load_processor(name)
    check(processor, config)
    require_stored(name, skeleton := described(name, config))
    if num_routed(skeleton):  # or it would be counted as dense
        chosen_of(config)
    model = _weighted(name, dtype, {"device_map": device_map} if device_map else {})
    model = resident(model, name) if device_map else on_device(device, model, name)
    return Checkpoint(name=name, model=model.eval(), processor=processor)


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
            "--dtype bfloat16, or --device-map auto over several"
        ) from error


def resident(model: Any, name: str) -> Any:
    """Return a model whose layers are spread: what accelerate left off the devices, each step would fetch anew.

    Raises:
        ValueError: Some do not fit.
    """
    away = [key for key, parameter in model.named_parameters() if parameter.is_meta]
    if away:
        raise ValueError(
            f"the weights of {name} must fit on the devices, got {len(away)} tensors left off them, {away[0]} first; "
            "give more devices, or --dtype bfloat16"
        )
    return model


def _config(name: str) -> PreTrainedConfig:
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(name, trust_remote_code=False)
    except Exception as error:  # transformers and what it calls say in many ways that a stranger's file is damaged
        otherwise = "take one in transformers' own layout, whose name on the hub often ends in -hf"
        raise ValueError(
            "--checkpoint must be a folder with config.json, or a model's name on the hub, of an architecture that "
            f"transformers has without code of the checkpoint's own, got {name}: {first_line(error)}; "
            f"{remedy_of(error, name, otherwise)}"
        ) from error
    return config


def _weighted(name: str, dtype: torch.dtype, placed: dict[str, str]) -> Any:
    """Load a model with all its weights."""
    try:
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            name, dtype=dtype, output_loading_info=True, trust_remote_code=False, **placed
        )
    except Exception as error:  # as above
        remedy = remedy_of(error, name, AGAIN)
        raise ValueError(f"the weights of {name} must load, got {first_line(error)}; {remedy}") from error
    model, report = loaded
    _require_all_weights(name, report)
    return model


def _require_all_weights(name: str, report: Any) -> None:
    """Refuse what transformers would fill with random numbers."""
    absent = sorted({*report["missing_keys"], *(str(key) for key in report["mismatched_keys"])})
    if absent:
        raise ValueError(
            f"{name} must hold every weight of its architecture in its shape, got none for "
            f"{', '.join(absent[:NUM_NAMES_SHOWN])}{' and more' * (len(absent) > NUM_NAMES_SHOWN)}; {AGAIN}"
        )
