"""What is compared of a scenario: which arm is divided by which.

Each control sees what the others miss: MoE against dense (portable between machines of one kind), each arm against the
anchor (sees a slowdown of code that both models share), and, for what is counted rather than timed, the value itself.
"""

from bench.gate.shares import is_share
from bench.gate.verdict import Control
from bench.harness.arms import ANCHOR, PRIMARY, is_peer
from bench.harness.record import Scenario


def controls_of(scenario: Scenario) -> list[Control]:
    """List the controls that a scenario's own arms allow: MoE over each other arm, then each arm over the anchor.

    Of shares only each arm's own: a ratio of two accuracies means nothing.
    """
    others = [arm for arm in scenario.arms if arm not in (PRIMARY, ANCHOR) and not is_peer(arm)]
    against = None if is_counted(scenario) else ANCHOR
    ratios = [] if is_share(scenario.arms[PRIMARY].metric) else others
    return [
        *(Control(arm=PRIMARY, against=other) for other in ratios),
        *(Control(arm=arm, against=against) for arm in (PRIMARY, *others)),
    ]


def is_counted(scenario: Scenario) -> bool:
    """Tell whether a scenario's values are counted, not timed: they have no anchor and no noise."""
    return ANCHOR not in scenario.arms
