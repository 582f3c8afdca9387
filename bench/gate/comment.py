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
from bench.gate.room import fitting, short_name, short_text
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
MOST_GROUPS = 12  # shown open
MOST_LETTERS = 60_000  # GitHub refuses comments above 65,536
SHOWN_LETTERS = 20_000  # of the rows shown open, with their reasons
LIST_LETTERS = 4_000  # of any other list; the rest of the scenarios gets what is left
NAME_LETTERS = 120  # a kernel's name can fill a page
LINE_LETTERS = 2_000  # of the headline
WHY_LETTERS = 1_000  # of a reason; a worker's last words can be long


def comment(comparison: Comparison) -> str:
    """Return the comment as GitHub's markdown, short enough for it; names can start no markup."""
    groups = comparison.judgement.groups
    names = {group.scenario for group in groups}
    ranked = _ranked(one for one in comparison.verdicts if one.scenario not in names)
    times = _times(comparison.launches)
    shown, rest = ranked[:MOST_ROWS], ranked[MOST_ROWS:]
    above = [
        f"{MARKER}\n### {verdict_line(comparison)}",
        escape(short_text(headline(tell(groups)), LINE_LETTERS)),
        *_accepted(comparison),
        *_groups(groups),
        fitting(shown, SHOWN_LETTERS, lambda rows: _judged(rows, times)),
        fitting(comparison.notes, LIST_LETTERS, _notes, "note"),
        *map(_profile, comparison.profiles),
        _summary(comparison.launches),
    ]
    below = f"<sub>{_measured(comparison)}</sub>"
    whole = "\n\n".join(filter(None, above))
    title = counted(len(rest), "more scenario")
    room = MOST_LETTERS - len(whole) - len(folded(title, "")) - len(below) - 2 * len("\n\n")
    more = folded(title, fitting(rest, room, lambda rows: _judged(rows, times))) if rest else ""
    return cut("\n\n".join(filter(None, [whole, more, below])), MOST_LETTERS)


def _ranked(verdicts: Iterable[ScenarioVerdict]) -> list[ScenarioVerdict]:
    """Return verdicts, the most severe first, and of these what changed most."""
    return sorted(verdicts, key=lambda verdict: (-SEVERITY[verdict.verdict], -_size(verdict)))


def _notes(notes: Sequence[str]) -> str:
    return "\n".join(f"- {code(short_text(note, WHY_LETTERS))}" for note in notes)


def _name(name: str) -> str:
    return code(short_name(name, NAME_LETTERS))


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
    said = [f"- {_name(scenario)}: {code(short_text(why, WHY_LETTERS))}" for scenario, why in changed.items()]
    reason = code(short_text(comparison.accept_answers, WHY_LETTERS))
    rows = fitting(said, LIST_LETTERS, "\n".join)
    return [f"Answers of {scenarios} changed, accepted: {reason}", folded("in what", rows)]


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


def _groups(groups: Sequence[ScenarioVerdict]) -> list[str]:
    """Return the table of benchmarks at a scale and of the suite: a mean over scenarios sees what none is sure of."""
    if len(groups) <= MOST_GROUPS:
        return [_grouped(groups)] if groups else []
    ranked = _ranked(groups)
    shown, rest = ranked[:MOST_GROUPS], ranked[MOST_GROUPS:]
    return [_grouped(shown), folded(counted(len(rest), "more group"), fitting(rest, LIST_LETTERS, _grouped))]


def _grouped(groups: Sequence[ScenarioVerdict]) -> str:
    rows = [(_plain(group.scenario), *_arms(group), group.verdict.value, _plain(group.where)) for group in groups]
    return github_table(GROUP_HEADERS, rows)


def _plain(name: str) -> str:
    return escape(short_name(name, NAME_LETTERS))


def _arms(verdict: ScenarioVerdict) -> list[str]:
    by_arm = {c.control.arm: c for c in verdict.changes if c.control.against in ("base", None)}
    return [moved(by_arm[arm]) if arm in by_arm else "" for arm in ARMS]


def _row(verdict: ScenarioVerdict, times: Mapping[str, tuple[str, str]]) -> tuple[str, ...]:
    seen = max((c.tolerance for c in verdict.changes if c.control.arm in ARMS), default=0.0)
    detectable = f"{percent(seen):.1f} %" if seen and math.isfinite(seen) else ""
    values = times.get(verdict.scenario, ("", ""))
    said = (detectable, verdict.verdict.value, _plain(verdict.where))
    return (_name(verdict.scenario), *values, *_arms(verdict), *said)


def _reason(verdict: ScenarioVerdict) -> str:
    why = code(short_text(verdict.why, WHY_LETTERS))
    return f"- {_name(verdict.scenario)}: {verdict.verdict.value}, {why}"


def _profile(profile: ScenarioProfile) -> str:
    """Say which operations of a regressed scenario's slower arm changed."""
    where = f"**{_name(profile.scenario)}, {_plain(profile.arm)} under torch.profiler**"
    if profile.why:
        return f"{where}: it could not be profiled, {code(short_text(profile.why, WHY_LETTERS))}"
    if not profile.changes:
        return f"{where}: no operation changed beyond the spread of {NUM_CALLS} calls"
    count, shown = len(profile.changes), profile.changes[:MOST_OPERATIONS]
    said = f"{len(shown)} of {count} operations that changed" if count > len(shown) else "operations that changed"
    note = f"{said}, each without those that it calls; medians of {NUM_CALLS} calls, which the profiler slows"
    return f"{where}: {note}\n\n{github_table(PROFILE_HEADERS, [_operation(change) for change in shown])}"


def _operation(change: OperationChange) -> tuple[str, ...]:
    seconds = DISPLAYS["s"]
    times = [seconds(value) if value else "not run" for value in (change.base_s, change.head_s)]
    grown = f"{'+' if change.change_s > 0 else '-'}{seconds(abs(change.change_s))}"
    return (_name(change.operation), _plain(change.on), *times, grown)


def _summary(launches: Iterable[PairedLaunch]) -> str:
    """Set MoE against dense on both sides; a long table is folded."""
    rows = speedup_rows(launches)
    title = "MoE against dense (above 1 the MoE is better; geometric mean over scenarios)"
    if not rows:
        return ""
    named = [tuple(map(_name, row[:4])) + row[4:] for row in rows]
    said = fitting(named, LIST_LETTERS, lambda first: github_table(SUMMARY_HEADERS, first))
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
        f"Both sides ran with {escape(short_text(comparison.software, WHY_LETTERS))}. {said}, "
        f"{counted(placebos, 'launch')} of base against itself; "
        f"{comparison.seconds:.0f} s. Times are medians. Changes are taken block by block, less what base against "
        f"itself showed; above 0 is worse; intervals are 95 % over all looks at them.{sticky}"
    )
