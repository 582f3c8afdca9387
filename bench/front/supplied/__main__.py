"""Score and time your own checkpoint on your own copy of a benchmark, for a point on the front of `docs/pareto.md`.

It is a command and no scenario of `pytest bench`: a whole benchmark takes from minutes to hours, there is no baseline
that it could be held against, and nothing runs beside it that it could be paired with.

Questions go through the processor's chat template where there is one; images are the RGB that a viewer shows on a white
page; what a question only says, `<image>` or `</s>`, stays text. A row that cannot be asked is named before the weights
load. MMMU's answers that name no option count 0, and their share is kept. MathVista's protocol would let a language
model cut a short answer out of a long one: that is left out. Each batch is timed to the first and to the last token.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from tabulate import tabulate
from transformers.utils.logging import disable_progress_bar

from bench.front.supplied.answering import Answered, AnsweringError, answer
from bench.front.supplied.checking import require_askable, require_counts, require_scorable, require_writable
from bench.front.supplied.checkpoint import load_checkpoint
from bench.front.supplied.document import document
from bench.harness.clock import make_clock
from bench.harness.environment import fingerprint
from bench.harness.metrics import METRICS
from bench.harness.writing import replace_text
from bench.scoring import SCORERS
from fixtures.devices import pin_threads, resolve_device, resolve_dtype
from fixtures.programs.codes import USAGE_ERROR
from fixtures.programs.parsing import Parser
from fixtures.programs.program import run_program
from fixtures.programs.terminal import note, say
from fixtures.tasks import Sample, load_samples
from fixtures.workload import load_workload

PROGRESS = Console(stderr=True)
MAX_NEW_TOKENS = 32  # a short answer; of DocVQA's answers 99 % are shorter
DEVICE_MAPS = ("auto", "balanced", "balanced_low_0", "sequential")  # of transformers


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Answer, score and time; return the document.

    Raises:
        ValueError: The checkpoint, the data or an option cannot be used, or the checkpoint did not take a question.
        ImportError: A package that reads them is not installed.
    """
    require_counts(options)
    require_writable(options.out)
    disable_progress_bar()  # transformers' own, of each file it reads: ours is enough
    pin_threads(options.threads)
    device = resolve_device(options.device)
    dtype = resolve_dtype(options.dtype, device)
    samples = _samples(options)
    check = partial(require_askable, samples, name=options.checkpoint, max_new_tokens=options.max_new_tokens)
    checkpoint = load_checkpoint(
        options.checkpoint, device=device, dtype=dtype, device_map=options.device_map, check=check
    )
    written = partial(
        document,
        checkpoint,
        options.benchmark,
        name=options.name or Path(options.checkpoint).absolute().name,
        machine=fingerprint(str(device), str(dtype).removeprefix("torch."), options.threads),
        workload=f"batches of {options.batch_size}, at most {options.max_new_tokens} new tokens, prompts and image "
        "tokens as each checkpoint's own processor makes them",
    )
    size, clock = options.batch_size, make_clock(device)
    batches = answer(checkpoint, samples, batch_size=size, max_new_tokens=options.max_new_tokens, clock=clock)
    done: list[Answered] = []
    try:
        for answered in track(batches, options.benchmark, -(-len(samples) // size), console=PROGRESS):
            done.append(answered)
    except AnsweringError as error:
        raise ValueError(f"{error}. {_kept(options.out, written, samples, done)}") from error
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_kept(options.out, written, samples, done)) from None
    except Exception:  # a defect, here or in a checkpoint: it is told at the end, but hours of answers are not lost
        note(f"error: {_kept(options.out, written, samples, done)}")
        raise
    return written(samples, done)


def _samples(options: argparse.Namespace) -> list[Sample]:
    """Read the questions and find all that is wrong with them."""
    with PROGRESS.status(f"reading {options.data} and checking its images"):
        samples = load_samples(options.data, load_workload(options.benchmark), num_samples=options.limit)
    require_scorable(options.benchmark, samples)
    return samples


def _kept(
    out: Path, written: Callable[..., dict[str, Any]], samples: Sequence[Sample], done: Sequence[Answered]
) -> str:
    """Write what was answered so far beside the document that will not be; say where it is."""
    if not done:
        return "No question was answered, nothing is written"
    num_answers = sum(len(batch.answers) for batch in done)
    beside = out.with_name(f"{out.name}.partial")
    _write(beside, written(samples[:num_answers], done))
    return f"The {num_answers} questions before are kept in {beside}, as --limit {num_answers} would give them"


def _write(path: Path, found: dict[str, Any]) -> None:
    replace_text(path, json.dumps(found, indent=1) + "\n")


def table(found: dict[str, Any]) -> str:
    """Lay a document out: accuracy of all questions and by kind, then throughput."""
    (entry,) = found["models"]
    rows = [(f"accuracy, {kind}", _accuracy(value), value["num_samples"]) for kind, value in entry["accuracy"].items()]
    rows.append(("unparsed answers, scored 0", f"{100 * entry['unparsed_rate']:.1f} %", ""))
    for axis, value in entry["throughput"].items():
        estimate, low, high = (METRICS[axis].display(value[limit]) for limit in ("estimate", "low", "high"))
        rows.append((METRICS[axis].label, f"{estimate} [{low.split()[0]}, {high.split()[0]}]", ""))
    return tabulate(rows, headers=(entry["task"], "value [95 %]", "questions"), tablefmt="github")


def _accuracy(value: dict[str, float]) -> str:
    estimate, low, high = (100 * value[limit] for limit in ("estimate", "low", "high"))
    return f"{estimate:.1f} % [{low:.1f}, {high:.1f}]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the document and print what it says."""
    parser = Parser(prog="python -m bench.front.supplied", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument(
        "--checkpoint",
        required=True,
        metavar="DIR_OR_NAME",
        help="ours or any image-text-to-text model of transformers",
    )
    parser.add_argument("--name", help="what the front calls it (default: the last part of --checkpoint)")
    parser.add_argument("--benchmark", required=True, choices=SCORERS, help="whose data, rules and prompt")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="parquet copy of that data set")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="takes the JSON document")
    parser.add_argument(
        "--limit", type=int, metavar="N", help="the first N rows alone: no fair sample where rows are sorted, as MMMU's"
    )
    parser.add_argument("--batch-size", type=int, default=1, help="requests at once (default: %(default)s)")
    parser.add_argument("--max-new-tokens", type=int, default=MAX_NEW_TOKENS, help="default: %(default)s")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    parser.add_argument(
        "--device-map",
        choices=DEVICE_MAPS,
        help="spread the layers over all devices, as accelerate does (default: one device)",
    )
    parser.add_argument("--dtype", default="auto", help="auto: bfloat16 on a GPU, float32 on a CPU")
    parser.add_argument("--threads", type=int, default=1, help="of a CPU operation (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        found = run(options)
        _write(options.out, found)
    except (ValueError, ImportError) as error:
        note(f"error: {error}")
        return USAGE_ERROR
    say(f"{table(found)}\n\nwritten: {options.out}\nput it on the front: "
          f"python -m bench pareto {options.out} --out pareto.md")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
