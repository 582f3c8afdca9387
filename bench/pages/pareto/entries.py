"""One entry of a document, a scored model on one task: what it must hold, checked before anything is computed."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from bench.pages.pareto.points import AXES, KINDS, LIMITS, MEASURED, PREDICTED, SUPPLIED

FIELDS = ("task", "variant", "size", "num_parameters", "num_active_parameters", "accuracy", "throughput")
FIELDS_OF_TIER = {SUPPLIED: (*FIELDS, "kind", "answers")}  # a name that a user chose tells no kind

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
            raise ValueError(f"{field} of {name} must be {rule}, got {entry[field]!r}")
    _require_share(entry["accuracy"]["all"], name)
    for axis in AXES:
        _require_rate(entry["throughput"].get(axis), axis, name)
    if "answers" in entry:
        _require_answers(entry["answers"], name)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int | float) and 0 < value < math.inf


RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {  # field -> what it holds where it is there, and in words
    **dict.fromkeys(("task", "variant", "size"), (_is_text, "text")),
    **dict.fromkeys(("num_parameters", "num_active_parameters"), (_is_count, "a number above 0")),
    "kind": (lambda kind: kind in tuple(KINDS), f"one of {', '.join(KINDS)}"),
    "basis": (lambda basis: basis in (MEASURED, PREDICTED), f"{MEASURED} or {PREDICTED}"),
}


def _require_share(table: Json, name: str) -> None:
    limits = [table[limit] for limit in LIMITS]
    if not all(map(_is_number, limits)) or not 0 <= limits[1] <= limits[0] <= limits[2] <= 1:
        raise ValueError(
            f"accuracy.all of {name} must be a share, 0 <= low <= estimate <= high <= 1, got {_written(table)}; "
            "divide percent by 100"
        )


def _require_rate(table: Json | None, axis: str, name: str) -> None:
    limits = [table[limit] for limit in LIMITS] if table else []
    if not limits or not all(map(_is_number, limits)) or not 0 < limits[1] <= limits[0] <= limits[2]:
        got = _written(table) if table else "none"
        raise ValueError(f"throughput of {name} must have {axis}, 0 < low <= estimate <= high, got {got}")


def _written(table: Json) -> str:
    return ", ".join(f"{limit} {table[limit]!r}" for limit in LIMITS)


def _require_answers(answers: Any, name: str) -> None:
    if not answers:
        raise ValueError(f"answers of {name} must hold at least one, got none")
    for answer in answers:
        source, score = answer["source"], answer["score"]
        if not _is_text(source) or not (score is None or (_is_number(score) and 0 <= score <= 1)):
            raise ValueError(
                f"an answer of {name} must have a source and a score from 0 to 1 or null, got {source!r} and {score!r}"
            )
