"""The page about the fronts: a template whose tables and results come from the documents, the same each time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from bench.harness.metrics import METRICS
from bench.harness.pareto import sentences
from bench.harness.pareto.documents import TIERS, Campaign
from bench.harness.pareto.front import Placed, choices, place
from bench.harness.pareto.pairs import REFERENCES, Pair, pairs
from bench.harness.pareto.points import AXES, Point
from bench.harness.pareto.tables import (
    CHOICE_HEADERS,
    PAIR_HEADERS,
    POINT_HEADERS,
    TITLES,
    choice_rows,
    pair_rows,
    point_rows,
    without_empty_columns,
)
from bench.harness.report import escape, markdown_table

Figures = Mapping[tuple[str, str], Sequence[Path]]  # (tier, axis) -> its files, the SVG first

TEMPLATE = Path(__file__).with_name("template.md")
ABSENT = "No such document was given to the command above."


def page(campaigns: Mapping[str, Campaign], figures: Figures, command: str) -> str:
    """Fill the template.

    Args:
        campaigns: By tier; a tier may be absent.
        figures: Their files, relative to the page.
        command: That writes the page.
    """
    tiers = {tier: _tier(campaigns[tier], figures) if tier in campaigns else ABSENT for tier in TIERS}
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        tiers, command=command, in_short="\n".join(in_short(campaigns))
    )


def in_short(campaigns: Mapping[str, Campaign]) -> list[str]:
    """Return a nested list: what to pick, by tier and task, and how MoE fares against dense.

    Args:
        campaigns: By tier.
    """
    lines = []
    for tier, campaign in campaigns.items():
        lines.append(f"- **{tier.capitalize()}**, {sentences.scale(campaign)}:")
        for task in campaign.tasks:
            placed = place(campaign.of(task), AXES[0])
            lines.append(f"  - {escape(sentences.picks(task, choices(placed, AXES[0])))}")
            lines += [f"    - {escape(said)}" for said in _smoes(campaign.of(task), placed)]
        if tier == "published":
            lines += [f"  - {escape(sentences.compared(found))}" for found in sentences.same_pairs(campaign)]
    return lines


def _smoes(of_task: Sequence[Point], placed: Sequence[Placed]) -> list[str]:
    """Say how SMoES stands on a task: on the front, and against its references."""
    found = [pair for pair in pairs(of_task, AXES[0]) if pair.point.kind == "smoes"]
    return [*sentences.standing_of_smoes(placed), *_against(found, "SMoES")]


def _against(found: Sequence[Pair], who: str) -> list[str]:
    return [said for series in REFERENCES if (said := sentences.outcomes(found, series, who))]


def _tier(campaign: Campaign, figures: Figures) -> str:
    documents = ", ".join(f"`{path.as_posix()}`" for path in campaign.paths)
    parts = [f"Machine: {campaign.machine}. Workload: {campaign.workload}. From {documents}."]
    for axis in AXES:
        svg, *others = figures[campaign.tier, axis]
        links = ", ".join(f"[{path.suffix[1:].upper()}]({path.as_posix()})" for path in others)
        parts.append(f"![Accuracy against {METRICS[axis].label}, {campaign.tier}]({svg.as_posix()})\n\n{links}")
    parts += [_task(campaign.of(task), task) for task in campaign.tasks]
    parts.append("\n".join(f"- {escape(source)}" for source in sentences.sources(campaign)))
    return "\n\n".join(filter(None, parts))


def _task(of_task: Sequence[Point], task: str) -> str:
    placed = place(of_task, AXES[0])
    found = pairs(of_task, AXES[0])
    said = [sentences.against_blind(of_task), *_against(found, "MoEs")]
    parts = [
        f"### {TITLES.get(task, task)}",
        markdown_table(CHOICE_HEADERS, choice_rows(choices(placed, AXES[0]), AXES[0])),
        markdown_table(*without_empty_columns(POINT_HEADERS, point_rows(placed))),
        "\n".join(f"- {escape(sentence)}" for sentence in said if sentence),
        markdown_table(*without_empty_columns(PAIR_HEADERS, pair_rows(found))) if found else "",
    ]
    return "\n\n".join(filter(None, parts))
