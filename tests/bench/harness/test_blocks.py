"""Tests of blocks: the arms' order, how many there are, and what is slowed in a rehearsal."""

import itertools
import random
import subprocess
import sys
from collections import Counter

import pytest
import torch

from bench.gate.inherited import fresh_environment
from bench.harness.blocks import MAX_BLOCKS, Terms, UnknownArm, balanced_orders, count_blocks, make_calls

EVERY_ARM = ("moe", "dense", "dense_active", "anchor")


@pytest.mark.parametrize("num_arms", [1, 2, 4])
def test_every_arm_stands_in_every_place_equally_often(num_arms: int) -> None:
    orders = balanced_orders(EVERY_ARM[:num_arms], 5 * num_arms, random.Random(0))
    assert all(sorted(order) == sorted(EVERY_ARM[:num_arms]) for order in orders)
    places = Counter((place, arm) for order in orders for place, arm in enumerate(order))
    assert set(places.values()) == {5}
    assert len(places) == num_arms**2


def test_orders_are_random_and_repeat_with_the_seed() -> None:
    draws = [balanced_orders(EVERY_ARM, 40, random.Random(seed)) for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
    followers = Counter((a, b) for order in draws[0] for a, b in itertools.pairwise(order))
    assert len(followers) == 12  # every arm comes after every other one, so none always disturbs the same


def test_a_cycle_that_is_cut_short_is_balanced_to_one() -> None:
    orders = balanced_orders(EVERY_ARM, 6, random.Random(3))
    assert len(orders) == 6
    assert set(Counter(order[0] for order in orders).values()) <= {1, 2}


@pytest.mark.parametrize(("block_s", "num_blocks"), [(1e-6, MAX_BLOCKS), (0.01, 40), (9.0, 6)])
def test_blocks_fill_the_budget_between_the_fewest_and_the_most(block_s: float, num_blocks: int) -> None:
    assert count_blocks(0.4, block_s, 6) == num_blocks


def arms_of(*slowed: str) -> list[str]:
    """Return what a block of a scenario with the MoE alone runs, where some arms are to be slowed."""
    slowdowns = dict.fromkeys(slowed, 1.5)
    terms = Terms(device=torch.device("cpu"), dtype=torch.float32, budget_s=1.0, seed=0, slowdowns=slowdowns)
    return list(make_calls(str, ["moe"], "dispatch", terms))


def test_a_block_runs_the_arms_and_the_anchor() -> None:
    assert arms_of() == ["moe", "anchor"]


def test_a_model_or_a_peer_that_another_scenario_may_have_can_be_slowed() -> None:
    assert arms_of("dense", "dense_reference", "transformers/eager", "anchor") == ["moe", "anchor"]


def test_what_is_no_arm_at_all_cannot() -> None:
    with pytest.raises(UnknownArm, match="moe, anchor, got mo, dens; correct the name, or select the scenarios"):
        arms_of("moe", "mo", "dens")


MIB = 2**20
ARM_BYTES = 192 * MIB  # of what an arm returns
PEAK = f"""
import random
import torch
from bench.harness.blocks import Blocks
from bench.harness.clock import HostClock

arm = lambda: torch.ones({ARM_BYTES // 4})
blocks = Blocks(dict(moe=arm, dense=arm, anchor=lambda: torch.ones(1000)), HostClock(), random.Random(0))
told = "/proc/self/status"  # getrusage begins with the parent's peak
peak_kb = lambda: int(open(told).read().partition("VmHWM:")[2].split()[0])
before = peak_kb()
for _ in range(blocks.plan(blocks.warm_up(0.1), 0.1, 3)):
    blocks.before_primary()
    blocks.run("moe")
    blocks.after_primary()
assert [result.nbytes for result in blocks.returned().values()] == [{ARM_BYTES}] * 2
print(peak_kb() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's peak from its parent's")
def test_of_each_arm_one_result_is_alive_at_a_time_however_often_it_runs() -> None:
    command = [sys.executable, "-c", PEAK]
    ended = subprocess.run(command, env=fresh_environment(), capture_output=True, text=True, check=True)
    assert 2 * ARM_BYTES <= 1024 * int(ended.stdout) < 2.5 * ARM_BYTES  # of two arms; a third would be one's before
