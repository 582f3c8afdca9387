"""What a checkpoint reached, as a document that `python -m bench pareto` reads."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.accuracy import ALL, Points, accuracy_table, reference_of
from bench.front.supplied.answering import Answered
from bench.front.supplied.checkpoint import Checkpoint
from bench.gate.resampling import ratio_interval
from bench.pages.pareto.entries import SCHEMA_VERSION
from bench.scoring import score
from fixtures.tasks import Sample


def scores_of(benchmark: str, samples: Sequence[Sample], answers: Sequence[str]) -> list[float | None]:
    """Score answers by the benchmark's official rules; None where MMMU's read no option."""
    return [score(benchmark, said, reference_of(sample)) for sample, said in zip(samples, answers, strict=True)]


def accuracy_by_kind(samples: Sequence[Sample], scores: Sequence[float]) -> dict[str, dict[str, float]]:
    """Return the accuracy of all samples and of each kind, as that of trained twins: of one sample a picture here."""
    groups = {ALL: list(scores)}
    for kind in sorted({sample.question_type for sample in samples} - {""}):
        groups[kind] = [s for s, sample in zip(scores, samples, strict=True) if sample.question_type == kind]
    return accuracy_table({name: Points(sums=np.asarray(g), counts=np.ones(len(g))) for name, g in groups.items()})


def document(
    checkpoint: Checkpoint,
    benchmark: str,
    samples: Sequence[Sample],
    batches: Sequence[Answered],
    *,
    name: str,
    machine: Mapping[str, Any],
    workload: str,
) -> dict[str, Any]:
    """Return the document of one checkpoint on one benchmark.

    Args:
        name: What the front calls the checkpoint: documents of one name are runs of one model.
        workload: How it was asked, in a sentence: points that are compared must share it.
    """
    answers = [text for batch in batches for text in batch.answers]
    raw = scores_of(benchmark, samples, answers)
    e2e_s, ttft_s = [batch.e2e_s for batch in batches], [batch.ttft_s for batch in batches]
    entry = {
        "task": benchmark,
        "variant": name,
        "size": "",
        "kind": checkpoint.kind,
        "weights": checkpoint.weights,
        "num_parameters": checkpoint.num_parameters,
        "num_active_parameters": checkpoint.num_active_parameters,
        "accuracy": accuracy_by_kind(samples, [value or 0.0 for value in raw]),
        "unparsed_rate": raw.count(None) / len(raw),
        "throughput": {
            "req_per_s": ratio_interval([len(batch.answers) for batch in batches], e2e_s)._asdict(),
            "prefill_tok_per_s": ratio_interval([batch.num_prompt_tokens for batch in batches], ttft_s)._asdict(),
        },
        "answers": [
            {"source": sample.source, "answer": said, "score": scored}
            for sample, said, scored in zip(samples, answers, raw, strict=True)
        ],
    }
    return {"schema_version": SCHEMA_VERSION, "tier": "supplied", "machine": dict(machine), "workload": workload,
            "models": [entry]}  # fmt: skip
