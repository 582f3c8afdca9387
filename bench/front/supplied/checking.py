"""What is checked before a model is loaded: hours of answers are not lost to a slip of the command line or of a row."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile

from bench.front.supplied.document import scores_of
from fixtures.tasks import Sample

COUNTS = ("limit", "batch_size", "max_new_tokens", "threads")  # options that count something


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
