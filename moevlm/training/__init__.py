"""Train a model in LLaVA's two stages, the projector alone and then everything; an interrupted run resumes exactly.

Batches are a function of the step, so twins see the same data in the same order and resuming needs no state of data.
"""

from moevlm.training.probe import IGNORED, VISUAL_LABELS, VisualProbe
from moevlm.training.run import CHECKPOINT, LOG, MODEL, train
from moevlm.training.schedule import Schedule, Stage

__all__ = ["CHECKPOINT", "IGNORED", "LOG", "MODEL", "VISUAL_LABELS", "Schedule", "Stage", "VisualProbe", "train"]
