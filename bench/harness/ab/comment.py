"""The result as a comment on a pull request: the verdict, the few rows that matter, the rest folded."""

import math
from collections import Counter
from collections.abc import Sequence

from bench.harness.ab.command import Comparison
from bench.harness.ab.judgement import SUSPECT_SHARE
from bench.harness.ab.types import PairedLaunch
from bench.harness.report import escape, explain, markdown_table
from bench.harness.stats import percent
from bench.harness.verdict import SEVERITY, SMALLEST_EFFECT, Change, ScenarioVerdict, exit_code, worst

HEADERS = ("scenario", "change of the MoE", "of dense", "smallest detectable", "verdict", "where")
MOST_ROWS = 15  # shown open, the most severe first
MOST_LETTERS = 60_000  # GitHub refuses comments above 65,536
MARKER = "<!-- moevlm ab -->"  # by which a workflow finds the comment to update it in place
ARMS = ("moe", "dense")


def comment(comparison: Comparison) -> str:
    """Return the comment as GitHub's markdown; names from revisions and scenarios are escaped.

    Args:
        comparison: what was measured and judged.
    """
    ranked = sorted(comparison.verdicts, key=lambda verdict: (-SEVERITY[verdict.verdict], -_size(verdict)))
    shown, rest = ranked[:MOST_ROWS], ranked[MOST_ROWS:]
    parts = [MARKER, f"### {verdict_line(comparison)}", _table(shown)]
    if rest:
        parts.append(f"<details><summary>{len(rest)} more scenarios</summary>\n\n{_table(rest)}\n\n</details>")
    reasons = [f"- {escape(_reason(verdict))}" for verdict in shown if verdict.why or verdict.where]
    if reasons:
        parts.append("\n".join(reasons))
    parts.append(f"<sub>{_measured(comparison)}</sub>")
    return _within_limits(parts)


def verdict_line(comparison: Comparison) -> str:
    """Return the one line that says how it ended, with a count for each verdict.

    Args:
        comparison: what was measured and judged.
    """
    counts: dict[str, int] = {}
    for verdict in sorted(comparison.verdicts, key=lambda v: -SEVERITY[v.verdict]):
        counts[verdict.verdict.value] = counts.get(verdict.verdict.value, 0) + 1
    final = worst(verdict.verdict for verdict in comparison.verdicts).value
    dirty = " with uncommitted changes" if comparison.head.is_dirty else ""
    sides = f"{comparison.head.commit[:10]}{dirty} against {comparison.base.commit[:10]}"
    return f"{final}: {', '.join(f'{count} {name}' for name, count in counts.items())} · {sides}"


def ends_with(comparison: Comparison, *, strict: bool) -> int:
    """Return the process's exit code: the most severe verdict's."""
    return exit_code((verdict.verdict for verdict in comparison.verdicts), strict=strict)


def _table(verdicts: Sequence[ScenarioVerdict]) -> str:
    return markdown_table(HEADERS, [_row(verdict) for verdict in verdicts])


def _row(verdict: ScenarioVerdict) -> tuple[str, ...]:
    by_arm = {c.control.arm: c for c in verdict.changes if c.control.against in ("base", None)}
    shown = [_change(by_arm[arm]) if arm in by_arm else "" for arm in ARMS]
    seen = max((change.tolerance for arm, change in by_arm.items() if arm in ARMS), default=0.0)
    detectable = f"{percent(seen):.1f} %" if seen and math.isfinite(seen) else ""
    return (verdict.scenario, *shown, detectable, verdict.verdict.value, verdict.where)


def _change(change: Change) -> str:
    if not all(map(math.isfinite, change.interval)):
        return f"{percent(change.interval.estimate):+.1f} % [too few launches]"
    estimate, low, high = map(percent, change.interval)
    return f"{estimate:+.1f} % [{low:+.1f}, {high:+.1f}]"


def _reason(verdict: ScenarioVerdict) -> str:
    return f"{verdict.scenario}: {verdict.verdict.value}, {verdict.why}" if verdict.why else explain(verdict)


def _size(verdict: ScenarioVerdict) -> float:
    return max((abs(change.interval.estimate) for change in verdict.changes), default=0.0)


def _measured(comparison: Comparison) -> str:
    counts = [most_launches(stage) for stage in (comparison.stage_1, comparison.stage_2)]
    said = ", ".join(f"{count} launches a scenario in stage {i}" for i, count in enumerate(counts, start=1) if count)
    smallest = 100 * SUSPECT_SHARE * SMALLEST_EFFECT
    return (
        f"{said or 'nothing was measured'}; {comparison.seconds:.0f} s. Above 0 is slower; intervals are 95 %. What "
        f"seems slower by {smallest:.1f} % at first is measured again, and only fresh launches decide."
    )


def most_launches(stage: Sequence[PairedLaunch]) -> int:
    """Count the launches of the scenario that had most; placebos do not count."""
    counts = Counter(launch.scenario for launch in stage if not launch.is_placebo)
    return max(counts.values(), default=0)


def _within_limits(parts: Sequence[str]) -> str:
    """Join the parts; leave out the folded rest, then cut, where GitHub would refuse the whole."""
    text = "\n\n".join(parts)
    if len(text) > MOST_LETTERS:
        text = "\n\n".join(part for part in parts if not part.startswith("<details>"))
    return text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]}\n\n(cut: too long for a comment)"
