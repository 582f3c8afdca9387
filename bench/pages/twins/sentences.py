"""Sentences about trained twins: computed from the document, so that none outlives its numbers."""

from collections.abc import Iterable, Sequence
from statistics import fmean

from bench.harness.wording import counted, listed, rounded, span
from bench.pages.grouping import grouped
from bench.pages.twins.documents import COEF, Setting, Twin
from bench.pages.twins.measures import REFERENCE, by_seed, minus_reference, routed


def about(setting: Setting) -> str:
    """Say how large the twins of a setting are and how long they were trained."""
    twins = setting.twins
    first, shape = twins[0], twins[0]["shape"]
    sizes = grouped(twins, lambda twin: (twin["num_parameters"], twin["num_active_parameters"]))
    experts = f"{shape['num_experts']} experts of width {shape['expert_width']}, {shape['top_k']} a token"
    return (
        f"{'; '.join(map(_size, sizes))}. Hidden size {shape['hidden_size']}, {counted(shape['num_layers'], 'layer')}, "
        f"{experts}. {counted(first['steps'], 'step')} of {counted(first['recipe']['num_pictures'], 'picture')}, "
        f"{span([twin['cpu_s'] for twin in twins], '.0f')} s of processor time a twin."
    )


def _size(twins: Sequence[Twin]) -> str:
    total, active = twins[0]["num_parameters"], twins[0]["num_active_parameters"]
    names = ", ".join(dict.fromkeys(twin["variant"] for twin in twins))
    return f"{names}: {rounded(total)} parameters" + (f", {rounded(active)} active" if active != total else "")


def undecided(settings: Iterable[Setting]) -> list[str]:
    """Name for each variant the settings in which its MSI is not told apart from the reference's."""
    said: dict[str, list[str]] = {}
    for setting in settings:
        for variant in routed(setting):
            minus = minus_reference(setting, variant)
            if minus and minus.is_bounded and minus.low <= 0 <= minus.high:
                said.setdefault(variant, []).append(f"{setting.name} ({minus.text('+.2f')})")
    return [
        f"{variant} is not told apart from {REFERENCE} by MSI on {listed(places)}." for variant, places in said.items()
    ]


def weights(settings: Iterable[Setting]) -> list[str]:
    """Say what the weight of the specialization loss does, over the seeds that every weight was trained with."""
    return [
        said
        for setting in settings
        for group in grouped([twin for twin in setting.twins if COEF in twin], lambda twin: (twin["variant"],))
        if (said := _weights(setting, group))
    ]


def _weights(setting: Setting, twins: Sequence[Twin]) -> str:
    by_weight = {
        weight: [twin for twin in twins if twin[COEF] == weight] for weight in sorted({twin[COEF] for twin in twins})
    }
    seeds = sorted(set.intersection(*({twin["seed"] for twin in found} for found in by_weight.values())))
    if len(by_weight) == 1 or not seeds:
        return ""
    shown = [_at_seeds(found, seeds) for found in by_weight.values()]
    reference = [twin for twin in setting.variants.get(REFERENCE, ()) if twin["seed"] in seeds]
    beside = f" (of {REFERENCE} {' and '.join(_at_seeds(reference, seeds))})" if reference else ""
    msi, load = (listed(column) for column in zip(*shown, strict=True))
    return (
        f"{setting.name}, {twins[0]['variant']}, seed {listed(map(str, seeds))}, loss weighted "
        f"{listed(f'{weight:g}' for weight in by_weight)}: MSI is {msi}, and the busiest expert carries {load} times "
        f"the mean load{beside}."
    )


def _at_seeds(twins: Sequence[Twin], seeds: Sequence[int]) -> tuple[str, str]:
    """Return the mean MSI and load of these seeds, as text."""
    means = (by_seed(twins, measure) for measure in ("msi", "imbalance"))
    msi, load = (fmean(found[seed] for seed in seeds if seed in found) for found in means)
    return f"{msi:.2f}", f"{load:.2f}"
