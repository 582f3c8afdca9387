"""What the gate says of a record by a stored baseline, as the command `compare` would; why it says nothing, else."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from bench.gate.baseline import NoBaseline, open_baseline
from bench.gate.cap import capped
from bench.gate.comparison import judge_all
from bench.gate.judging_groups import judge_groups
from bench.gate.retest import LAUNCHES_TO_CONFIRM
from bench.gate.verdict import ScenarioVerdict
from bench.harness.record import Record


class Judged(NamedTuple):
    """The verdicts on a record's scenarios and groups, or why there are none."""

    verdicts: Mapping[str, ScenarioVerdict]
    why_not: str = ""


def judged(record: Record, baselines: Path | None) -> Judged:
    """Judge a record by the baseline of its kind of machine; a baseline is judged by none.

    Args:
        record: the run.
        baselines: the folder, None where there is none.
    """
    if record.promotion is not None:
        return Judged({}, "a promoted baseline: what others are compared with")
    if baselines is None:
        return Judged({}, "no folder of baselines to compare with")
    opened = open_baseline(baselines, None, record)
    if isinstance(opened, NoBaseline):
        return Judged({}, f"{opened.verdict.value}: {opened.why}")
    confirmed = all(len(one.launch_ids) >= LAUNCHES_TO_CONFIRM for one in record.scenarios.values())
    verdicts, opened = judge_all(record.scenarios, opened, confirmed=confirmed)
    groups = judge_groups(record.scenarios, opened, opened.groups, confirmed=confirmed)
    return Judged({name: capped(verdict) for name, verdict in verdicts.items()} | groups)
