"""One entry of a document, a scored model on one task: what it must hold, checked before anything is computed."""

import math
import sys
from collections.abc import Callable, Mapping
from reprlib import repr as shortened
from typing import Any

from bench.pages.pareto.points import AXES, KINDS, MEASURED, PREDICTED, SUPPLIED

FIELDS = ("task", "variant", "size", "num_parameters", "num_active_parameters", "accuracy", "throughput")
FIELDS_OF_TIER = {SUPPLIED: (*FIELDS, "kind", "answers")}  # a name that a user chose tells no kind
ABOVE_0 = math.ulp(0.0)

Json = Mapping[str, Any]


def require_entry(entry: Json, tier: str) -> None:
    """Refuse what is no scored model.

    Args:
        entry: Of a document.
        tier: The document's.

    Raises:
        ValueError: A field is missing or holds what it cannot.
    """
    fields = FIELDS_OF_TIER.get(tier, FIELDS)
    missing = [name for name in fields if name not in entry]
    if missing:
        raise ValueError(f"an entry must have {', '.join(fields)}, one has no {', '.join(missing)}")
    name = f"{entry['task']} {entry['variant']} {entry['size']}".strip()
    for field, (holds, rule) in RULES.items():
        if field in entry and not holds(entry[field]):
            raise ValueError(f"{field} of {name} must be {rule}, got {shortened(entry[field])}")
    for answer in entry.get("answers", ()):
        if not _is_answer(answer):
            raise ValueError(f"an answer of {name} must have a source and a score from 0 to 1 or null, got {answer}")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object, least: float = ABOVE_0, most: float = sys.float_info.max) -> bool:
    return isinstance(value, int | float) and least <= value <= most


def _is_interval(table: Json, *limits: float) -> bool:
    found: list[Any] = [table.get(name) for name in ("low", "estimate", "high")]
    return all(_is_number(value, *limits) for value in found) and sorted(found) == found


def _is_answer(answer: Json) -> bool:
    return _is_text(answer["source"]) and (answer["score"] is None or _is_number(answer["score"], 0, 1))


RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {  # field -> what it holds where it is there, and in words
    **dict.fromkeys(("task", "variant", "size"), (_is_text, "text")),
    **dict.fromkeys(("num_parameters", "num_active_parameters"), (_is_number, "a number above 0")),
    "kind": (tuple(KINDS).__contains__, f"one of {', '.join(KINDS)}"),
    "basis": ((MEASURED, PREDICTED).__contains__, f"{MEASURED} or {PREDICTED}"),
    "accuracy": (
        lambda accuracy: _is_interval(accuracy["all"], 0, 1),
        "a share for all, 0 <= low <= estimate <= high <= 1 (divide percent by 100)",
    ),
    "throughput": (
        lambda rates: all(_is_interval(rates.get(axis, {})) for axis in AXES),
        f"rates for {' and '.join(AXES)}, 0 < low <= estimate <= high",
    ),
    "answers": (bool, "at least one"),
}
