"""The page about the fronts: a template whose tables and results come from the documents, the same each time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from bench.gate.markdown import escape, markdown_table, picture
from bench.harness.metrics import METRICS
from bench.pages.pareto import comparisons, sentences
from bench.pages.pareto.documents import TIERS, Tier
from bench.pages.pareto.front import Placed, by_basis, picks, place
from bench.pages.pareto.pairs import ONE_SEED, REFERENCES, Pair, pairs
from bench.pages.pareto.points import AXES, TRAINED, Point
from bench.pages.pareto.tables import (
    PAIR_HEADERS,
    PICK_HEADERS,
    POINT_HEADERS,
    pair_rows,
    pick_rows,
    point_rows,
    without_empty_columns,
)

Figures = Mapping[tuple[str, str], Sequence[Path]]  # (tier, axis) -> its files, the SVG first

TEMPLATE = Path(__file__).with_name("template.md")
OTHER_AXES = (
    "Each figure has its own front. What to pick and the standing in the tables are by "
    f"{METRICS[AXES[0]].label}, as in the first."
)
ABSENT = "No such document was given to the command above."


def page(found: Mapping[str, Tier], figures: Figures, command: str) -> str:
    """Fill the template.

    Args:
        found: By name; a tier may be absent.
        figures: Their files, relative to the page.
        command: That writes the page.
    """
    tiers = {name: _tier(found[name], figures) if name in found else ABSENT for name in TIERS}
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        tiers, command=command, in_short="\n".join(in_short(found))
    )


def in_short(tiers: Mapping[str, Tier]) -> list[str]:
    """Return a nested list: what to pick, by tier and task, and how MoE fares against dense.

    Args:
        tiers: By name.
    """
    lines = []
    for name, tier in tiers.items():
        lines.append(f"- **{name.capitalize()}**, {sentences.scale(tier)}:")
        for task in tier.tasks:
            placed = place(tier.of(task), AXES[0])
            lines += [f"  - {escape(said)}" for said in _picks(task, placed)]
            lines += [f"    - {escape(said)}" for said in _smoes(tier.of(task), placed)]
        if name != TRAINED:  # twins are counted above, by what they are compared with
            lines += [f"  - {escape(comparisons.compared(found))}" for found in comparisons.same_pairs(tier)]
    return lines


def _picks(task: str, placed: Sequence[Placed]) -> list[str]:
    """Say what to pick, for each basis of throughput apart."""
    parts = by_basis(placed)
    once = all(one.point.has_one_seed for one in placed)
    title = f"{sentences.title(task)}, {ONE_SEED} each" if once else sentences.title(task)
    names = {basis: title if len(parts) == 1 else f"{title}, throughput {basis}" for basis in parts}
    return [sentences.picks(names[basis], picks(part, AXES[0])) for basis, part in parts.items()]


def _smoes(of_task: Sequence[Point], placed: Sequence[Placed]) -> list[str]:
    """Say how SMoES stands on a task: on the front, and against its references."""
    found = [pair for pair in pairs(of_task, AXES[0]) if pair.point.kind == "smoes"]
    return [*sentences.standing_of_smoes(placed), *_against(found, "SMoES")]


def _against(found: Sequence[Pair], who: str) -> list[str]:
    twins = [pair for pair in found if pair.point.tier == TRAINED]
    return [said for series in REFERENCES if (said := comparisons.outcomes(twins, series, who))]


def _tier(tier: Tier, figures: Figures) -> str:
    documents = ", ".join(f"`{path.as_posix()}`" for path in tier.paths)
    parts = [f"Machine: {tier.machine}. Workload: {tier.workload}. From {documents}."]
    for axis in AXES:
        parts.append(picture(f"Accuracy against {METRICS[axis].label}, {tier.name}", *figures[tier.name, axis]))
    parts.append(OTHER_AXES)
    parts += [_task(tier.of(task), task) for task in tier.tasks]
    parts.append("\n".join(f"- {escape(source)}" for source in sentences.sources(tier)))
    return "\n\n".join(filter(None, parts))


def _pick_tables(placed: Sequence[Placed]) -> list[str]:
    """Return the table of what to pick, one for each basis, named where there are two."""
    parts = by_basis(placed)
    tables = {basis: markdown_table(PICK_HEADERS, pick_rows(picks(part, AXES[0]), AXES[0]))
              for basis, part in parts.items()}  # fmt: skip
    return [f"Throughput {basis}:\n\n{table}" if len(parts) > 1 else table for basis, table in tables.items()]


def _task(of_task: Sequence[Point], task: str) -> str:
    placed = place(of_task, AXES[0])
    found = pairs(of_task, AXES[0])
    said = [sentences.asked(of_task), sentences.against_blind(of_task), sentences.spread(of_task)]
    said += _against(found, "All MoEs (plain, SMoES, ablations)")
    parts = [
        f"### {sentences.heading(of_task)}",
        *_pick_tables(placed),
        markdown_table(*without_empty_columns(POINT_HEADERS, point_rows(placed))),
        "\n".join(f"- {escape(sentence)}" for sentence in said if sentence),
        markdown_table(*without_empty_columns(PAIR_HEADERS, pair_rows(found))) if found else "",
    ]
    return "\n\n".join(filter(None, parts))
