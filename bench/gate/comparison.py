"""A run against a stored baseline: which scenarios have a counterpart, and what is said of each. Writes nothing."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.gate import baseline
from bench.gate.judging import judge_scenario, pooled_variances
from bench.gate.unrest import kind_of, unrest_of, widest
from bench.gate.verdict import ScenarioVerdict, Verdict
from bench.harness.arms import PRIMARY
from bench.harness.environment import differences
from bench.harness.metrics import metric
from bench.harness.record import CorruptRecord, Record, Scenario, load


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which scenarios the user's options ask for: what they exclude is not missing."""

    collected: Collection[str]  # scenario ids that were collected, before -k and -m
    functions: Collection[str] | None  # benchmark functions of the files that were named; None if whole folders were
    axes: Mapping[str, Collection[str]]  # parameter -> the values asked for
    whole: bool  # False if node ids were named: then nothing else is expected

    def expects(self, scenario_id: str, params: Mapping[str, object]) -> bool:
        """Tell whether a scenario of the baseline should have been measured by this run."""
        if not self.whole or scenario_id in self.collected:
            return False
        if self.functions is not None and scenario_id.split("[")[0] not in self.functions:
            return False
        return all(str(params[axis]) in chosen for axis, chosen in self.axes.items() if axis in params)


@dataclass(frozen=True, kw_only=True)
class OpenBaseline:
    """The baseline a run is compared with, or why there is none."""

    path: Path | None
    record: Record | None = None
    verdict: Verdict | None = None  # of the whole comparison, when no scenario can be compared
    why: str = ""
    same_fingerprint: bool = False
    pooled: Mapping[str, float] = field(default_factory=dict)
    unrest: Mapping[str, float] = field(default_factory=dict)  # of the run that is compared; see unrest.py


def open_baseline(
    directory: Path, explicit: Path | None, kind: Mapping[str, object], fingerprint: Mapping[str, object]
) -> OpenBaseline:
    """Find and read the baseline for this kind of machine.

    Args:
        directory: where promoted baselines lie.
        explicit: a file that the user named; it is used whatever its machine, or declared not comparable.
        kind: this machine's kind key.
        fingerprint: this machine's.

    Returns:
        The baseline, or the verdict MISSING, CORRUPT or NOT_COMPARABLE with the reason and the remedy.
    """
    path = explicit or baseline.find(directory, kind)
    if path is None:
        how = f"python -m bench promote RECORD... --reason TEXT ({baseline.LAUNCHES_TO_PROMOTE} launches)"
        why = f"no baseline in {directory}/ for this kind of machine; promote one: {how}"
        return OpenBaseline(path=None, verdict=Verdict.MISSING, why=why)
    try:
        record = load(path)
    except FileNotFoundError:
        return OpenBaseline(path=path, verdict=Verdict.MISSING, why=f"{path} does not exist; give --baseline a record")
    except CorruptRecord as error:
        return OpenBaseline(path=path, verdict=Verdict.CORRUPT, why=str(error))
    differing = differences(record.kind, kind)
    if differing:
        what = f"{path} comes from another kind of machine: {'; '.join(differing)}"
        why = f"{what}; leave --baseline out, or promote a baseline of this one"
        return OpenBaseline(path=path, verdict=Verdict.NOT_COMPARABLE, why=why)
    pooled = pooled_variances(record.scenarios.values())
    if any(map(math.isnan, pooled.values())):
        why = f"{path} must hold two launches or more, whose spread gives the tolerance, got one; promote a baseline"
        return OpenBaseline(path=path, verdict=Verdict.MISSING, why=why)
    return OpenBaseline(
        path=path,
        record=record,
        same_fingerprint=not differences(record.fingerprint, fingerprint),
        pooled=pooled,
    )


def judge_one(scenario_id: str, new: Scenario, opened: OpenBaseline, *, confirmed: bool = False) -> ScenarioVerdict:
    """Judge one measured scenario against its counterpart; NEW if the baseline has none."""
    if opened.record is None:
        return ScenarioVerdict(scenario=scenario_id, verdict=Verdict.NEW)
    base = opened.record.scenarios.get(scenario_id)
    if base is None:
        return ScenarioVerdict(scenario=scenario_id, verdict=Verdict.NEW, why="the baseline does not have it")
    return judge_scenario(
        scenario_id,
        new,
        base,
        opened.pooled,
        sign=metric(new.arms[PRIMARY].metric).sign,
        confirmed=confirmed,
        same_fingerprint=opened.same_fingerprint,
        unrest=lambda control: opened.unrest.get(kind_of(control), 1.0),
    )


def judge_all(
    scenarios: Mapping[str, Scenario], opened: OpenBaseline, *, confirmed: bool = False
) -> tuple[dict[str, ScenarioVerdict], OpenBaseline]:
    """Judge all scenarios of a run.

    Args:
        scenarios: by id.
        opened: the baseline.
        confirmed: whether a slowdown may end as REGRESSED; see `judge_control`.

    Returns:
        The verdicts, and the baseline with the run's unrest, by which tolerances are wider.
    """
    verdicts = {name: judge_one(name, scenario, opened, confirmed=confirmed) for name, scenario in scenarios.items()}
    unrest = unrest_of(verdicts.values())
    if widest(unrest) == 1:
        return verdicts, opened
    opened = replace(opened, unrest=unrest)
    return {name: judge_one(name, new, opened, confirmed=confirmed) for name, new in scenarios.items()}, opened


def wrong_scenarios(record: Record) -> list[ScenarioVerdict]:
    """List the scenarios of a record that answered wrongly; no baseline is needed to say so."""
    return [
        ScenarioVerdict(scenario=name, verdict=Verdict.WRONG, why=why, num_launches=0)
        for name, why in record.wrong.items()
    ]


def missing_scenarios(opened: OpenBaseline, selection: Selection) -> list[ScenarioVerdict]:
    """List the scenarios of the baseline that this run should have measured and did not collect: renamed or removed."""
    if opened.record is None:
        return []
    return [
        ScenarioVerdict(
            scenario=scenario_id,
            verdict=Verdict.MISSING,
            why="in the baseline, but not collected: renamed or removed? promote a new baseline if that was meant",
        )
        for scenario_id, scenario in opened.record.scenarios.items()
        if selection.expects(scenario_id, scenario.arms[PRIMARY].params)
    ]
