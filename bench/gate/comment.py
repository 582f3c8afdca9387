"""The result as a comment on a pull request: the sentence of the verdict, the few rows that matter, the rest folded."""

from collections import Counter
from collections.abc import Iterable, Sequence

from bench.gate.ab.launches import PairedLaunch
from bench.gate.ab.profile import NUM_CALLS, OperationChange, ScenarioProfile
from bench.gate.ab.result import Comparison
from bench.gate.comment_rows import (
    WHY_LETTERS,
    base_values,
    group_table,
    name,
    opened,
    plain,
    ranked,
    reasons,
    verdict_table,
)
from bench.gate.headline import headline, tell
from bench.gate.markdown import code, escape, folded, github_table
from bench.gate.posted import MARKER, cut
from bench.gate.room import fitting, short_text
from bench.gate.since import Earlier, since
from bench.gate.speedups import HEADERS as SUMMARY_HEADERS
from bench.gate.speedups import speedup_rows
from bench.gate.verdict import ScenarioVerdict, tally, worst
from bench.harness.metrics import DISPLAYS
from bench.harness.wording import counted, span

PROFILE_HEADERS = ("operation", "on", "base", "head", "change")
MOST_OPERATIONS = 10  # of a profile
MOST_LETTERS = 60_000  # GitHub refuses comments above 65,536
SHOWN_LETTERS = 20_000  # of the rows shown open, with their reasons
LIST_LETTERS = 4_000  # of any other list; the rest of the scenarios gets what is left
LINE_LETTERS = 2_000  # of the headline


def comment(comparison: Comparison, earlier: Earlier | None = None) -> str:
    """Return the comment as GitHub's markdown, short enough for it; names can start no markup.

    Args:
        earlier: the result of the last push.
    """
    groups = comparison.judgement.groups
    names = {group.scenario for group in groups}
    everything = ranked(one for one in comparison.verdicts if one.scenario not in names)
    values = base_values(comparison.launches)
    shown = opened(everything)
    rest = [verdict for verdict in everything if verdict not in shown]
    above = [
        f"{MARKER}\n**{sentence(comparison)}**",
        " ".join([_counts(comparison), *([since(earlier, everything)] if earlier else [])]),
        fitting(shown, SHOWN_LETTERS, lambda rows: verdict_table(rows, values)) if shown else "",
        fitting(reasons(everything), LIST_LETTERS, "\n".join, "reason"),
        *_accepted(comparison),
        fitting(comparison.notes, LIST_LETTERS, _notes, "note"),
        *map(_profile, comparison.profiles),
        _folded_groups(groups),
        _summary(comparison.launches),
    ]
    below = "\n\n".join(filter(None, [_reproduce(comparison), f"<sub>{_measured(comparison)}</sub>"]))
    whole = "\n\n".join(filter(None, above))
    title = counted(len(rest), "more scenario" if shown else "scenario")
    room = MOST_LETTERS - len(whole) - len(folded(title, "")) - len(below) - 2 * len("\n\n")
    more = folded(title, fitting(rest, room, lambda rows: verdict_table(rows, values))) if rest else ""
    return cut("\n\n".join(filter(None, [whole, more, below])), MOST_LETTERS)


def sentence(comparison: Comparison) -> str:
    """Return the verdict of the whole, with what became of each arm."""
    final = worst(verdict.verdict for verdict in comparison.verdicts).value
    said = escape(short_text(headline(tell(comparison.judgement.groups, comparison.judgement.scenarios)), LINE_LETTERS))
    return f"{final}: {said}" if said else final


def _counts(comparison: Comparison) -> str:
    """Count the verdicts, and name both sides."""
    counts = tally(verdict.verdict for verdict in comparison.verdicts)
    dirty = " with uncommitted changes" if comparison.head.is_dirty else ""
    sides = f"{comparison.head.commit[:10]}{dirty} against {comparison.base.commit[:10]}."
    return f"{', '.join(f'{count} {verdict.value}' for verdict, count in counts.items())} · {sides}"


def _notes(notes: Sequence[str]) -> str:
    return "\n".join(f"- {code(short_text(note, WHY_LETTERS))}" for note in notes)


def _accepted(comparison: Comparison) -> list[str]:
    """Say why changed answers were accepted, and which."""
    changed = comparison.changed_answers()
    if not changed:
        return []
    scenarios = counted(len(changed), "scenario")
    said = [f"- {name(scenario)}: {code(short_text(why, WHY_LETTERS))}" for scenario, why in changed.items()]
    reason = code(short_text(comparison.accept_answers, WHY_LETTERS))
    rows = fitting(said, LIST_LETTERS, "\n".join)
    return [f"Answers of {scenarios} changed, accepted: {reason}", folded("in what", rows)]


def _profile(profile: ScenarioProfile) -> str:
    """Say which operations of a regressed scenario's slower arm changed."""
    where = f"**{name(profile.scenario)}, {plain(profile.arm)} under torch.profiler**"
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
    return (name(change.operation), plain(change.on), *times, grown)


def _folded_groups(groups: Sequence[ScenarioVerdict]) -> str:
    """Fold the means over benchmarks at a scale and over the suite, of which the sentence has told."""
    if not groups:
        return ""
    return folded("Means over scenarios", fitting(ranked(groups), LIST_LETTERS, group_table))


def _summary(launches: Iterable[PairedLaunch]) -> str:
    """Fold MoE against dense on both sides."""
    rows = [tuple(map(name, row[:4])) + row[4:] for row in speedup_rows(launches)]
    title = "MoE against dense (above 1 the MoE is better; geometric mean over scenarios)"
    said = fitting(rows, LIST_LETTERS, lambda first: github_table(SUMMARY_HEADERS, first))
    return folded(title, said) if rows else ""


def _reproduce(comparison: Comparison) -> str:
    return f"Again: {code(short_text(comparison.command, LINE_LETTERS))}" if comparison.command else ""


def _measured(comparison: Comparison) -> str:
    """Say in a line on what was measured, how often, how long and how; whoever posts it adds where the record lies."""
    counts = Counter(launch.scenario for launch in comparison.launches if not launch.is_placebo)
    placebos = len({launch.number for launch in comparison.launches if launch.is_placebo})
    said = f"{min(counts.values())} to {max(counts.values())} launches a scenario" if counts else "nothing was measured"
    evidence = comparison.judgement.evidence
    wider = evidence.noise.widening if evidence else 1.0
    sticky = f" Launches resemble the one before: all limits are {wider:.1f} times as wide." if wider > 1 else ""
    load = f"load {span(comparison.load, '.1f')}" if comparison.load else ""
    on = [escape(short_text(text, WHY_LETTERS)) for text in (comparison.machine, load, comparison.software) if text]
    spent = f"{said}, {counted(placebos, 'launch')} of base against itself, {comparison.seconds:.0f} s"
    return (
        f"{' · '.join([*on, spent])}. Times are medians; head is base times the change, which is taken block by block, "
        f"less what base against itself showed; above 0 is worse; intervals are 95 % over all looks at them.{sticky}"
    )
