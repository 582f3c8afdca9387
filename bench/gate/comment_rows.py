"""The comment's tables of verdicts: which rows stand open, what a row says, and each reason once."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

from bench.gate.ab.launches import PairedLaunch
from bench.gate.headline import ARMS
from bench.gate.markdown import code, escape, github_table
from bench.gate.room import short_name, short_text
from bench.gate.stats import percent
from bench.gate.telling import moved
from bench.gate.verdict import SEVERITY, Change, ScenarioVerdict, Verdict
from bench.harness.arms import PRIMARY, TWIN
from bench.harness.metrics import metric

# verdict and change first: a telephone shows no more of a row
HEADERS = (
    *("verdict", "change [95 %]", "scenario", "MoE, base", "MoE, head", "other arm", "where"),
    "smallest detectable",
)
GROUP_HEADERS = ("verdict", "change [95 %]", "mean over", "other arm", "where")
MOST_ROWS = 10  # open
QUIET = (Verdict.OK, Verdict.IDENTICAL)  # of which no row is open
NAME_LETTERS = 120  # a kernel's name can fill a page
WHY_LETTERS = 1_000  # of a reason; a worker's last words can be long
MOST_NAMED = 3  # scenarios of one reason

Values = Mapping[str, tuple[float, str, float]]  # scenario -> the MoE's value on base, its metric and that one's sign


def ranked(verdicts: Iterable[ScenarioVerdict]) -> list[ScenarioVerdict]:
    """Return verdicts, the most severe first, and of these what changed most."""
    return sorted(verdicts, key=lambda verdict: (-SEVERITY[verdict.verdict], -_size(verdict)))


def opened(verdicts: Sequence[ScenarioVerdict]) -> list[ScenarioVerdict]:
    """Choose the rows that stand open: the worst of each benchmark, then of all; those of a benchmark stand together.

    Args:
        verdicts: ranked.
    """
    loud = [verdict for verdict in verdicts if verdict.verdict not in QUIET and not _is_unmeasured(verdict)]
    by_benchmark: dict[str, list[ScenarioVerdict]] = {}
    for verdict in loud:
        by_benchmark.setdefault(_benchmark(verdict), []).append(verdict)
    firsts = [found[0] for found in by_benchmark.values()]
    others = [verdict for verdict in loud if verdict not in firsts]
    chosen = [*firsts, *others][:MOST_ROWS]
    return [verdict for found in by_benchmark.values() for verdict in found if verdict in chosen]


def base_values(launches: Iterable[PairedLaunch]) -> Values:
    """Return what the MoE takes on base: the median over launches of the medians over their blocks."""
    found: dict[str, list[PairedLaunch]] = {}
    for launch in launches:
        if not launch.is_placebo and launch.metric and PRIMARY in launch.arms:
            found.setdefault(launch.scenario, []).append(launch)
    return {name: (_median(group), group[0].metric, group[0].sign) for name, group in found.items()}


def verdict_table(verdicts: Sequence[ScenarioVerdict], values: Values) -> str:
    """Return a row a scenario."""
    return _table(HEADERS, [_row(verdict, values) for verdict in verdicts])


def group_table(groups: Sequence[ScenarioVerdict]) -> str:
    """Return a row a group: a mean over scenarios sees what none is sure of."""
    return _table(GROUP_HEADERS, [*map(_group_row, groups)])


def reasons(verdicts: Iterable[ScenarioVerdict]) -> list[str]:
    """Say each reason once, with the scenarios that have it."""
    having: dict[tuple[Verdict, str], list[str]] = {}
    for verdict in verdicts:
        if verdict.why:
            having.setdefault((verdict.verdict, short_text(verdict.why, WHY_LETTERS)), []).append(verdict.scenario)
    return [f"- {_named(names)}: {verdict.value}, {code(why)}" for (verdict, why), names in having.items()]


def name(text: str) -> str:
    """Return a name as code."""
    return code(short_name(text, NAME_LETTERS))


def plain(text: str) -> str:
    """Return a name as text, where nothing in it could be markup."""
    return escape(short_name(text, NAME_LETTERS))


def _named(names: Sequence[str]) -> str:
    first = ", ".join(map(name, names[:MOST_NAMED]))
    return f"{first} and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else first


def _is_unmeasured(verdict: ScenarioVerdict) -> bool:
    """Tell whether the budget did not hold it: its row would be empty, and its reason is given."""
    return verdict.verdict is Verdict.INCONCLUSIVE and not verdict.changes


def _benchmark(verdict: ScenarioVerdict) -> str:
    return verdict.scenario.partition("[")[0]


def _size(verdict: ScenarioVerdict) -> float:
    return max((abs(change.interval.estimate) for change in verdict.changes), default=0.0)


def _median(launches: Sequence[PairedLaunch]) -> float:
    return statistics.median(statistics.median(launch.arms[PRIMARY][0]) for launch in launches)


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay rows out without the columns in which none says anything."""
    kept = [i for i in range(len(headers)) if any(row[i] for row in rows)]
    return github_table([headers[i] for i in kept], [[row[i] for i in kept] for row in rows])


def _row(verdict: ScenarioVerdict, values: Values) -> tuple[str, ...]:
    seen = max((c.tolerance for c in verdict.changes if c.control.arm in ARMS), default=0.0)
    detectable = f"{percent(seen):.1f} %" if seen and math.isfinite(seen) else ""
    sides = _sides(_by_arm(verdict).get(PRIMARY), values.get(verdict.scenario))
    first, other = _arms(verdict)
    return (verdict.verdict.value, first, name(verdict.scenario), *sides, other, plain(verdict.where), detectable)


def _group_row(group: ScenarioVerdict) -> tuple[str, ...]:
    first, other = _arms(group)
    return (group.verdict.value, first, plain(group.scenario), other, plain(group.where))


def _sides(change: Change | None, base: tuple[float, str, float] | None) -> tuple[str, str]:
    """Return the MoE's value on base, and on head as the change makes it: the two never say something else than it."""
    if base is None:
        return "", ""
    value, measured, sign = base
    show = metric(measured).display
    is_known = change is not None and math.isfinite(change.interval.estimate)
    return show(value), show(value * math.exp(sign * change.interval.estimate)) if change and is_known else ""


def _by_arm(verdict: ScenarioVerdict) -> dict[str, Change]:
    return {c.control.arm: c for c in verdict.changes if c.control.against in ("base", None)}


def _arms(verdict: ScenarioVerdict) -> tuple[str, str]:
    """Return what became of both arms, first of that where the cause lies."""
    found = _by_arm(verdict)
    said = [f"{called} {moved(found[arm])}" if arm in found else "" for arm, called in ARMS.items()]
    first, other = reversed(said) if verdict.where == ARMS[TWIN] else said
    return first, other
