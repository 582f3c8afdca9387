"""Suites as tables: how often the gate errs, what other rules say of the same launches, how exact scenarios are."""

from collections.abc import Iterable, Mapping

import numpy as np

from bench.gate.markdown import markdown_table
from bench.gate.qualify import rates
from bench.gate.qualify.rates import Share
from bench.gate.qualify.resample import NUM_SUITES, draw_suites, needed, pool
from bench.gate.qualify.rules import INTERLEAVED, RULES
from bench.gate.qualify.suites import Qualification
from bench.gate.stats import Interval, percent
from bench.gate.verdict import Verdict
from bench.harness.arms import PRIMARY
from bench.harness.wording import counted

SIZES = (1.0, 1.01, 1.02, 1.03, 1.05, 1.10)  # of the slowdowns that are drawn, on the MoE
SEED = 0  # of the draws: a table is the same each time it is made
GATE = "this gate"
RATES_HEADERS = (
    *("suites measured", "any REGRESSED", "end 0", "OK or IMPROVED", "REGRESSED"),
    *("put down rightly", "launches", "time"),
)
RULE_HEADERS = ("rule", "unchanged suites with an alarm", "unchanged scenarios called slower")
DRAWN_HEADERS = ("MoE slower by", "suites with any REGRESSED", "scenarios REGRESSED", "scenarios OK or IMPROVED")
SPREAD_HEADERS = ("scenario", "launch sd", "launches", "smallest detectable change")
CODE_OF = {"moe": "MoE", "dense": "dense"}  # arm -> how reports call what only it runs


def report(qualification: Qualification, num_drawn: int = NUM_SUITES) -> str:
    """Return all tables of one suite or more as markdown, with so many resampled suites of each size."""
    power = [f"{name_of(kind)}: scenarios called slower" for kind in _kinds(qualification) if kind]
    return "\n\n".join(
        [
            _headline(qualification),
            markdown_table(RATES_HEADERS, [_rates_row(qualification, kind) for kind in _kinds(qualification)]),
            "The same launches judged by other rules:",
            markdown_table((*RULE_HEADERS, *power), _rule_rows(qualification)),
            *_drawn(qualification, num_drawn),
            "What a launch's log ratio of unchanged base and head spreads by (MoE):",
            markdown_table(SPREAD_HEADERS, _spread_rows(qualification)),
        ]
    )


def _headline(qualification: Qualification) -> str:
    machine, loads = qualification.machine, [load for suite in qualification.suites for load in suite.load]
    return (
        f"{counted(len(qualification.suites), 'suite')} of {counted(len(qualification.scenarios), 'scenario')} on "
        f"{machine['cpu_model']}, {counted(machine['cpu_count'], 'CPU')}, torch {machine['torch']}, "
        f"transformers {machine['transformers']}; load {min(loads):.1f} to {max(loads):.1f}; intervals are 95 %, exact."
    )


def _kinds(qualification: Qualification) -> list[Mapping[str, float]]:
    """Return what was injected, unchanged code first."""
    found: list[Mapping[str, float]] = []
    for suite in qualification.suites:
        if dict(suite.injected) not in found:
            found.append(dict(suite.injected))
    return sorted(found, key=len)


def name_of(injected: Mapping[str, float]) -> str:
    """Name a kind of suite.

    >>> name_of({"moe": 1.05})
    'moe +5 %'
    """
    return ", ".join(f"{arm} {100 * (factor - 1):+g} %" for arm, factor in injected.items()) or "unchanged"


def _rates_row(qualification: Qualification, injected: Mapping[str, float]) -> tuple[str, ...]:
    suites = qualification.with_injected(injected)
    rightly = rates.attributed(suites, _where(injected)) if injected else None
    return (
        f"{len(suites)} {name_of(injected)}",
        _share(rates.false_alarms(suites)),
        _share(rates.green(suites)),
        _share(rates.ended_as(suites, Verdict.OK, Verdict.IMPROVED)),
        _share(rates.ended_as(suites, Verdict.REGRESSED)),
        _share(rightly) if rightly else "",
        f"{rates.num_launches(suites):.1f}",
        f"{np.median([suite.seconds for suite in suites]) / 60:.0f} min",
    )


def _where(injected: Mapping[str, float]) -> str:
    return "shared code" if len(injected) > 1 else CODE_OF[next(iter(injected))]


def _share(share: Share) -> str:
    if share.of == 0:
        return ""
    shown = Interval(*(100 * value for value in share.interval())).text(".1f", " %")
    return f"{share.hits} of {share.of}: {shown}"


def _rule_rows(qualification: Qualification) -> Iterable[tuple[str, ...]]:
    unchanged = qualification.with_injected({})
    slowed = [qualification.with_injected(kind) for kind in _kinds(qualification) if kind]
    regressed = [_share(rates.ended_as(suites, Verdict.REGRESSED)) for suites in slowed]
    alarms = _share(rates.false_alarms(unchanged))
    yield (GATE, alarms, _share(rates.ended_as(unchanged, Verdict.REGRESSED)), *regressed)
    for rule in (rule + suffix for suffix in ("", INTERLEAVED) for rule in RULES):
        called = [_share(rates.flagged_scenarios(suites, rule)) for suites in (unchanged, *slowed)]
        yield (rule, _share(rates.flagged_suites(unchanged, rule)), *called)


def _drawn(qualification: Qualification, num_drawn: int) -> list[str]:
    """Return the drawn suites' table; a sentence instead while there are too few launches to draw from."""
    launches = pool(qualification)
    if len(launches) < needed():
        return [f"Other sizes are resampled once {needed()} whole launches are there; {len(launches)} are."]
    rng = np.random.default_rng(SEED)
    rows = []
    for size in SIZES:
        drawn = draw_suites(launches, {PRIMARY: size}, rng, num_drawn)
        rows.append((name_of({PRIMARY: size}).split(" ", 1)[1], *map(_share, drawn)))
    said = f"Resampled, {num_drawn} suites of each size drawn from {len(launches)} measured launches of unchanged code:"
    return [said, markdown_table(DRAWN_HEADERS, rows)]


def _spread_rows(qualification: Qualification) -> list[tuple[str, ...]]:
    return [
        (one.scenario, f"{percent(one.launch_sd):.1f} %", str(one.num_launches), f"{percent(one.detectable):.1f} %")
        for one in rates.spreads(qualification)
    ]
