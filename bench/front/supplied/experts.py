"""How many parameters of a model with experts a token meets, by what its decoder's configuration says."""

from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedConfig

# As the families' configurations write them; those with moe_ are Aria's, top_k_experts is Gemma 4's.
EXPERT_FIELDS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
TOP_K_FIELDS = ("num_experts_per_tok", "moe_topk", "top_k_experts")
EXPERTS = ".experts."  # in the name of a parameter that a token meets only if it is routed there


def num_routed(model: Any) -> int:
    """Count the parameters of all experts among which a router chooses."""
    return sum(int(tensor.numel()) for name, tensor in model.named_parameters() if EXPERTS in name)


def chosen_of(config: PreTrainedConfig) -> tuple[int, int]:
    """Return how many experts a token meets, and of how many.

    Raises:
        ValueError: The configuration says neither in a field that is known.
    """
    num_experts = _count(config, EXPERT_FIELDS)
    return _count(config, TOP_K_FIELDS), num_experts


def _count(config: PreTrainedConfig, fields: Sequence[str]) -> int:
    """Return the first of some fields of the decoder's configuration that holds a number."""
    text = config.get_text_config()
    found = next((value for name in fields if isinstance(value := getattr(text, name, None), int) and value), None)
    if found is None:
        raise ValueError(
            f"a model with experts must say in its configuration one of {', '.join(fields)} as a number, got none in "
            f"{type(text).__name__}; add its field's name to bench/front/supplied/experts.py"
        )
    return found
