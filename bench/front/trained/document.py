"""One document of a folder of trained twins: accuracy, what guessing gets, differences, throughput and routing.

Every twin of a task answers the same pictures of the test split, and all take turns on the same batch of requests, so
accuracy and throughput are of the same machine, samples and hour.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from tabulate import tabulate

from bench.accuracy import ALL, Points, accuracy_table, difference_interval, score_pictures
from bench.front.blind import TRAIN_PICTURES, questions_of
from bench.front.trained.exam import Exam, Scored, score_twin
from bench.front.trained.layers import measure_layers
from bench.front.trained.throughput import measure_throughput
from bench.gate.stats import Interval
from bench.harness.clock import make_clock
from bench.harness.environment import fingerprint, load_average
from bench.harness.writing import replace_text
from bench.pages.twins.documents import COEF, variant_names
from fixtures.tasks.procedural import TRAINING_STYLE, Task
from fixtures.tasks.procedural.blind import learn_blind
from fixtures.training.answers import requests_of
from fixtures.training.runs import find_twins, load_model, read_twin
from fixtures.training.tasks import TRAINED_TASKS
from fixtures.training.tokens import Lexicon
from fixtures.training.variants import has_specialization_loss
from moevlm.training import MODEL

SCHEMA_VERSION = 1
TIER = "measured"
SIGNIFICANT_DIGITS = 6  # of what is written: far finer than any interval, and a third of the file
PROGRESS = Console(stderr=True)
REFERENCE = "dense"  # the variant that the others of a size and seed are compared with


def score_folder(twins: Path, exam: Exam, device: torch.device) -> dict[str, Any]:
    """Score the trained twins of a folder.

    Returns:
        The document: schema_version, tier, machine, test and twins.

    Raises:
        FileNotFoundError: There is no trained twin.
        ValueError: A file of one is damaged, or it is of no task that we know.
    """
    by_task: dict[str, list[Path]] = {}
    for folder in find_twins(twins):
        if (task := read_twin(folder)["task"]) not in TRAINED_TASKS:
            known = ", ".join(TRAINED_TASKS)
            raise ValueError(f"{folder}: task must be one of {known}, got {task!r:.60}; leave the folder out")
        by_task.setdefault(task, []).append(folder)
    load = load_average()
    entries = [
        entry for task, folders in by_task.items() for entry in score_task(TRAINED_TASKS[task], folders, exam, device)
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "tier": TIER,
        "machine": {
            **fingerprint(str(device), "float32", torch.get_num_threads()),
            "load_average": [load, load_average()],
        },
        "test": asdict(exam),
        "twins": entries,
    }


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document as compact JSON, its numbers rounded."""
    replace_text(path, json.dumps(_rounded(document), separators=(",", ":")) + "\n")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    if isinstance(value, Mapping):
        return {name: _rounded(part) for name, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list | tuple) else value


def score_task(task: Task, folders: Sequence[Path], exam: Exam, device: torch.device) -> list[dict[str, Any]]:
    """Return the document's entry of each twin of one task."""
    pictures = exam.pictures(task)
    models = {str(folder): load_model(folder / MODEL, device=device) for folder in folders}
    scored = {
        name: score_twin(Path(name), model, task, pictures, exam)
        for name, model in track(models.items(), f"answers about {task.name}", transient=True, console=PROGRESS)
    }
    requests = requests_of(pictures[TRAINING_STYLE])[: exam.batch_size]
    asked_together = (models, Lexicon(task), requests, make_clock(device))
    rates = measure_throughput(*asked_together, num_blocks=exam.num_blocks)
    layers = measure_layers(*asked_together, num_blocks=exam.num_blocks)
    guess = learn_blind(questions_of(task, "train", exam.difficulty, TRAIN_PICTURES))
    asked = requests_of(pictures[TRAINING_STYLE])
    blind = score_pictures(task, pictures[TRAINING_STYLE], [guess(request.question) for request in asked])
    dense = {_kin(twin): twin for twin in scored.values() if twin.about["variant"] == REFERENCE}
    return [entry(twin, rates[name], layers[name], blind, dense.get(_kin(twin))) for name, twin in scored.items()]


def _kin(twin: Scored) -> tuple[object, ...]:
    """Return what twins that are compared have in common besides their task."""
    return twin.about["size"], twin.about["seed"], repr(twin.about["recipe"]), twin.about["data_hash"]


def entry(
    twin: Scored,
    rates: Mapping[str, Interval],
    layers: Mapping[str, Interval],
    blind: Mapping[str, Points],
    dense: Scored | None,
) -> dict[str, Any]:
    """Return a twin's entry in the document.

    Args:
        rates: Throughputs by axis.
        layers: Seconds of a layer by phase.
        blind: Points of guessing without sight, by group.
        dense: The dense twin that it is compared with, if any.
    """
    compared = {"minus_blind": difference_interval(twin.points, blind[ALL])._asdict()}
    if dense is not None and dense is not twin:
        compared["minus_dense"] = difference_interval(twin.points, dense.points)._asdict()
    shifted = {style: scored for style, scored in twin.styles.items() if style != TRAINING_STYLE}
    without = () if has_specialization_loss(twin.about["variant"]) else (COEF,)  # a weight of nothing
    return {
        **{name: value for name, value in twin.about.items() if name not in without},
        "accuracy": accuracy_table(twin.styles[TRAINING_STYLE]),
        "styles": {style: accuracy_table({ALL: scored[ALL]})[ALL] for style, scored in shifted.items()},
        "points": {"sums": twin.points.sums.tolist(), "counts": twin.points.counts.astype(int).tolist()},
        "blind": accuracy_table(blind),
        **compared,
        "throughput": {name: interval._asdict() for name, interval in rates.items()},
        "layer_s": {phase: interval._asdict() for phase, interval in layers.items()},
        **({"routing": twin.routing} if twin.routing else {}),
    }


def table(twins: Sequence[Mapping[str, Any]]) -> str:
    """Return a row a twin, as markdown: accuracy beside what guessing gets, throughput, specialization."""
    rows = [
        {
            "task": twin["task"],
            "size": twin["size"],
            "variant": name,
            "seed": twin["seed"],
            "accuracy": _shown(twin["accuracy"][ALL]),
            "blind": f"{twin['blind'][ALL]['estimate']:.2f}",
            "minus dense": _shown(twin["minus_dense"], "+") if "minus_dense" in twin else "",
            "requests/s": f"{twin['throughput']['req_per_s']['estimate']:.0f}",
            "prefill tokens/s": f"{twin['throughput']['prefill_tok_per_s']['estimate']:.0f}",
            "MSI": f"{sum(twin['routing']['msi']) / len(twin['routing']['msi']):.2f}" if "routing" in twin else "",
        }
        for twin, name in zip(twins, variant_names(twins), strict=True)
    ]
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)


def _shown(limits: Mapping[str, float], sign: str = "") -> str:
    return Interval(*(limits[name] for name in Interval._fields)).text(f"{sign}.2f")
