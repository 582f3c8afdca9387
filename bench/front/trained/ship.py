"""Ship trained twins: copy them into the project in half precision, scored as they ship, with a card that says so."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from bench.accuracy import accuracy_table, score_pictures
from fixtures.tasks.procedural import TASKS
from fixtures.training.answers import answers, held_out_pictures, requests_of
from fixtures.training.recipes import RECIPES
from fixtures.training.runs import TWIN, TwinKey, load_model, read_twin, write_atomically
from fixtures.training.shipped import CARD, SHIPPED_SIZES, shipped_folder, weights_hash
from fixtures.training.tokens import Lexicon
from moevlm.model.vision_language import MoEVLM
from moevlm.training import MODEL

LEARNS_NOTHING = "seconds"  # the recipe for tests of the code
LEFT_OUT = ("log", "device", "cpu_s")  # of a twin's description: the record has them


def ship(twins: Path, key: TwinKey, num_pictures: int) -> dict[str, Any]:
    """Copy one twin into the project, its weights in float16, and score it as it is then.

    Returns:
        Its card.

    Raises:
        FileNotFoundError: The twin was not trained.
        ValueError: It is not of its task's size, or was trained by a recipe that learns nothing.
    """
    if key.size != SHIPPED_SIZES.get(key.task):
        known = ", ".join(" ".join(pair) for pair in SHIPPED_SIZES.items())
        raise ValueError(
            f"task and size of a shipped twin must be one of {known}, got {key.task} {key.size}; choose one"
        )
    source, folder = twins / key.folder, shipped_folder(key.task, key.variant)
    if not (source / TWIN).exists():
        raise FileNotFoundError(
            f"{source} must hold a trained twin, got none; train it with python -m fixtures.training"
        )
    described = read_twin(source)
    if described["recipe"] == asdict(RECIPES[LEARNS_NOTHING]):
        raise ValueError(
            f"a shipped twin must have learned something, got the recipe {LEARNS_NOTHING} in {source}; train it with "
            "--recipe minutes"
        )
    save_half(load_model(source / MODEL, device=torch.device("cpu")), folder)
    task = TASKS[key.task]
    pictures = held_out_pictures(task, num_pictures)
    said = answers(load_model(folder, device=torch.device("cpu")), Lexicon(task), requests_of(pictures))
    card = {
        **{name: value for name, value in described.items() if name not in LEFT_OUT},
        "weights_sha256": weights_hash(folder),
        "accuracy": accuracy_table(score_pictures(task, pictures, said)),
    }
    write_atomically(folder / CARD, card)
    return card


def save_half(model: MoEVLM, folder: Path) -> None:
    """Save a model with its parameters in float16; running means of SMoES stay as they are."""
    for parameter in model.parameters():
        parameter.data = parameter.data.half()
    model.save_pretrained(folder)
