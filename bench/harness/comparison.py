"""A run against a stored baseline: which scenarios have a counterpart, and what is said of each. Writes nothing."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.harness import baseline
from bench.harness.arms import PRIMARY
from bench.harness.environment import differences
from bench.harness.judging import judge_scenario, pooled_variances
from bench.harness.metrics import metric
from bench.harness.record import CorruptRecord, Record, Scenario, load
from bench.harness.unrest import kind_of, unrest_of, widest
from bench.harness.verdict import ScenarioVerdict, Verdict


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
class Reference:
    """The baseline a run is compared with, or why there is none."""

    path: Path | None
    record: Record | None = None
    verdict: Verdict | None = None  # of the whole comparison, when no scenario can be compared
    why: str = ""
    same_fingerprint: bool = False
    pooled: Mapping[str, float] = field(default_factory=dict)
    unrest: Mapping[str, float] = field(default_factory=dict)  # of the run that is compared; see unrest.py


def open_reference(
    directory: Path, explicit: Path | None, kind: Mapping[str, object], fingerprint: Mapping[str, object]
) -> Reference:
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
        remedy = "promote one: python -m bench.harness promote RECORD... --reason TEXT (8 launches)"
        why = f"no baseline in {directory}/ for this kind of machine; {remedy}"
        return Reference(path=None, verdict=Verdict.MISSING, why=why)
    try:
        record = load(path)
    except FileNotFoundError:
        return Reference(path=path, verdict=Verdict.MISSING, why=f"{path} does not exist; give --baseline a record")
    except CorruptRecord as error:
        return Reference(path=path, verdict=Verdict.CORRUPT, why=str(error))
    differing = differences(record.kind, kind)
    if differing:
        what = f"{path} comes from another kind of machine: {'; '.join(differing)}"
        why = f"{what}; leave --baseline out, or promote a baseline of this one"
        return Reference(path=path, verdict=Verdict.NOT_COMPARABLE, why=why)
    pooled = pooled_variances(record.scenarios.values())
    if any(map(math.isnan, pooled.values())):
        why = f"{path} must hold two launches or more, whose spread gives the tolerance, got one; promote a baseline"
        return Reference(path=path, verdict=Verdict.MISSING, why=why)
    return Reference(
        path=path,
        record=record,
        same_fingerprint=not differences(record.fingerprint, fingerprint),
        pooled=pooled,
    )


def judge_one(scenario_id: str, new: Scenario, reference: Reference, *, confirmed: bool = False) -> ScenarioVerdict:
    """Judge one measured scenario against its counterpart; NEW if the baseline has none."""
    if reference.record is None:
        return ScenarioVerdict(scenario=scenario_id, verdict=Verdict.NEW)
    base = reference.record.scenarios.get(scenario_id)
    if base is None:
        return ScenarioVerdict(scenario=scenario_id, verdict=Verdict.NEW, why="the baseline does not have it")
    return judge_scenario(
        scenario_id,
        new,
        base,
        reference.pooled,
        sign=metric(new.arms[PRIMARY].metric).sign,
        confirmed=confirmed,
        same_fingerprint=reference.same_fingerprint,
        unrest=lambda control: reference.unrest.get(kind_of(control), 1.0),
    )


def judge_all(
    scenarios: Mapping[str, Scenario], reference: Reference, *, confirmed: bool = False
) -> tuple[dict[str, ScenarioVerdict], Reference]:
    """Judge all scenarios of a run.

    Args:
        scenarios: by id.
        reference: the baseline.
        confirmed: whether a slowdown may end as REGRESSED; see `judge_control`.

    Returns:
        The verdicts, and the reference with the run's unrest, by which tolerances are wider.
    """
    verdicts = {name: judge_one(name, scenario, reference, confirmed=confirmed) for name, scenario in scenarios.items()}
    unrest = unrest_of(verdicts.values())
    if widest(unrest) == 1:
        return verdicts, reference
    reference = replace(reference, unrest=unrest)
    return {name: judge_one(name, new, reference, confirmed=confirmed) for name, new in scenarios.items()}, reference


def missing_scenarios(reference: Reference, selection: Selection) -> list[ScenarioVerdict]:
    """List the scenarios of the baseline that this run should have measured and did not collect: renamed or removed."""
    if reference.record is None:
        return []
    return [
        ScenarioVerdict(
            scenario=scenario_id,
            verdict=Verdict.MISSING,
            why="in the baseline, but not collected: renamed or removed? promote a new baseline if that was meant",
        )
        for scenario_id, scenario in reference.record.scenarios.items()
        if selection.expects(scenario_id, scenario.arms[PRIMARY].params)
    ]
