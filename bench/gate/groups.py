"""Which group a scenario belongs to: its benchmark at its scale, which a general change moves as one; and the suite."""

from collections.abc import Mapping

SUITE = "suite"  # the group of all scenarios
FUNCTION = "bench_"  # prefix of a benchmark's function


def group_of(scenario: str, params: Mapping[str, object]) -> str:
    """Name the group of a scenario: its benchmark and, where that has one, its scale.

    >>> group_of("bench_decode[tiny-mmmu-b1]", {"scale": "tiny", "batch_size": 1})
    'decode at tiny'
    >>> group_of("bench_trained_prefill[charts]", {"task": "charts"})
    'trained prefill'
    """
    if not params:
        return group_of_id(scenario)
    return _named(scenario, str(params.get("scale", "")))


def group_of_id(scenario: str) -> str:
    """Name the group of a scenario whose parameters are not at hand: the first of several in its id is the scale.

    >>> group_of_id("bench_decode[tiny-mmmu-b1]"), group_of_id("bench_trained_prefill[charts]")
    ('decode at tiny', 'trained prefill')
    """
    scale, dash, _ = scenario.partition("[")[2].partition("-")
    return _named(scenario, scale if dash else "")


def grouped(groups: Mapping[str, str]) -> dict[str, list[str]]:
    """Gather scenarios (scenario -> group) by group, in the order in which they come; the suite, of all, comes last.

    A group that holds a single scenario, or all of them, says nothing that the scenario or the suite does not.

    >>> grouped({"a": "decode at tiny", "b": "decode at tiny", "c": "vision at tiny"})
    {'decode at tiny': ['a', 'b'], 'suite': ['a', 'b', 'c']}
    """
    members: dict[str, list[str]] = {}
    for scenario, group in groups.items():
        members.setdefault(group, []).append(scenario)
    members = {group: names for group, names in members.items() if 1 < len(names) < len(groups)}
    return {**members, SUITE: list(groups)} if len(groups) > 1 else members


def _named(scenario: str, scale: str) -> str:
    benchmark = scenario.partition("[")[0].removeprefix(FUNCTION).replace("_", " ")
    return f"{benchmark} at {scale}" if scale else benchmark
