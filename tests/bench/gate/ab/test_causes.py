"""What a slowdown is put down to, by arms that moved as given: no launches, no noise."""

import math

import pytest

from bench.gate.ab.causes import attribute, attribute_among, caused, leaves_open
from bench.gate.ab.changes import BASE, MACHINE
from bench.gate.stats import Interval
from bench.gate.verdict import Change, Control, ScenarioVerdict, Verdict

SURE, UNSURE = Verdict.REGRESSED, Verdict.INCONCLUSIVE


def change(control: Control, percent: float, verdict: Verdict, half_width: float = 0.1) -> Change:
    centre = math.log1p(percent / 100)
    interval = Interval(centre, centre - half_width, centre + half_width)
    return Change(control=control, interval=interval, tolerance=0.05, verdict=verdict, suspect=False)


@pytest.mark.parametrize(
    ("moe", "dense", "cause"),
    [
        ((20, SURE), (0, Verdict.OK), "MoE"),
        ((0, Verdict.OK), (20, SURE), "dense"),
        ((20, SURE), (20, SURE), "shared code"),
        ((10, SURE), (9, UNSURE), "shared code"),  # likelier as slow than unchanged, though its interval holds 0
        ((10, SURE), (4, UNSURE), "MoE"),
        ((30, SURE), (10, SURE), "shared code"),
        ((313, SURE), (19, SURE), "MoE"),  # as measured: what runs beside a loop over all experts finds cold caches
        ((4, UNSURE), (3, UNSURE), ""),
    ],
)
def test_a_slowdown_is_put_down_to_the_arms_that_moved_as_far(
    moe: tuple[float, Verdict], dense: tuple[float, Verdict], cause: str
) -> None:
    changes = [change(Control(arm=arm, against=BASE), *moved) for arm, moved in (("moe", moe), ("dense", dense))]
    assert attribute(changes) == cause


@pytest.mark.parametrize(
    ("dense", "wider", "cause"),
    [
        ((9, UNSURE), ["MoE", "shared code"], "MoE"),
        ((9, UNSURE), ["", "MoE"], "MoE"),
        ((9, UNSURE), ["shared code", "MoE"], "shared code"),
        ((9, UNSURE), ["", ""], "shared code"),
        ((9, UNSURE), ["dense"], "shared code"),
        ((2, UNSURE), ["shared code"], "MoE"),
        ((9, SURE), ["MoE"], "shared code"),
        ((0, Verdict.OK), ["shared code"], "MoE"),
    ],
    ids=["group", "suite", "the nearest first", "nobody", "neither of the two", "too little", "sure", "surely not"],
)
def test_what_an_undecided_arm_leaves_open_the_group_and_then_the_suite_say(
    dense: tuple[float, Verdict], wider: list[str], cause: str
) -> None:
    moved = {"moe": (10.0, SURE), "dense": dense}
    changes = [change(Control(arm=arm, against=BASE), *one) for arm, one in moved.items()]
    assert attribute_among(changes, wider) == cause


@pytest.mark.parametrize(("half_width", "cause"), [(0.05, "machine"), (0.2, "MoE")])
def test_the_machine_is_named_where_its_anchor_surely_moved(half_width: float, cause: str) -> None:
    moe = change(Control(arm="moe", against=BASE), 20, SURE)
    assert attribute([moe, change(MACHINE, 15, Verdict.OK, half_width)]) == cause


def slower(scenario: str, **arms: tuple[float, Verdict, float]) -> ScenarioVerdict:
    changes = tuple(change(Control(arm=arm, against=BASE), *moved) for arm, moved in arms.items())
    return ScenarioVerdict(scenario=scenario, verdict=SURE, where=attribute(changes), changes=changes)


@pytest.mark.parametrize(
    ("dense", "group", "is_open"),
    [
        ((8, UNSURE, 0.09), (8, UNSURE, 0.09), True),
        ((8, UNSURE, 0.02), (8, UNSURE, 0.09), False),
        ((8, Verdict.OK, 0.09), (8, UNSURE, 0.09), False),
        ((8, UNSURE, 0.09), (2, UNSURE, 0.02), False),
    ],
    ids=["neither knows", "it cannot be half as far", "it is OK", "the group knows"],
)
def test_a_cause_is_open_where_an_undecided_arm_may_or_may_not_have_moved(
    dense: tuple[float, Verdict, float], group: tuple[float, Verdict, float], is_open: bool
) -> None:
    found = slower("bench_x[1]", moe=(25, SURE, 0.1), dense=dense)
    wider = [slower("x", moe=(25, SURE, 0.01), dense=group)]
    assert bool(leaves_open(found, wider)) is is_open
    assert ("dense +8.0 % [" in caused(found, wider).why) is is_open
