"""Tables of trained twins: specialization over all settings and within one, accuracy by split, style and kind."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from statistics import fmean

from bench.harness.wording import span
from bench.pages.grouping import grouped
from bench.pages.twins.documents import Setting, Twin
from bench.pages.twins.measures import (
    REFERENCE,
    accuracies,
    by_layer,
    by_seed,
    deepening,
    mean_of,
    mean_share,
    minus_reference,
    routed,
)

Row = tuple[str, ...]

SPLITS = ("all", "main split", "hard split")  # groups of questions that every task may have
BLIND = "without sight"
SUMMARY_HEADERS = (
    *("variant", "settings", "MSI", f"MSI minus {REFERENCE}'s", "above 0 for certain", "below"),
    *("rises from first to last layer", "load, max/mean"),
)
ROUTING_HEADERS = (
    *("variant", "accuracy (by seed)", "MSI", "MSI by layer", "load, max/mean", f"MSI minus {REFERENCE}'s"),
)


def summary_rows(settings: Iterable[Setting]) -> list[Row]:
    """Return a row for each variant of an MoE under SUMMARY_HEADERS, over the settings where it has several seeds."""
    found: dict[str, list[Setting]] = {}
    for setting in settings:
        for variant, twins in routed(setting).items():
            if len(twins) > 1:
                found.setdefault(variant, []).append(setting)
    return [_summary(variant, those) for variant, those in found.items()]


def _summary(variant: str, settings: Sequence[Setting]) -> Row:
    twins = [setting.variants[variant] for setting in settings]
    minus = [found for setting in settings if (found := minus_reference(setting, variant)) and found.is_bounded]
    rises = sum(deepening(found) > 0 for found in twins)
    return (
        variant,
        str(len(settings)),
        span([mean_of(found, "msi").estimate for found in twins]),
        span([found.estimate for found in minus], "+.2f") if minus else "",
        f"{sum(found.low > 0 for found in minus)} of {len(minus)}" if minus else "",
        f"{sum(found.high < 0 for found in minus)} of {len(minus)}" if minus else "",
        f"in {rises} of {len(settings)}",
        span([mean_of(found, "imbalance").estimate for found in twins]),
    )


def routing_rows(setting: Setting) -> list[Row]:
    """Return a row a variant under ROUTING_HEADERS; means over seeds, of the routing with 95 % intervals."""
    return [
        (
            variant,
            _accuracy(twins),
            *(_routing(setting, variant) if variant in routed(setting) else ("",) * 4),
        )
        for variant, twins in setting.variants.items()
    ]


def _accuracy(twins: Sequence[Twin]) -> str:
    """Write mean and seeds; the mean's interval stands on the page about accuracy, with that of the pictures in it."""
    found = accuracies(twins, "all")
    by_seed = f" ({', '.join(f'{value:.2f}' for value in found)})" if len(found) > 1 else ""
    return f"{fmean(found):.2f}{by_seed}"


def _routing(setting: Setting, variant: str) -> Row:
    twins, minus = setting.variants[variant], minus_reference(setting, variant)
    return (
        mean_share(list(by_seed(twins, "msi").values())).text(".2f"),
        ", ".join(f"{value:.2f}" for value in by_layer(twins, "msi").mean(axis=0)),
        mean_of(twins, "imbalance").text(".2f"),
        minus.text("+.2f") if minus else "",
    )


def reach_table(settings: Sequence[Setting]) -> tuple[Row, list[Row]]:
    """Lay out how far what was learned carries: by task the least and the greatest score of a twin.

    Returns:
        Headers and rows: the splits, then the styles that were held out; below each task what guessing gets.
    """
    tasks = [list(chain.from_iterable(setting.twins for setting in group)) for group in _by_task(settings)]
    styles = list(dict.fromkeys(style for twins in tasks for twin in twins for style in twin.get("styles", ())))
    headers = ("task", "twins", *SPLITS, *styles)
    return headers, [row for twins in tasks for row in (_reach(twins, styles), _reach_blind(twins, styles))]


def _by_task(settings: Iterable[Setting]) -> list[list[Setting]]:
    return grouped(list(settings), lambda setting: (setting.task,))


def _reach(twins: Sequence[Twin], styles: Sequence[str]) -> Row:
    shifted = [[t["styles"][style]["estimate"] for t in twins if style in t.get("styles", ())] for style in styles]
    shown = [span(found) if found else "" for found in [*(accuracies(twins, split) for split in SPLITS), *shifted]]
    return (str(twins[0]["task"]), str(len(twins)), *shown)


def _reach_blind(twins: Sequence[Twin], styles: Sequence[str]) -> Row:
    guesses = [_guess(twins, split) for split in SPLITS]
    return (f"{twins[0]['task']}, {BLIND}", "", *guesses, *("" for _ in styles))


def _guess(twins: Sequence[Twin], group: str) -> str:
    found: Mapping[str, Mapping[str, float]] = twins[0]["blind"]
    return f"{found[group]['estimate']:.2f}" if group in found else ""


def kind_table(setting: Setting) -> tuple[Row, list[Row]]:
    """Lay out accuracy by kind of question: a row a variant, means over seeds, and what guessing gets."""
    kinds = [group for group in setting.twins[0]["accuracy"] if group not in SPLITS]
    rows = [(variant, *(_mean(twins, kind) for kind in kinds)) for variant, twins in setting.variants.items()]
    return ("variant", *kinds), [*rows, (BLIND, *(_guess(setting.twins, kind) for kind in kinds))]


def _mean(twins: Sequence[Twin], group: str) -> str:
    found = accuracies(twins, group)
    return f"{fmean(found):.2f}" if found else ""
