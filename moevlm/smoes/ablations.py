"""The variants of SMoES that are compared: each a few fields of the decoder's configuration."""

from collections.abc import Mapping

from moevlm.config import MoEVLMTextConfig

NUM_BINS = 8  # of the paper's training runs
FIELDS = (  # in which variants differ
    "modality_scores", "num_bins", "binning", "specialization_loss", "load_balance", "num_text_experts",
)  # fmt: skip
SMOES = {"num_bins": NUM_BINS, "specialization_loss": "mutual_information"}

SPECIALIZATIONS: Mapping[str, Mapping[str, object]] = {  # name -> fields that differ from the defaults
    "plain": {},
    "smoes-attention": {**SMOES, "modality_scores": "attention"},
    "smoes-gaussian": {**SMOES, "modality_scores": "gaussian"},
    "hard-scores": {**SMOES, "modality_scores": "hard"},
    "kl": {**SMOES, "modality_scores": "attention", "specialization_loss": "kl"},
    "fixed-bins": {**SMOES, "modality_scores": "attention", "binning": "fixed"},
    "no-bins": {"specialization_loss": "mutual_information", "modality_scores": "attention", "binning": "none"},
    "plain-balance": {**SMOES, "modality_scores": "attention", "load_balance": "plain"},
    "hard-routing": {},  # and half of the experts for text alone
}


def specialization_fields(name: str, num_experts: int) -> dict[str, object]:
    """Return the fields of `MoEVLMTextConfig` that make a variant.

    Args:
        name: One of SPECIALIZATIONS.
        num_experts: Experts of a layer: a multiple of NUM_BINS where the variant has bins.

    Raises:
        ValueError: The name is unknown.

    >>> specialization_fields("hard-routing", 64)
    {'num_text_experts': 32}
    """
    if name not in SPECIALIZATIONS:
        raise ValueError(
            f"specialization must be one of {', '.join(SPECIALIZATIONS)}, got {name!r}; choose one of them"
        )
    half = {"num_text_experts": num_experts // 2} if name == "hard-routing" else {}
    return {**SPECIALIZATIONS[name], **half}


def specialized(config: MoEVLMTextConfig, name: str) -> MoEVLMTextConfig:
    """Return a copy of an MoE decoder's configuration that is this variant, whichever it was before.

    Args:
        config: Of a decoder with experts; every field of other variants goes back to its default.

    Raises:
        ValueError: The name is unknown, or the variant does not fit the number of experts.
    """
    plain = {field: getattr(MoEVLMTextConfig, field) for field in FIELDS}
    return type(config)(**{**config.to_dict(), **plain, **specialization_fields(name, config.num_experts)})
