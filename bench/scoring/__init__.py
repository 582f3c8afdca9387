"""Score an answer as the official code of its benchmark does; pure functions over strings, one benchmark a file."""

from bench.scoring.chartqa import score_chartqa
from bench.scoring.docvqa import score_docvqa
from bench.scoring.mathvista import score_mathvista
from bench.scoring.mmmu import score_mmmu
from bench.scoring.reference import SCORERS, Reference, score

__all__ = ["SCORERS", "Reference", "score", "score_chartqa", "score_docvqa", "score_mathvista", "score_mmmu"]
