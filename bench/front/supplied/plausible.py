"""Whether a checkpoint's files can hold what its configuration says: a digit too many would fill the memory."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText, PreTrainedConfig

from bench.front.supplied.causes import first_line, remedy_of

MOST_OF_A_KIND = 10_000  # layers, heads, experts: ten times the most of any released model
COUNTED = re.compile(r"(num_|n_)\w*(layers?|heads?|experts?)\w*|depths?")
PARAMETERS_A_BYTE = 2  # where they are stored in 4 bits, the fewest that is in use
WEIGHTS = ("*.safetensors", "*.bin")


def require_plausible(name: str, config: PreTrainedConfig) -> None:
    """Refuse a configuration of absurd counts: a model of them would be built for hours.

    Raises:
        ValueError: It has more layers, heads or experts than any model.
    """
    for place, value in _counts(config.to_dict()):
        if value > MOST_OF_A_KIND:
            raise ValueError(
                f"{name}/config.json: {place} must be {MOST_OF_A_KIND} at most, got {value!r:.40}; download it again"
            )


def described(name: str, config: PreTrainedConfig) -> Any:
    """Return the model that a configuration describes, without memory for its weights.

    Raises:
        ValueError: It describes none.
    """
    try:
        with torch.device("meta"):
            return AutoModelForImageTextToText.from_config(config)
    except Exception as error:  # in as many ways as there are values that make no model
        said = f"{type(error).__name__}: {first_line(error)}"
        remedy = remedy_of(error, name, "download it again")
        raise ValueError(f"{name}/config.json must describe a model, got {said}; {remedy}") from error


def require_stored(name: str, model: Any) -> None:
    """Refuse a model of more parameters than lie in its folder; what is on the hub is missed when it is fetched.

    Raises:
        ValueError: It is larger than its files.
    """
    files = [path for pattern in WEIGHTS for path in Path(name).glob(pattern) if path.is_file()]
    if not files:
        return
    wanted, stored = (sum(sizes) for sizes in ((int(p.numel()) for p in model.parameters()),
                                               (path.stat().st_size for path in files)))  # fmt: skip
    if wanted > PARAMETERS_A_BYTE * stored:
        raise ValueError(
            f"the weights of {name} must be the {wanted:,} parameters of its config.json, got {stored:,} bytes; "
            "download them again"
        )


def _counts(fields: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, int]]:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _counts(value, f"{place}{name}.")
        elif isinstance(value, int) and COUNTED.fullmatch(str(name)):  # Aria's sizes are keys
            yield f"{place}{name}", value
