"""Score an answer as the official code of its benchmark does; pure functions over strings, one benchmark a file."""

from bench.harness.scoring.chartqa import score_chartqa
from bench.harness.scoring.docvqa import score_docvqa
from bench.harness.scoring.mathvista import score_mathvista
from bench.harness.scoring.mmmu import score_mmmu
from bench.harness.scoring.reference import SCORERS, Reference, score

__all__ = ["SCORERS", "Reference", "score", "score_chartqa", "score_docvqa", "score_mathvista", "score_mmmu"]
