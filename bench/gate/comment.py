"""The result as a comment on a pull request: the verdict, the few rows that matter, the rest folded."""

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from bench.gate.ab.launches import PairedLaunch
from bench.gate.ab.profile import NUM_CALLS, OperationChange, ScenarioProfile
from bench.gate.ab.result import Comparison
from bench.gate.headline import headline, tell
from bench.gate.markdown import code, escape, folded, github_table
from bench.gate.posted import MARKER, cut
from bench.gate.speedups import HEADERS as SUMMARY_HEADERS
from bench.gate.speedups import speedup_rows
from bench.gate.stats import percent
from bench.gate.telling import moved
from bench.gate.verdict import SEVERITY, ScenarioVerdict, tally, worst
from bench.harness.arms import PRIMARY, TWIN
from bench.harness.metrics import DISPLAYS, metric
from bench.harness.wording import counted

HEADERS = (
    *("scenario", "MoE, base", "MoE, head", "change of MoE [95 %]", "of dense [95 %]"),
    *("smallest detectable", "verdict", "where"),
)
GROUP_HEADERS = ("group", "change of MoE [95 %]", "of dense [95 %]", "verdict", "where")
PROFILE_HEADERS = ("operation", "on", "base", "head", "change")
ARMS = (PRIMARY, TWIN)
MOST_ROWS = 15  # shown open, the most severe first
MOST_OPERATIONS = 10  # of a profile
MOST_GROUPS = 12  # of the summary, shown open
MOST_LETTERS = 60_000  # GitHub refuses comments above 65,536
NAME_LETTERS = 90  # of an operation; a kernel's name can fill a page
WHY_LETTERS = 1_000  # of a reason; a worker's last words can be long
LEFT_OUT = "_{} tables are left out, for GitHub takes no longer comment; ab.json beside this text has all launches._"


def comment(comparison: Comparison) -> str:
    """Return the comment as GitHub's markdown; names from revisions and scenarios can start no markup."""
    groups = comparison.judgement.groups
    scenarios = [one for one in comparison.verdicts if one not in groups]
    ranked = sorted(scenarios, key=lambda verdict: (-SEVERITY[verdict.verdict], -_size(verdict)))
    times = _times(comparison.launches)
    shown, rest = ranked[:MOST_ROWS], ranked[MOST_ROWS:]
    parts = [
        f"{MARKER}\n### {verdict_line(comparison)}",
        escape(headline(tell(groups))),
        *_accepted(comparison),
        _groups(groups),
        _judged(shown, times),
        "\n".join(f"- {code(note[:WHY_LETTERS])}" for note in comparison.notes),
        *map(_profile, comparison.profiles),
        _summary(comparison.launches),
        folded(counted(len(rest), "more scenario"), _judged(rest, times)) if rest else "",
        f"<sub>{_measured(comparison)}</sub>",
    ]
    return _within_limits([part for part in parts if part])


def verdict_line(comparison: Comparison) -> str:
    """Return the one line that says how it ended, with a count for each verdict."""
    counts = tally(verdict.verdict for verdict in comparison.verdicts)
    final = worst(counts).value
    dirty = " with uncommitted changes" if comparison.head.is_dirty else ""
    sides = f"{comparison.head.commit[:10]}{dirty} against {comparison.base.commit[:10]}"
    return f"{final}: {', '.join(f'{count} {verdict.value}' for verdict, count in counts.items())} · {sides}"


def _accepted(comparison: Comparison) -> list[str]:
    """Say why changed answers were accepted, and which."""
    changed = comparison.changed_answers()
    if not changed:
        return []
    scenarios = counted(len(changed), "scenario")
    rows = "\n".join(f"- {code(scenario)}: {code(why[:WHY_LETTERS])}" for scenario, why in changed.items())
    return [f"Answers of {scenarios} changed, accepted: {code(comparison.accept_answers)}", folded("in what", rows)]


def _times(launches: Iterable[PairedLaunch]) -> dict[str, tuple[str, str]]:
    """Return by scenario what the MoE takes on base and on head: median over the launches of their blocks' medians."""
    found: dict[str, list[PairedLaunch]] = {}
    for launch in launches:
        if not launch.is_placebo and launch.metric and PRIMARY in launch.arms:
            found.setdefault(launch.scenario, []).append(launch)
    return {scenario: (_value(group, 0), _value(group, 1)) for scenario, group in found.items()}


def _value(launches: Sequence[PairedLaunch], side: int) -> str:
    medians = [statistics.median(launch.arms[PRIMARY][side]) for launch in launches]
    return metric(launches[0].metric).display(statistics.median(medians))


def _judged(verdicts: Sequence[ScenarioVerdict], times: Mapping[str, tuple[str, str]]) -> str:
    """Return the table of verdicts, then the reasons that some have."""
    reasons = [_reason(verdict) for verdict in verdicts if verdict.why]
    rows = github_table(HEADERS, [_row(verdict, times) for verdict in verdicts])
    return "\n\n".join(filter(None, [rows, "\n".join(reasons)]))


def _groups(groups: Sequence[ScenarioVerdict]) -> str:
    """Return the table of benchmarks at a scale and of the suite: a mean over scenarios sees what none is sure of."""
    rows = [(escape(group.scenario), *_arms(group), group.verdict.value, escape(group.where)) for group in groups]
    return github_table(GROUP_HEADERS, rows) if rows else ""


def _arms(verdict: ScenarioVerdict) -> list[str]:
    by_arm = {c.control.arm: c for c in verdict.changes if c.control.against in ("base", None)}
    return [moved(by_arm[arm]) if arm in by_arm else "" for arm in ARMS]


def _row(verdict: ScenarioVerdict, times: Mapping[str, tuple[str, str]]) -> tuple[str, ...]:
    seen = max((c.tolerance for c in verdict.changes if c.control.arm in ARMS), default=0.0)
    detectable = f"{percent(seen):.1f} %" if seen and math.isfinite(seen) else ""
    values = times.get(verdict.scenario, ("", ""))
    said = (detectable, verdict.verdict.value, escape(verdict.where))
    return (code(verdict.scenario), *values, *_arms(verdict), *said)


def _reason(verdict: ScenarioVerdict) -> str:
    why = verdict.why if len(verdict.why) <= WHY_LETTERS else f"{verdict.why[:WHY_LETTERS]} ..."
    return f"- {code(verdict.scenario)}: {verdict.verdict.value}, {code(why)}"


def _profile(profile: ScenarioProfile) -> str:
    """Say which operations of a regressed scenario's slower arm changed."""
    where = f"**{code(profile.scenario)}, {escape(profile.arm)} under torch.profiler**"
    if profile.why:
        return f"{where}: it could not be profiled, {code(profile.why[:WHY_LETTERS])}"
    if not profile.changes:
        return f"{where}: no operation changed beyond the spread of {NUM_CALLS} calls"
    count, shown = len(profile.changes), profile.changes[:MOST_OPERATIONS]
    said = f"{len(shown)} of {count} operations that changed" if count > len(shown) else "operations that changed"
    note = f"{said}, each without those that it calls; medians of {NUM_CALLS} calls, which the profiler slows"
    return f"{where}: {note}\n\n{github_table(PROFILE_HEADERS, [_operation(change) for change in shown])}"


def _operation(change: OperationChange) -> tuple[str, ...]:
    name = change.operation
    short = name if len(name) <= NAME_LETTERS else f"{name[:NAME_LETTERS]}..."
    seconds = DISPLAYS["s"]
    times = [seconds(value) if value else "not run" for value in (change.base_s, change.head_s)]
    grown = f"{'+' if change.change_s > 0 else '-'}{seconds(abs(change.change_s))}"
    return (code(short), escape(change.on), *times, grown)


def _summary(launches: Iterable[PairedLaunch]) -> str:
    """Set MoE against dense on both sides; a long table is folded."""
    rows = speedup_rows(launches)
    title = "MoE against dense (above 1 the MoE is better; geometric mean over scenarios)"
    if not rows:
        return ""
    said = github_table(SUMMARY_HEADERS, [tuple(map(code, row[:4])) + row[4:] for row in rows])
    return folded(title, said) if len(rows) > MOST_GROUPS else f"**{title}**\n\n{said}"


def _size(verdict: ScenarioVerdict) -> float:
    return max((abs(change.interval.estimate) for change in verdict.changes), default=0.0)


def _measured(comparison: Comparison) -> str:
    counts = Counter(launch.scenario for launch in comparison.launches if not launch.is_placebo)
    placebos = len({launch.number for launch in comparison.launches if launch.is_placebo})
    said = f"{min(counts.values())} to {max(counts.values())} launches a scenario" if counts else "Nothing was measured"
    evidence = comparison.judgement.evidence
    wider = evidence.noise.widening if evidence else 1.0
    sticky = f" Launches resemble the one before: all limits are {wider:.1f} times as wide." if wider > 1 else ""
    return (
        f"Both sides ran with {escape(comparison.software)}. {said}, "
        f"{counted(placebos, 'launch')} of base against itself; "
        f"{comparison.seconds:.0f} s. Times are medians. Changes are taken block by block, less what base against "
        f"itself showed; above 0 is worse; intervals are 95 % over all looks at them.{sticky}"
    )


def _within_limits(parts: Sequence[str]) -> str:
    """Join the parts; where GitHub would refuse the whole, leave out folded ones from the last, then cut."""
    kept, left_out = list(parts), 0
    while len("\n\n".join(kept)) > MOST_LETTERS and (closed := [p for p in kept if p.startswith("<details>")]):
        kept.remove(closed[-1])
        left_out += 1
    return cut("\n\n".join([*kept, LEFT_OUT.format(left_out)] if left_out else kept), MOST_LETTERS)
