"""Expert parallelism for inference: the experts of a layer on several devices, tokens sent to them and back.

A device is one process of a torch.distributed group, its number the process's rank. Data flows through the files so:

    dispatch (which rows go where: pure) -> all_to_all (counted) -> experts (a shard's work) -> all_to_all -> sum

link_model predicts the exchange on links and numbers of devices that were not measured; pacing slows a link down.
"""

from moevlm.model.batch_part import PARTS, BatchPart
from moevlm.parallel.all_to_all import Group, joined, recorded_traffic
from moevlm.parallel.dispatch import COPIES
from moevlm.parallel.experts import ParallelExperts, parallelize, serve
from moevlm.parallel.pacing import PacedLink
from moevlm.parallel.traffic import Exchange, Traffic

__all__ = [
    "COPIES",
    "PARTS",
    "BatchPart",
    "Exchange",
    "Group",
    "PacedLink",
    "ParallelExperts",
    "Traffic",
    "joined",
    "parallelize",
    "recorded_traffic",
    "serve",
]
