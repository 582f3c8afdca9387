"""Published accuracy of released models beside the throughput of their shapes: `python -m bench.front.published`.

None of these models is SMoES. A throughput is the floor of the model's shape on an H200 and labelled predicted, unless
a record of `bench_generate` and `bench_prefill` at that very shape is given: then it is measured.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.front.shapes import (
    BATCH_SIZE,
    DEVICE,
    PEAKS,
    mean_load,
    measured_throughput,
    predicted_throughput,
    read_records,
    shape_config,
)
from bench.harness.documents import content_of, document_of, parse_json
from bench.harness.record import Record
from bench.harness.writing import check_writable, replace_text
from bench.pages.pareto.entries import SCHEMA_VERSION
from bench.pages.pareto.points import MEASURED, PREDICTED, TITLES
from fixtures.programs.parsing import Parser
from fixtures.programs.program import run_program

PUBLISHED = Path(__file__).parents[2] / "fixtures" / "published.json"
HARNESS_NOISE = 4  # points, a convention and no bound: Qwen2.5-VL-7B's MMMU is 58.6, 55.0 or 47.7 by who measures


def published_document(records: Sequence[Record] = ()) -> dict[str, Any]:
    """Return the document of the published tier, as `bench.pages.pareto.documents` describes it."""
    with document_of(PUBLISHED, remedy="restore it from version control"):
        published = parse_json(content_of(PUBLISHED))
    loads = {task: mean_load(task) for task in published["split"]}
    shapes: Mapping[str, Any] = published["shapes"]
    models = []
    for task, load_of_task in loads.items():
        for model in (model for model in published["models"] if task in model["accuracy_percent"]):
            shape = shapes[model["shape"]]
            measured = measured_throughput(records, shape, task)
            throughput = measured or predicted_throughput(shape_config(shape), load_of_task)
            entry = _entry(model, task, throughput, MEASURED if measured else PREDICTED)
            models.append({**entry, "split": published["split"][task]})
    return {
        "schema_version": SCHEMA_VERSION,
        "tier": "published",
        "machine": f"one {DEVICE}; predicted is the floor at {PEAKS['matmul_flop_per_s'] / 1e12:.0f} TFLOP/s in "
        f"bfloat16 and {PEAKS['copy_byte_per_s'] / 1e12:.1f} TB/s",
        "workload": f"batches of {BATCH_SIZE} requests, LLaVA-NeXT's image tokens for every model; "
        + "; ".join(
            f"{TITLES[task]} {one.prompt_tokens:,} tokens in, {one.output_tokens} out" for task, one in loads.items()
        ),
        "models": models,
    }


def _entry(model: Mapping[str, Any], task: str, throughput: Mapping[str, Any], basis: str) -> dict[str, Any]:
    percent = model["accuracy_percent"][task]
    accuracy, low, high = (round((percent + side * HARNESS_NOISE) / 100, 4) for side in (0, -1, 1))
    return {
        "task": task,
        "variant": model["family"],
        "size": model["size"],
        "model": model["model"],
        "num_parameters": model["total_params_b"] * 1e9,
        "num_active_parameters": model["active_params_b"] * 1e9,
        "accuracy": {"all": {"estimate": accuracy, "low": low, "high": min(1.0, high)}},
        "throughput": throughput,
        "basis": basis,
        "compared_with": model["compared_with"],
        "source": "; ".join(filter(None, (model["source"], model.get("note")))),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the document."""
    parser = Parser(prog="python -m bench.front.published", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="takes the JSON document")
    parser.add_argument(
        "--record", nargs="*", type=Path, default=[], help="of pytest bench, on an H200: shapes that it measured"
    )
    options = parser.parse_args(arguments)
    check_writable(options.out)
    found = published_document(read_records(options.record))
    replace_text(options.out, json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(run_program(main))
