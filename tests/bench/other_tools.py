"""What other tools make of a file, re-stated from their sources: each figure's name, value and unit."""

import json
import statistics
from typing import NamedTuple

NAME_LETTERS, MEASURE_LETTERS = 1024, 64  # Bencher's limits on a benchmark's and on a measure's name


class Read(NamedTuple):
    value: float
    unit: str
    spread: tuple[float, float] | None = None


def github_pytest(text: str) -> dict[str, Read]:
    """Re-state extractPytestResult of github-action-benchmark: rounds a second by fullname, whatever it was."""
    return {one["fullname"]: Read(one["stats"]["ops"], "iter/sec") for one in json.loads(text)["benchmarks"]}


def github_custom(text: str) -> dict[str, Read]:
    """Re-state extractCustomBenchmarkResult and extractRangeInfo; an empty list is an error there."""
    entries = json.loads(text)
    assert entries
    found = {}
    for entry in entries:
        sign, _, number = entry["range"].partition(" ")
        assert sign == "±"
        value = float(entry["value"])
        found[entry["name"]] = Read(value, entry["unit"], (value - float(number), value + float(number)))
    assert len(found) == len(entries)  # a name is a line of the chart
    return found


def bencher_pytest(text: str, average: str = "mean") -> dict[str, Read]:
    """Re-state Bencher's adapter python_pytest: seconds become nanoseconds, whatever they were."""
    spread = {"mean": "stddev", "median": "iqr"}[average]
    found = {}
    for one in json.loads(text)["benchmarks"]:
        value, width = (1e9 * one["stats"][field] for field in (average, spread))
        found[one["fullname"]] = Read(value, "ns", (value - width, value + width))
    return found


def bencher_json(text: str) -> dict[tuple[str, str], Read]:
    """Re-state Bencher's adapter json, version 0: benchmark -> measure -> value and limits."""
    found = {}
    for benchmark, measures in json.loads(text).items():
        assert 0 < len(benchmark) <= NAME_LETTERS
        for measure, metric in measures.items():
            assert 0 < len(measure) <= MEASURE_LETTERS
            limits = (float(metric["lower_value"]), float(metric["upper_value"]))
            found[benchmark, measure] = Read(float(metric["value"]), measure.rpartition("(")[2].rstrip(")"), limits)
    return found


def pytorch_database(text: str) -> dict[tuple[str, str, str], float]:
    """Re-state what PyTorch's benchmark database keeps of vLLM's records: names as text, values as numbers' mean."""
    found = {}
    for one in json.loads(text):
        names = (one["benchmark"]["name"], one["model"]["name"], one["metric"]["name"])
        assert all(isinstance(name, str) and name for name in names)
        values = one["metric"]["benchmark_values"]
        assert all(isinstance(value, float) for value in values)
        arguments = one["benchmark"]["extra_info"]["args"]
        found[arguments["scenario"], names[1], names[2]] = statistics.fmean(values)
    return found
