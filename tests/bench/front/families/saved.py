"""Small checkpoints of a family with random weights, laid out as published ones."""

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForImageTextToText, PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

from tests.bench.front.families.shrinking import PATCHES, small_config
from tests.bench.front.families.table import FAMILIES, Family
from tests.bench.front.families.tokens import ids_of, tokenizer_of

NUM_TOKENS = 2304  # of a vocabulary: the shipped tokenizer's 2,048 and room for a family's own


def save_family(name: str, folder: Path, *, dtype: torch.dtype = torch.float32, shard: str = "1GB") -> None:
    """Save a small checkpoint of a family.

    Args:
        name: A kind of transformers', or another of the table.
        dtype: Of the weights on disk.
        shard: The largest file of weights.
    """
    family = FAMILIES.get(name, Family())
    model_type = family.model_type or name
    torch.manual_seed(0)
    processor = _processor_class(model_type, family)
    tokenizer = tokenizer_of(processor, family.named)
    config = small_config(model_type, NUM_TOKENS, family.config)
    ids = ids_of(config.to_dict(), tokenizer, family.marks)
    config = small_config(model_type, NUM_TOKENS, _both(family.config, ids))
    _save_processor(folder, model_type, family, processor, config)
    tokenizer.save_pretrained(folder)
    config.save_pretrained(folder)
    model = AutoModelForImageTextToText.from_config(config, dtype=dtype)
    model.save_pretrained(folder, max_shard_size=shard)


def _processor_class(model_type: str, family: Family) -> type | None:
    if family.processor_class:
        return getattr(transformers, family.processor_class)  # type: ignore[no-any-return]
    return PROCESSOR_MAPPING.get(CONFIG_MAPPING[model_type], None)


def _both(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Merge parts; what the first says stands."""
    parts = [name for name, value in one.items() if isinstance(value, Mapping) and isinstance(other.get(name), Mapping)]
    return {**other, **one, **{name: _both(one[name], other[name]) for name in parts}}


def _save_processor(
    folder: Path, model_type: str, family: Family, processor: type | None, config: PreTrainedConfig
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = {"processor_class": processor.__name__} if processor else {}
    image = {**name, **_image_fields(model_type, family, config)}
    (folder / "preprocessor_config.json").write_text(json.dumps(image, indent=2))
    if family.video:
        (folder / "video_preprocessor_config.json").write_text(json.dumps(family.video))
    if processor:
        fields = {**name, **_processor_fields(processor, config), **family.processor}
        (folder / "processor_config.json").write_text(json.dumps(fields, indent=2))
    if family.mark is not None:
        (folder / "chat_template.jinja").write_text(family.template.replace("MARK", family.mark))


def _image_fields(model_type: str, family: Family, config: PreTrainedConfig) -> dict[str, Any]:
    """Return what `preprocessor_config.json` says: the kind, and the size that the vision tower takes."""
    names = IMAGE_PROCESSOR_MAPPING_NAMES.get(model_type) or {}
    kind = family.image_type or names.get("torchvision") or names.get("pil") or ""
    fields: dict[str, Any] = {"image_processor_type": kind.removesuffix("Pil")}
    found = getattr(transformers, names.get("pil") or kind, None) if kind else None
    if getattr(found, "is_dummy", False):  # its package is not installed
        found = None
    default, crop = getattr(found, "size", None) or {}, getattr(found, "crop_size", None)
    side = getattr(getattr(config, "vision_config", None), "image_size", None)
    side = side[0] if isinstance(side, list | tuple) else side
    if isinstance(side, int) and set(default) in ({"height", "width"}, {"shortest_edge"}):
        fields["size"] = dict.fromkeys(default, side)
        if crop:
            fields["crop_size"] = {"height": side, "width": side}
    vision = getattr(config, "vision_config", None)
    for own, of in (("patch_size", "patch_size"), ("merge_size", "spatial_merge_size"),
                    ("temporal_patch_size", "temporal_patch_size")):  # fmt: skip
        if isinstance(getattr(found, own, None), int) and isinstance(value := getattr(vision, of, None), int):
            fields[own] = value
    return {**fields, **family.image}


def _processor_fields(processor: type, config: PreTrainedConfig) -> dict[str, Any]:
    """Return what `processor_config.json` says of the vision tower, as far as the processor takes it."""
    vision = getattr(config, "vision_config", config)
    known = {
        "patch_size": getattr(vision, "patch_size", None),
        "vision_feature_select_strategy": getattr(config, "vision_feature_select_strategy", None),
        **dict.fromkeys(("image_seq_length", "image_seq_len", "num_image_tokens"), PATCHES**2),
    }
    taken = inspect.signature(processor.__init__).parameters  # type: ignore[misc]
    return {name: value for name, value in known.items() if name in taken and value is not None}
