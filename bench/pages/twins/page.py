"""The page about trained twins: a template whose tables and results come from a document, the same each time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from bench.gate.markdown import bullets_or, folded, markdown_table, picture, table_or
from bench.pages.twins.documents import Setting
from bench.pages.twins.measures import routed
from bench.pages.twins.sentences import about, undecided, weights
from bench.pages.twins.tables import (
    ROUTING_HEADERS,
    SUMMARY_HEADERS,
    kind_table,
    reach_table,
    routing_rows,
    summary_rows,
)

TEMPLATE = Path(__file__).with_name("template.md")
NO_SEEDS = "No MoE was trained with several seeds."
DECIDED = "Every MoE with several seeds is told apart from the plain one, or there is none to compare with."
ONE_WEIGHT = "Only one weight of the loss was trained."


def with_most_twins(settings: Sequence[Setting]) -> Setting:
    """Choose the setting whose figures are drawn: of those with an MoE, if any; of several alike the first."""
    return max(settings, key=lambda setting: (bool(routed(setting)), len(setting.twins)))


def page(settings: Sequence[Setting], figures: Mapping[str, Path], document: Path, command: str) -> str:
    """Fill the template.

    Args:
        settings: At least one.
        figures: Of `with_most_twins`, by title, relative to the page.
        document: That the settings are from.
        command: That writes the page.
    """
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        command=command,
        document=document.as_posix(),
        summary=table_or(NO_SEEDS, SUMMARY_HEADERS, summary_rows(settings)),
        undecided=bullets_or(DECIDED, undecided(settings)),
        weights=bullets_or(ONE_WEIGHT, weights(settings)),
        reach=markdown_table(*reach_table(settings)),
        figured=with_most_twins(settings).name,
        figures="\n\n".join(picture(title, path) for title, path in figures.items()),
        settings="\n\n".join(map(_setting, settings)),
    )


def _setting(setting: Setting) -> str:
    kinds = folded("By kind of question, means over seeds", markdown_table(*kind_table(setting)))
    return (
        f"### {setting.name}\n\n{about(setting)}\n\n{markdown_table(ROUTING_HEADERS, routing_rows(setting))}\n\n{kinds}"
    )
