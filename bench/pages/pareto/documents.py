"""Documents of scored models: what `pareto` reads, checked and joined, those of a tier together.

A document is JSON: {"schema_version", "tier", "machine", "workload", "twins" or "models": [{"task", "variant", "size",
"seed", "num_parameters", "num_active_parameters", "accuracy": {"all": {"estimate", "low", "high", "num_samples"}},
"throughput": {"req_per_s": {"estimate", "low", "high"}, ...}, ...}]}. Accuracy is a share, 0 to 1. Those
of the supplied tier also have "kind", one of KINDS, and "answers": [{"source", "score"}, ...], one a question.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bench.harness.documents import content_of, document_of, parse_json
from bench.harness.environment import describe
from bench.pages.grouping import grouped
from bench.pages.pareto.entries import TIERS, require_document
from bench.pages.pareto.join import join_entries
from bench.pages.pareto.points import Point

REMEDY = "write it again with the command that made it"
TEST = (  # what twins were asked
    "batches of {batch_size} requests, {num_pictures} test pictures, {difficulty} ones where difficulties differ"
)

Json = Mapping[str, Any]


class Origin(NamedTuple):
    """Documents of one machine and one workload, and the tasks that they are of."""

    machine: str
    workload: str
    paths: tuple[Path, ...]
    tasks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Tier:
    """All points of one tier, a key of TIERS; those of a task are of one origin."""

    name: str
    origins: tuple[Origin, ...]
    points: tuple[Point, ...]

    @property
    def tasks(self) -> tuple[str, ...]:
        """Return the tasks in the order of the documents."""
        return tuple(dict.fromkeys(point.task for point in self.points))

    def of(self, task: str) -> list[Point]:
        """Return the points of one task."""
        return [point for point in self.points if point.task == task]

    def origin(self, task: str) -> Origin:
        """Return where the points of one task come from."""
        return next(origin for origin in self.origins if task in origin.tasks)


def read_tiers(paths: Iterable[Path]) -> dict[str, Tier]:
    """Read documents; return what they hold by tier.

    Args:
        paths: Of the documents; two of a tier that share a task must be of one machine and one workload.

    Raises:
        FileNotFoundError: There is no such file.
        CorruptRecord: A file is no such document.
        ValueError: Two that share a task are of different machines or workloads.
    """
    documents = [(path, _read(path)) for path in paths]
    found = {tier: [(path, doc) for path, doc in documents if doc["tier"] == tier] for tier in TIERS}
    return {name: _tier(name, of_tier) for name, of_tier in found.items() if of_tier}


def _read(path: Path) -> Json:
    with document_of(path, remedy=REMEDY):
        document: Json = parse_json(content_of(path))
        require_document(document)
        return document


def _tier(name: str, documents: Sequence[tuple[Path, Json]]) -> Tier:
    groups = grouped(documents, lambda one: (_machine(one[1]), _workload(one[1])))
    origins = tuple(_origin(name, group) for group in groups)
    for task in dict.fromkeys(task for origin in origins for task in origin.tasks):
        _require_one_origin(name, task, [origin for origin in origins if task in origin.tasks])
    points = join_entries(name, [entry for _, document in documents for entry in document[TIERS[name]]])
    return Tier(name=name, origins=origins, points=points)


def _origin(tier: str, documents: Sequence[tuple[Path, Json]]) -> Origin:
    _, first = documents[0]
    tasks = dict.fromkeys(entry["task"] for _, document in documents for entry in document[TIERS[tier]])
    return Origin(_machine(first), _workload(first), tuple(path for path, _ in documents), tuple(tasks))


def _require_one_origin(tier: str, task: str, found: Sequence[Origin]) -> None:
    for what in ("machine", "workload"):
        said = {getattr(origin, what): origin.paths[0] for origin in found}
        if len(said) > 1:
            raise ValueError(
                f"{tier} documents of {task} must be of one {what}, for their throughputs are compared, got "
                f"{'; '.join(f'{value} in {path}' for value, path in said.items())}; make a page of each"
            )


def _machine(document: Json) -> str:
    """Write a document's machine, a sentence or a fingerprint, in a line."""
    machine = document.get("machine", "")
    return describe(machine) if isinstance(machine, Mapping) else str(machine)


def _workload(document: Json) -> str:
    """Write what a document's models were asked, a sentence or the settings of twins' test, in a line."""
    return TEST.format(**document["test"]) if "test" in document else str(document.get("workload", ""))
