"""What each supported transformers calls things, read off its signatures; and arguments that nobody reads are refused.

| transformers | the cache of a forward, of masks and outputs | images encoded ahead of a forward |
|---|---|---|
| 5.17 | `past_key_values` | not known |
| 5.18 to 5.23 | `past_key_values` | `mm_encoder_outputs` |
| from 5.24 | `cache` (the old name goes in 5.40) | `mm_encoder_outputs` |

Our own forwards take both names of the cache in every version.
"""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from transformers import Cache, GenerationMixin
from transformers.masking_utils import create_causal_mask
from transformers.utils.generic import TransformersKwargs

from moevlm.once import once

CACHE = "cache" if "cache" in inspect.signature(create_causal_mask).parameters else "past_key_values"
# Whether generate() encodes images before it repeats samples, so that each keeps its own.
ENCODES_IMAGES_FIRST = hasattr(GenerationMixin, "_expand_multimodal_outputs")
# Options that transformers hands to any model: what to return beside, and facts of the batch for attention and loss.
OPTIONS = frozenset(TransformersKwargs.__optional_keys__) | {"return_dict"}


def one_cache(cache: Cache | None, past_key_values: Cache | None) -> Cache | None:
    """Return the cache under whichever name it was given.

    Raises:
        ValueError: Both names were used.
    """
    if cache is not None and past_key_values is not None:
        raise ValueError("give the cache once, got cache and past_key_values; leave past_key_values out")
    return past_key_values if cache is None else cache


def taken(function: Callable[..., Any], **optional: object) -> dict[str, Any]:
    """Return those of some arguments that this version's function takes; one that it lacks must be None.

    Raises:
        ValueError: A value was given for an argument that the installed transformers does not know.
    """
    known = _parameters(function)
    if lacking := [name for name, value in optional.items() if name not in known and value is not None]:
        raise ValueError(
            f"{function.__qualname__} of the installed transformers takes no {', '.join(lacking)}, got a value; "
            "leave it out, or install a newer transformers"
        )
    return {name: value for name, value in optional.items() if name in known}


@once
def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def check_arguments(function: Callable[..., Any], others: Iterable[str]) -> None:
    """Refuse arguments besides a function's own that are none of OPTIONS: it would swallow them.

    Raises:
        TypeError: One is unknown, as for any Python function; names it and the known ones.
    """
    if unknown := [name for name in others if name not in OPTIONS]:
        own = [
            name
            for name, parameter in inspect.signature(function).parameters.items()
            if name != "self" and parameter.kind is not parameter.VAR_KEYWORD
        ]
        raise TypeError(
            f"{function.__qualname__} must be given arguments that it knows ({', '.join([*own, *sorted(OPTIONS)])}), "
            f"got {', '.join(unknown)}; correct the name or leave it out"
        )
