"""Load published decoders of Qwen3-MoE's family: their tensors are copied one by one into the model's own storage.

Shapes: E experts, I width of one expert, D hidden size.
"""

# transformers' methods carry no annotations.
# mypy: allow-untyped-calls

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from safetensors import safe_open
from transformers import PreTrainedConfig, Qwen3MoeConfig
from transformers.utils import CONFIG_NAME, SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME

from moevlm.config import MoEVLMTextConfig
from moevlm.model.modeling import MoEVLMTextModel
from moevlm.model.vision_language import MoEVLMForConditionalGeneration
from moevlm.smoes.binning import ExpertBins
from moevlm.smoes.modality import GaussianModality

FAMILY = "qwen3_moe"
CARRIED_FIELDS = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "hidden_act", "max_position_embeddings", "initializer_range", "rms_norm_eps",
    "rope_parameters", "attention_bias", "attention_dropout", "num_experts", "num_experts_per_tok",
    "moe_intermediate_size", "norm_topk_prob", "tie_word_embeddings", "pad_token_id", "bos_token_id", "eos_token_id",
)  # fmt: skip
EXPERT_FIELDS = ("num_experts", "num_experts_per_tok", "moe_intermediate_size", "norm_topk_prob")  # of an MoE alone
UNBUILT_FIELDS = {"decoder_sparse_step": 1, "mlp_only_layers": [], "use_sliding_window": False}  # our only choices
# They change what the decoder computes, and no tensor's shape shows them (num_experts: a dense model is named first).
SILENT_FIELDS = (
    "num_experts", "num_experts_per_tok", "norm_topk_prob", "rope_parameters", "rms_norm_eps", "hidden_act",
    "tie_word_embeddings",
)  # fmt: skip
HEAD = "lm_head.weight"
HUB_FILES = (CONFIG_NAME, "model*.safetensors", SAFE_WEIGHTS_INDEX_NAME)
NUM_NAMES_SHOWN = 3  # of a list of tensors in an error

logger = logging.getLogger(__name__)


def text_config_from(config: PreTrainedConfig) -> MoEVLMTextConfig:
    """Describe a published decoder as ours, without specialization.

    Raises:
        ValueError: It describes another architecture, or layers that our decoder does not build.

    >>> text_config_from(Qwen3MoeConfig(num_experts=16, num_experts_per_tok=4)).num_experts_per_tok
    4
    """
    _require_family(config.model_type)
    for name, built in UNBUILT_FIELDS.items():
        if getattr(config, name) != built:
            raise ValueError(f"{name} must be {built}, got {getattr(config, name)}; take a checkpoint with experts "
                             "in every layer and full attention")  # fmt: skip
    fields = {name: deepcopy(getattr(config, name)) for name in CARRIED_FIELDS}
    # Qwen3MoeConfig does not declare head_dim; published files set it.
    return MoEVLMTextConfig(head_dim=getattr(config, "head_dim", None), **fields)  # type: ignore[arg-type]


def _require_family(model_type: object) -> None:
    if model_type != FAMILY:
        raise ValueError(
            f"the checkpoint's model_type must be {FAMILY} (grouped-query attention with a q/k norm for each head, "
            f"SwiGLU experts), got {model_type}; take a checkpoint of Qwen3-MoE's family"
        )


def load_decoder(model: MoEVLMForConditionalGeneration | MoEVLMTextModel, checkpoint: str | Path) -> None:
    """Replace a decoder's weights, and the output head if there is one, by a published checkpoint's.

    Everything is checked before the first weight changes. Values take the model's dtype and device. The files are
    mapped one at a time and no second copy is held. SMoES state (expert bins, modality Gaussians) starts fresh.

    Args:
        model: The model, its decoder shaped as `text_config_from` says.
        checkpoint: Folder with config.json and safetensors files, or a model's name on the Hugging Face Hub.

    Raises:
        ValueError: The checkpoint cannot be found or is of another architecture, or a field, a tensor's name or a
            tensor's shape differs from the model's.
    """
    decoder = model if isinstance(model, MoEVLMTextModel) else model.model.language_model
    folder = _checkpoint_folder(checkpoint)
    _require_same_function(decoder.config, text_config_from(_read_config(folder)))
    shards = _shards(folder)
    shapes = _stored_shapes(shards)
    places = _places(decoder, fused=any(name.endswith(".experts.gate_up_proj") for name in shapes))
    if decoder is not model and not decoder.config.tie_word_embeddings:
        places[HEAD] = model.lm_head.weight.detach()
    else:
        shapes.pop(HEAD, None)  # a bare decoder has no head, a tied one is the embedding
    _require_same_tensors(places, shapes)
    for shard in shards:
        _copy_shard(shard, places)
    _start_specialization_afresh(decoder)


def _checkpoint_folder(checkpoint: str | Path) -> Path:
    if Path(checkpoint).is_dir():
        return Path(checkpoint)
    try:
        return Path(snapshot_download(str(checkpoint), allow_patterns=list(HUB_FILES)))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"checkpoint must be a folder, or a model on the Hugging Face Hub that can be reached, got {checkpoint}; "
            "correct the path or the name, or download it first"
        ) from error


def _read_config(folder: Path) -> Qwen3MoeConfig:
    path = folder / CONFIG_NAME
    if not path.is_file():
        raise ValueError(
            f"a checkpoint's folder must hold {CONFIG_NAME}, got {folder} without; name the folder that does"
        )
    _require_family(json.loads(path.read_text()).get("model_type"))
    return Qwen3MoeConfig.from_pretrained(folder)


def _require_same_function(ours: MoEVLMTextConfig, theirs: MoEVLMTextConfig) -> None:
    for name in SILENT_FIELDS:
        if getattr(ours, name) != getattr(theirs, name):
            raise ValueError(
                f"{name} must be the checkpoint's, {getattr(theirs, name)}, got {getattr(ours, name)}; "
                "build the model with text_config_from(the checkpoint's configuration)"
            )


def _shards(folder: Path) -> list[Path]:
    index = folder / SAFE_WEIGHTS_INDEX_NAME
    names = set(json.loads(index.read_text())["weight_map"].values()) if index.is_file() else {SAFE_WEIGHTS_NAME}
    if missing := sorted(name for name in names if not (folder / name).is_file()):
        raise ValueError(f"a checkpoint must hold all its safetensors files, got {folder} without {_some(missing)}; "
                         "download it again, or convert it to safetensors")  # fmt: skip
    return sorted(folder / name for name in names)


def _stored_shapes(shards: Sequence[Path]) -> dict[str, tuple[int, ...]]:
    shapes = {}
    for shard in shards:
        with safe_open(shard, framework="pt") as file:
            shapes.update({name: tuple(file.get_slice(name).get_shape()) for name in file.keys()})  # noqa: SIM118
    return shapes


def _places(decoder: MoEVLMTextModel, *, fused: bool) -> dict[str, torch.Tensor]:
    """Name by the checkpoint's names the views of our parameters that its tensors go into."""
    places: dict[str, torch.Tensor] = {}
    for name, parameter in decoder.named_parameters(prefix="model"):
        path, _, kind = name.rpartition(".")
        if kind in EXPERT_VIEWS:
            views = EXPERT_VIEWS[kind](parameter.detach(), fused)
            places |= {f"{path}.{part}": view for part, view in views.items()}
        else:
            places[name] = parameter.detach()
    return places


def _gate_up_views(stored: torch.Tensor, fused: bool) -> dict[str, torch.Tensor]:
    if fused:
        return {"gate_up_proj": stored}
    gate_EID, up_EID = stored.chunk(2, dim=1)
    return _views_by_expert("gate_proj", gate_EID) | _views_by_expert("up_proj", up_EID)


def _down_views(stored_EID: torch.Tensor, fused: bool) -> dict[str, torch.Tensor]:
    down_EDI = stored_EID.transpose(1, 2)
    return {"down_proj": down_EDI} if fused else _views_by_expert("down_proj", down_EDI)


def _views_by_expert(projection: str, stored: torch.Tensor) -> dict[str, torch.Tensor]:
    return {f"{expert}.{projection}.weight": view for expert, view in enumerate(stored)}


EXPERT_VIEWS = {"gate_up_proj": _gate_up_views, "down": _down_views}  # our parameter -> the checkpoint's tensors


def _require_same_tensors(places: Mapping[str, torch.Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    if missing := sorted(places.keys() - shapes.keys()):
        raise ValueError(f"the checkpoint must hold every tensor of the decoder, got none for {_some(missing)}; "
                         "download it again, or build the model with text_config_from")  # fmt: skip
    if unexpected := sorted(shapes.keys() - places.keys()):
        raise ValueError(f"the decoder must have a place for every tensor, got none for {_some(unexpected)}; take an "
                         "unquantized checkpoint, or build the model with text_config_from")  # fmt: skip
    for name, place in places.items():
        if tuple(place.shape) != shapes[name]:
            raise ValueError(f"{name} must be {tuple(place.shape)} as in the model, got {shapes[name]}; "
                             "build the model with text_config_from")  # fmt: skip
        if place.is_meta:
            raise ValueError(f"the model must have storage, got {name} on the meta device; build it on a real one")


def _some(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:NUM_NAMES_SHOWN])
    return shown if len(names) <= NUM_NAMES_SHOWN else f"{shown} and {len(names) - NUM_NAMES_SHOWN} more"


def _copy_shard(shard: Path, places: Mapping[str, torch.Tensor]) -> None:
    with safe_open(shard, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118  # a file of safetensors is no mapping
            if name in places:
                places[name].copy_(file.get_tensor(name))


def _start_specialization_afresh(decoder: MoEVLMTextModel) -> None:
    states = [module for module in decoder.modules() if isinstance(module, ExpertBins | GaussianModality)]
    for state in states:
        state.reset()
    if states:
        logger.warning(
            "the checkpoint holds no SMoES state: expert bins and modality Gaussians start fresh; train first"
        )
