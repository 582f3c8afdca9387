"""Trained twins compared: accuracy, specialization and load balance of every variant over its seeds, with intervals.

A document of twins is what `python -m bench.front.trained score` writes: {"twins": [{"task", "size", "variant", "seed",
"accuracy": {"all": {"estimate", ...}}, ...}]}.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.harness.stats import Interval, mean_interval

Twin = Mapping[str, Any]
REQUIRED = ("task", "size", "variant", "seed", "accuracy", "blind")
COEF = "specialization_coef"  # weight of the specialization loss, of a twin that has one; another weight, another model
TRAINING = {"recipe": ("task", "size"), "data_hash": ("task", "size", "seed")}  # field -> twins alike in these share it
REFERENCE = "plain"  # the MoE that the variants of SMoES are compared with
HEADERS = ("variant", "seeds", "accuracy", "MSI", "MSI by layer", "load, max/mean", f"MSI minus {REFERENCE}'s")


def read_twins(path: Path, *, task: str | None = None, size: str | None = None) -> dict[str, list[Twin]]:
    """Read the twins of one task and size from a document.

    Args:
        path: the document.
        task: whose twins; may be left out where all are of one.
        size: likewise.

    Returns:
        The twins of each variant, in the document's order; a variant trained with several weights of its loss is one
        for each.

    Raises:
        ValueError: the file is no such document, its twins were trained apart, or task or size must be chosen.
        FileNotFoundError: there is no file.
    """
    try:
        twins = json.loads(path.read_text())["twins"]
        missing = {name for twin in twins for name in REQUIRED if name not in twin}
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} must hold twins as bench.front.trained writes them, got {error!r}") from error
    if missing or not twins:
        raise ValueError(
            f"{path} must hold twins with {', '.join(REQUIRED)}, got none or some without; score them again"
        )
    require_same_training(twins)
    names = {id(twin): name for twin, name in zip(twins, variant_names(twins), strict=True)}
    variants: dict[str, list[Twin]] = {}
    for twin in _chosen(_chosen(twins, "task", task), "size", size):
        variants.setdefault(names[id(twin)], []).append(twin)
    return variants


def variant_names(twins: Sequence[Twin]) -> list[str]:
    """Name each twin's variant, with the weight of its specialization loss where that is not the usual one.

    Args:
        twins: of one document or of several; usual is the weight that most of those with such a loss have.

    >>> variant_names([{"variant": "dense"}, {"variant": "kl", COEF: 0.1}, {"variant": "kl", COEF: 0.0}])
    ['dense', 'kl', 'kl at 0']
    """
    coefs = [twin.get(COEF) for twin in twins]
    counts = Counter(coef for coef in coefs if coef is not None)
    usual = max(counts, key=counts.__getitem__, default=None)
    return [
        str(twin["variant"]) if coef in (None, usual) else f"{twin['variant']} at {coef:g}"
        for twin, coef in zip(twins, coefs, strict=True)
    ]


def require_same_training(twins: Sequence[Twin]) -> None:
    """Refuse twins that are compared though they were trained by several recipes, or a seed on several data.

    Raises:
        ValueError: they were.
    """
    for field, alike in TRAINING.items():
        found: dict[tuple[str, ...], object] = {}
        for twin in (twin for twin in twins if field in twin):
            key = tuple(str(twin.get(name)) for name in alike)
            if found.setdefault(key, twin[field]) != twin[field]:
                raise ValueError(
                    f"twins of one {', '.join(alike)} must share their {field}, got two for {' '.join(key)}: "
                    f"{found[key]} and {twin[field]}; train each in a folder of its own and score it apart"
                )


def _chosen(twins: Sequence[Twin], field: str, value: str | None) -> list[Twin]:
    """Return the twins with this value of a field, or all where they share one."""
    known = list(dict.fromkeys(str(twin[field]) for twin in twins))
    if value is None and len(known) == 1:
        return list(twins)
    if value not in known:
        got = "none" if value is None else repr(value)
        raise ValueError(f"--{field} must be one of {', '.join(known)}, got {got}; choose one of them")
    return [twin for twin in twins if twin[field] == value]


def by_layer(twins: Sequence[Twin], measure: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return a measure of the routing as an array (seeds, layers); empty for dense twins."""
    return np.array([twin["routing"][measure] for twin in twins if "routing" in twin])


def summary_rows(variants: Mapping[str, Sequence[Twin]]) -> list[tuple[str, ...]]:
    """Return a row a variant, in the order of HEADERS; means over seeds with 95 % intervals."""
    return [
        (
            variant,
            str(len(twins)),
            _mean_share([twin["accuracy"]["all"]["estimate"] for twin in twins]).text(".2f"),
            *cells,
        )
        for variant, twins in variants.items()
        for cells in [_routing_cells(twins, variants.get(REFERENCE, ()))]
    ]


def _routing_cells(twins: Sequence[Twin], reference: Sequence[Twin]) -> tuple[str, ...]:
    """Return the cells about routing; empty ones for a dense model."""
    msi = by_layer(twins, "msi")
    if not len(msi):
        return ("",) * 4
    layers = ", ".join(f"{value:.2f}" for value in msi.mean(axis=0))
    imbalance = by_layer(twins, "imbalance").mean(axis=1).tolist()
    return (
        _mean_share(_mean_msi(twins)).text(".2f"),
        layers,
        mean_interval(imbalance).text(".2f"),
        _against_reference(twins, reference),
    )


def _mean_share(values: Sequence[float]) -> Interval:
    """Return the mean of shares with its interval, which ends at 0 and 1; one value has no interval.

    >>> _mean_share([0.9, 1.0]).high, _mean_share([0.9]).high
    (1.0, inf)
    """
    mean = mean_interval(values)
    return Interval(mean.estimate, max(mean.low, 0.0), min(mean.high, 1.0)) if len(values) > 1 else mean


def _mean_msi(twins: Sequence[Twin]) -> list[float]:
    return [float(value) for value in by_layer(twins, "msi").mean(axis=1)]


def _against_reference(twins: Sequence[Twin], reference: Sequence[Twin]) -> str:
    """Show the mean difference in MSI of twins of the same seed, trained on the same data in the same order."""
    if twins is reference or not reference:
        return ""
    base = dict(zip((twin["seed"] for twin in reference), _mean_msi(reference), strict=True))
    pairs = zip((twin["seed"] for twin in twins), _mean_msi(twins), strict=True)
    differences = [msi - base[seed] for seed, msi in pairs if seed in base]
    return mean_interval(differences).text("+.2f") if differences else ""
