"""Hashes of a scenario: measurements are of the same work if their inputs are equal; outputs may round differently."""

from collections.abc import Mapping

INPUT_HASHES = ("workload", "routing")


def differing_inputs(mine: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """Name the inputs in which two measurements differ.

    Args:
        mine: hash by name; an output's is left alone.
        theirs: of the other measurement.

    >>> differing_inputs({"workload": "a", "output": "b"}, {"workload": "c", "output": "d"})
    ['workload']
    """
    return [name for name in INPUT_HASHES if mine.get(name) != theirs.get(name)]
