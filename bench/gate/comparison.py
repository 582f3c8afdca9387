"""A run against a stored baseline: which scenarios have a counterpart, and what is said of each. Writes nothing."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from bench.gate.baseline import OpenBaseline
from bench.gate.judging import judge_scenario
from bench.gate.judging_groups import groups_of
from bench.gate.readings import read_all
from bench.gate.tolerance import OF_SCENARIOS, Bar, errors_of
from bench.gate.unrest import unrest_of, widest
from bench.gate.verdict import ScenarioVerdict, Verdict
from bench.harness.arms import PRIMARY
from bench.harness.record import Record, Scenario


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


def judge_one(new: Scenario, opened: OpenBaseline, *, confirmed: bool = False) -> ScenarioVerdict:
    """Judge one measured scenario against its counterpart; NEW if the baseline has none."""
    base = opened.record.scenarios.get(new.id)
    if base is None:
        return ScenarioVerdict(scenario=new.id, verdict=Verdict.NEW, why="the baseline does not have it")
    said = judge_scenario(
        new, base, opened.typical, bar=Bar(errors_of(OF_SCENARIOS, opened.num_judged, len(base.launch_ids))),
        confirmed=confirmed, same_fingerprint=opened.same_fingerprint, unrest=opened.unrest,
    )  # fmt: skip
    return replace(said, changes=tuple(replace(c, decides=opened.decides_by(c.control)) for c in said.changes))


def judge_all(
    scenarios: Mapping[str, Scenario], opened: OpenBaseline, *, confirmed: bool = False
) -> tuple[dict[str, ScenarioVerdict], OpenBaseline]:
    """Judge all scenarios of a run; `confirmed` tells whether a slowdown may end as REGRESSED, see `judge_control`.

    Returns:
        The verdicts, and the baseline with what the run brings: how many scenarios are judged, their groups, and the
        unrest by which tolerances are wider.
    """
    read_all(scenarios.values())
    opened = replace(opened, num_judged=max(1, len(scenarios)), groups=groups_of(scenarios, opened))
    verdicts = {name: judge_one(new, opened, confirmed=confirmed) for name, new in scenarios.items()}
    unrest = unrest_of(verdicts.values())
    if widest(unrest) == 1:
        return verdicts, opened
    opened = replace(opened, unrest=unrest)
    return {name: judge_one(new, opened, confirmed=confirmed) for name, new in scenarios.items()}, opened


def wrong_scenarios(record: Record) -> list[ScenarioVerdict]:
    """List the scenarios of a record that answered wrongly; no baseline is needed to say so."""
    return [
        ScenarioVerdict(scenario=name, verdict=Verdict.WRONG, why=why, num_launches=0)
        for name, why in record.wrong.items()
    ]


def missing_scenarios(opened: OpenBaseline, selection: Selection) -> list[ScenarioVerdict]:
    """List the scenarios of the baseline that this run should have measured and did not collect."""
    why = "in the baseline, but not collected: renamed or removed? promote a new baseline if that was meant"
    return [
        ScenarioVerdict(scenario=name, verdict=Verdict.MISSING, why=why)
        for name, scenario in opened.record.scenarios.items()
        if selection.expects(name, scenario.arms[PRIMARY].params)
    ]
