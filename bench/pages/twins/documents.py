"""Trained twins as `python -m bench.front.trained score` wrote them, sorted by task, size and variant."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.harness.documents import content_of, document_of, parse_json
from bench.harness.forms import checked
from bench.pages.grouping import grouped
from bench.pages.twins.forms import TwinsForm

Twin = Mapping[str, Any]
COEF = "specialization_coef"  # weight of the specialization loss, of a twin that has one; another weight, another model
REMEDY = "score the twins again, with bench.front.trained"
TRAINING = {"recipe": ("task", "size"), "data_hash": ("task", "size", "seed")}  # field -> twins alike in these share it


@dataclass(frozen=True)
class Setting:
    """One task at one size: what twins are compared in."""

    task: str
    size: str
    variants: Mapping[str, Sequence[Twin]]  # one trained with several weights of its loss is a variant for each

    @property
    def name(self) -> str:
        """Say which task and size."""
        return f"{self.task}, {self.size}"

    @property
    def training(self) -> tuple[int, int]:
        """Return the steps, and the pictures of each."""
        return self.twins[0]["steps"], self.twins[0]["recipe"]["num_pictures"]

    @property
    def twins(self) -> list[Twin]:
        """Return the twins of all variants."""
        return [twin for twins in self.variants.values() for twin in twins]


def read_settings(*paths: Path, task: str | None = None, size: str | None = None) -> list[Setting]:
    """Read documents of twins, {"twins": [{"task", "size", ...}]}: a setting a task and size, in their order.

    Args:
        paths: the documents, each of other tasks: their times may be of several machines.
        task: whose twins; of all tasks unless given.
        size: likewise.

    Raises:
        CorruptRecord: a file is no such document.
        ValueError: twins of a setting were trained apart, a task is in two documents, or there is no such task or size.
        FileNotFoundError: there is no file.
    """
    documents = [(path, _read(path)) for path in paths]
    _require_other_tasks(documents)
    twins = [twin for _, document in documents for twin in document]
    require_same_training(twins)
    named = list(zip(variant_names(twins), twins, strict=True))
    for field, value in (("task", task), ("size", size)):
        known = list(dict.fromkeys(str(twin[field]) for _, twin in named))
        if value not in (None, *known):
            raise ValueError(f"--{field} must be one of {', '.join(known)}, got {value!r}; choose one of them")
        named = [(name, twin) for name, twin in named if value in (None, twin[field])]
    by_task = grouped(named, lambda one: one[1]["task"])
    return [_setting(group) for of_task in by_task for group in grouped(of_task, lambda one: one[1]["size"])]


def _read(path: Path) -> list[Twin]:
    with document_of(path, remedy=REMEDY):
        document = parse_json(content_of(path))
        checked(document, TwinsForm)
        twins: list[Twin] = document["twins"]
        return twins


def _require_other_tasks(documents: Iterable[tuple[Path, Sequence[Twin]]]) -> None:
    found: dict[str, Path] = {}
    for path, twins in documents:
        for task in dict.fromkeys(twin["task"] for twin in twins):
            if task in found:
                raise ValueError(
                    f"a task must be in one document, got {task} in {found[task]} and {path}; leave one out"
                )
            found[task] = path


def _setting(named: Sequence[tuple[str, Twin]]) -> Setting:
    task, size = (named[0][1][field] for field in ("task", "size"))
    (name, seed), times = Counter((name, twin["seed"]) for name, twin in named).most_common(1)[0]
    if times > 1:
        raise ValueError(
            f"each seed of a variant must be there once, got seed {seed} of {name} on {task}, {size} twice; "
            "score the twins again"
        )
    groups = grouped(named, lambda one: one[0])
    for group in groups:
        _require_same_layers(group[0][0], [twin for _, twin in group])
    return Setting(task, size, {group[0][0]: [twin for _, twin in group] for group in groups})


def _require_same_layers(name: str, twins: Sequence[Twin]) -> None:
    """Refuse a variant whose twins cannot be drawn as one."""
    layers = {len(twin["routing"]["msi"]) if twin.get("routing") else 0 for twin in twins}
    if len(layers) > 1:
        got = ", ".join(map(str, sorted(layers)))
        raise ValueError(f"twins of {name} must have one number of routed layers, got {got}; {REMEDY}")


def variant_names(twins: Sequence[Twin]) -> list[str]:
    """Name each twin's variant, with the weight of its specialization loss where that is not the usual one.

    Args:
        twins: of one document or of several; usual is the weight that most of those with such a loss have. No loss, a
            weight of 0, never is, and of several as frequent none is.

    >>> variant_names([{"variant": "dense"}, {"variant": "kl", COEF: 0.1}, {"variant": "kl", COEF: 0.0}])
    ['dense', 'kl', 'kl at 0']
    >>> variant_names([{"variant": "kl", COEF: 0.1}, {"variant": "kl", COEF: 0.2}])
    ['kl at 0.1', 'kl at 0.2']
    """
    coefs = [twin.get(COEF) for twin in twins]
    usual = _most_frequent([coef for coef in coefs if coef])
    return [
        str(twin["variant"]) if coef in (None, usual) else f"{twin['variant']} at {coef:g}"
        for twin, coef in zip(twins, coefs, strict=True)
    ]


def _most_frequent(values: Sequence[float]) -> float | None:
    (first, most), (_, next_most) = [*Counter(values).most_common(2), (None, 0), (None, 0)][:2]
    return first if most > next_most else None


def require_same_training(twins: Sequence[Twin]) -> None:
    """Refuse twins that are compared though they were trained by several recipes, or a seed on several data.

    Raises:
        ValueError: they were.
    """
    for field, alike in TRAINING.items():
        found: dict[tuple[str, ...], object] = {}
        for twin in (twin for twin in twins if field in twin):
            key = tuple(str(twin.get(name)) for name in alike)
            if found.setdefault(key, twin[field]) != twin[field]:
                raise ValueError(
                    f"twins of one {', '.join(alike)} must share their {field}, got two for {' '.join(key)}: "
                    f"{found[key]} and {twin[field]}; train each in a folder of its own and score it apart"
                )
