"""Suites as tables: how often the gate errs, what other rules say of the same launches, how far launches spread."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from bench.gate.markdown import escape, markdown_table
from bench.gate.qualify import rates
from bench.gate.qualify.effects import effects
from bench.gate.qualify.rates import Clustered, Share
from bench.gate.qualify.replay import BUDGETS, Outcome, Replays, replays_of
from bench.gate.qualify.rules import INTERLEAVED, RULES, flagged
from bench.gate.qualify.spread import prior_of, scenario_spreads
from bench.gate.qualify.suites import UNCHANGED, Kind, Qualification
from bench.gate.stats import Interval, percent
from bench.gate.tolerance import SMALLEST_EFFECT, SMALLEST_TOLERANCE
from bench.gate.verdict import Verdict
from bench.harness.wording import counted

USUAL = "20m"  # the default of `ab`, at which other rules are compared with it
GATE = "this gate"
GREEN = (Verdict.OK, Verdict.IMPROVED, Verdict.IDENTICAL, Verdict.NEW)
BESIDE = (Verdict.INCONCLUSIVE, Verdict.UNFIT)  # ends that stand in columns of their own, beside wrong ones
ANSWERS = (Verdict.WRONG, Verdict.CHANGED)
END_HEADERS = (
    *("head", "budget", "end 0", "REGRESSED", "WRONG or CHANGED", "INCONCLUSIVE", "UNFIT", "another end"),
    *("launches", "minutes"),
)
SCENARIO_HEADERS = (
    *("head", "budget", "slower in fact by", "slower ones REGRESSED", "others REGRESSED", "others OK or IMPROVED"),
    *("OK though 5 % slower", "intervals that hold the truth"),
)
RULE_HEADERS = ("rule", "unchanged suites with an alarm")
SPREAD_HEADERS = ("scenario", "arm", "launch sd", "less the launch's state", "launches")


def report(qualification: Qualification, budgets: Mapping[str, float] = BUDGETS) -> str:
    """Return all tables as markdown; a sentence instead while no suite is whole."""
    if not qualification.whole:
        of = counted(qualification.num_launches, "launch")
        return f"No suite of {of} is whole yet; call `qualify` again to go on."
    replays, kinds = replays_of(qualification, budgets), qualification.kinds
    called = [f"{kind}: {'' if kind.is_unchanged else 'slower '}scenarios called slower" for kind in kinds]
    ends = [_end_row(replays, kind, budget) for kind in kinds for budget in budgets]
    scenarios = [_scenario_row(replays, kind, budget) for kind in kinds for budget in budgets]
    return "\n\n".join(
        [
            _headline(qualification),
            markdown_table(END_HEADERS, ends),
            "Scenario by scenario; slower is what all launches together say is slower by 2 % or more:",
            markdown_table(SCENARIO_HEADERS, scenarios),
            f"The same launches, as many as the gate had within {USUAL}, judged by other rules:",
            markdown_table((*RULE_HEADERS, *called), _rule_rows(replays)),
            "What the log ratio of unchanged head and base spreads by, from launch to launch of a suite:",
            markdown_table(SPREAD_HEADERS, _spread_rows(qualification)),
            _prior(qualification),
        ]
    )


def _headline(qualification: Qualification) -> str:
    machine, whole = qualification.machine, qualification.whole
    software = f"torch {machine['torch']}, transformers {machine['transformers']}"
    loads = [launch.load for suite in whole for launch in suite.launches]
    return (
        f"{counted(len(whole), 'suite')} of {counted(len(qualification.scenarios), 'scenario')} and "
        f"{counted(qualification.num_launches, 'launch')} on {escape(str(machine['cpu_model']))}, "
        f"{counted(machine['cpu_count'], 'CPU')}, {escape(software)}; "
        f"load {min(loads):.1f} to {max(loads):.1f}; intervals are 95 %: of suites exact, of scenarios by Student over "
        "suites, whose scenarios are not independent."
    )


def _end_row(replays: Replays, kind: Kind, budget: str) -> tuple[str, ...]:
    outcomes = replays.of(kind, budget)
    known = (*GREEN, Verdict.REGRESSED, *ANSWERS, *BESIDE)
    others = tuple(verdict for verdict in Verdict if verdict not in known)
    columns = (GREEN, (Verdict.REGRESSED,), ANSWERS, *((verdict,) for verdict in BESIDE), others)
    return (
        str(kind),
        budget,
        *(_share(rates.ended(outcomes, *column)) for column in columns),
        f"{np.median([outcome.num_launches for outcome in outcomes]):.0f}",
        f"{np.median([outcome.seconds for outcome in outcomes]) / 60:.1f}",
    )


def _scenario_row(replays: Replays, kind: Kind, budget: str) -> tuple[str, ...]:
    outcomes, by_scenario = replays.of(kind, budget), _true_effects(replays.qualification, kind)
    slower = _slower(by_scenario, SMALLEST_EFFECT)
    others = by_scenario.keys() - slower
    far = _slower(by_scenario, SMALLEST_TOLERANCE)
    regressed, good = rates.said(Verdict.REGRESSED), rates.said(Verdict.OK, Verdict.IMPROVED)
    return (
        str(kind),
        budget,
        _range(by_scenario[name] for name in slower),
        _share(rates.scenarios_where(outcomes, regressed, slower)),
        _share(rates.scenarios_where(outcomes, regressed, others)),
        _share(rates.scenarios_where(outcomes, good, others)),
        _share(rates.scenarios_where(outcomes, good, far)),
        "" if kind.change else _share(rates.coverage(outcomes)),
    )


def _true_effects(qualification: Qualification, kind: Kind) -> dict[str, float]:
    """Return how much slower each scenario is: 0 of unchanged code, which no launch can teach otherwise."""
    if kind.is_unchanged:
        return dict.fromkeys(qualification.scenarios, 0.0)
    return effects(qualification.of_kind(kind))


def _slower(by_scenario: Mapping[str, float], least: float) -> set[str]:
    return {name for name, effect in by_scenario.items() if effect > least}


def _range(log_ratios: Iterable[float]) -> str:
    found = sorted(log_ratios)
    if not found:
        return ""
    low, middle, high = (percent(value) for value in (found[0], float(np.median(found)), found[-1]))
    return f"{middle:+.1f} % ({low:+.1f} to {high:+.1f}), {counted(len(found), 'scenario')}"


def _share(share: Share | Clustered) -> str:
    total = share.total if isinstance(share, Clustered) else share
    if total.of == 0:
        return ""
    shown = Interval(*(100 * value for value in share.interval())).text(".1f", " %")
    return f"{total.hits} of {total.of}: {shown}"


def _rule_rows(replays: Replays) -> Iterable[tuple[str, ...]]:
    unchanged = replays.of(UNCHANGED, USUAL)
    yield _rule_row(replays, GATE, rates.ended(unchanged, Verdict.REGRESSED), rates.said(Verdict.REGRESSED))
    called = {
        outcome.suite.number: flagged(outcome.suite, outcome.num_launches_of)
        for kind in replays.qualification.kinds
        for outcome in replays.of(kind, USUAL)
    }
    for rule in (rule + suffix for suffix in ("", INTERLEAVED) for rule in RULES):

        def is_called(outcome: Outcome, name: str, rule: str = rule) -> bool:
            return name in called[outcome.suite.number][rule]

        alarms = sum(bool(called[outcome.suite.number][rule]) for outcome in unchanged)
        yield _rule_row(replays, rule, Share(alarms, len(unchanged)), is_called)


def _rule_row(replays: Replays, rule: str, alarms: Share, is_called: Callable[[Outcome, str], bool]) -> tuple[str, ...]:
    """Return how often a rule calls scenarios slower: of unchanged suites all, of others those that are."""
    shares = []
    for kind in replays.qualification.kinds:
        slower = _slower(_true_effects(replays.qualification, kind), SMALLEST_EFFECT)
        among = None if kind.is_unchanged else slower
        shares.append(_share(rates.scenarios_where(replays.of(kind, USUAL), is_called, among)))
    return (rule, _share(alarms), *shares)


def _spread_rows(qualification: Qualification) -> list[tuple[str, ...]]:
    return [
        (
            one.scenario,
            one.arm,
            f"{percent(one.sd):.1f} %",
            f"{percent(one.alone_sd):.1f} %",
            str(one.num_launches),
        )
        for one in scenario_spreads(qualification)
    ]


def _prior(qualification: Qualification) -> str:
    prior = prior_of(qualification)
    return (
        f"A launch spreads by {prior.spread:.4f} in one scenario and arm, by {prior.state:.4f} in all alike and by "
        f"{prior.own_state:.4f} more in one arm of a group: the prior that this machine suggests."
    )
