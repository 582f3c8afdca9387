"""What is found before a model is loaded: hours of answers are not lost to a slip of the command line or of a row."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from math import inf
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from transformers import PreTrainedConfig

from bench.front.supplied.answering import ERRORS, remedy
from bench.front.supplied.causes import first_line
from bench.front.supplied.document import scores_of
from bench.front.supplied.prompts import encode, texts_of
from fixtures.tasks import Sample
from fixtures.tasks.stored import sizes_of
from moevlm.model.processing import MoEVLMProcessor

COUNTS = ("limit", "batch_size", "max_new_tokens", "threads")  # options that count something
# A processor that takes the rows that are most of a kind takes those between; to try all would take many minutes.
EXTREMES: Mapping[str, Callable[[Sample], float]] = {
    "narrowest": lambda sample: max(max(size) / min(size) for size in sizes_of(sample.images)),
    "smallest": lambda sample: -min(min(size) for size in sizes_of(sample.images)),
    "largest": lambda sample: sum(width * height for width, height in sizes_of(sample.images)),
    "most images": lambda sample: len(sample.images),
    "longest": lambda sample: len(sample.prompt),
}


def require_counts(options: argparse.Namespace) -> None:
    """Refuse an option that counts fewer than one.

    Raises:
        ValueError: One does.
    """
    for name in COUNTS:
        value = getattr(options, name)
        if value is not None and value < 1:
            raise ValueError(f"--{name.replace('_', '-')} must be at least 1, got {value}")


def require_writable(out: Path) -> None:
    """Try to write where the document will go, and leave nothing there but its folder.

    Raises:
        ValueError: It cannot be written.
    """
    if out.is_dir():
        raise ValueError(f"--out must be a file, got the folder {out}; name a file in it, {out / 'mine.json'} say")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise ValueError(f"--out must be a file that can be written, got {out}: {error}; name another") from error


def require_scorable(benchmark: str, samples: Sequence[Sample]) -> None:
    """Score no answer to each question, for what a benchmark's rules refuse they refuse whatever is said.

    Raises:
        ValueError: A row says too little to score an answer to it.
    """
    for sample in samples:
        try:
            scores_of(benchmark, [sample], [""])
        except ValueError as error:
            raise ValueError(f"{sample.source}: {error}") from error


def require_askable(
    samples: Sequence[Sample], processor: Any, config: PreTrainedConfig, *, name: str, max_new_tokens: int
) -> None:
    """Refuse the first row that the checkpoint could not be asked.

    Every row's text is tokenized; the rows that are extreme in a way, and the first, are made into inputs.

    Args:
        config: Its configuration: a prompt and its answer must fit into the positions that it says.

    Raises:
        ValueError: There is such a row.
    """
    room = _positions(config) - max_new_tokens
    for sample in samples:
        _require_room(sample, _least_tokens(processor, sample), room)
    for number in _extremes(samples):
        _require_room(samples[number], _num_tokens(processor, samples[number], number, name), room)


def _extremes(samples: Sequence[Sample]) -> list[int]:
    """Return the numbers of the first row and of those that are most of a kind."""
    numbers = range(len(samples))
    return sorted({0, *(max(numbers, key=lambda number: measure(samples[number])) for measure in EXTREMES.values())})


def _positions(config: PreTrainedConfig) -> float:
    """Return how many tokens a prompt and its answer may have together, as far as a configuration says."""
    if config.is_encoder_decoder:
        return inf
    return getattr(config.get_text_config(), "max_position_embeddings", None) or inf


def _least_tokens(processor: Any, sample: Sample) -> int:
    """Count the tokens of a row without its template: of ours all, of others one an image."""
    try:
        text = "".join(texts_of(processor, sample))
    except ValueError as error:
        raise ValueError(f"{sample.source}: {error}") from error
    sizes = sizes_of(sample.images)
    is_ours = isinstance(processor, MoEVLMProcessor)
    image_tokens = sum(processor.num_image_tokens(height, width) for width, height in sizes) if is_ours else len(sizes)
    return image_tokens + len(processor.tokenizer(text).input_ids)


def _num_tokens(processor: Any, sample: Sample, number: int, name: str) -> int:
    """Count the tokens of a row as it will be asked."""
    try:
        return int(encode(processor, [sample])["input_ids"].shape[1])
    except ERRORS as error:
        raise ValueError(
            f"the processor of {name} must take every row, got {type(error).__name__}: {first_line(error)} for "
            f"{sample.source}; {remedy(error, number)}"
        ) from error


def _require_room(sample: Sample, num_tokens: int, room: float) -> None:
    if num_tokens > room:
        raise ValueError(
            f"{sample.source}: a prompt and its answer must fit into the model's positions, which leave {room:.0f} "
            f"tokens for a prompt, got {num_tokens}; remove that row, lower --max-new-tokens, or take a checkpoint "
            "with more positions"
        )
