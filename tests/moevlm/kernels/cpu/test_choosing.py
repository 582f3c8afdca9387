"""What every choice shares: turns by a scripted clock, and which clock."""

import time

from moevlm.kernels.cpu.choosing import ROUNDS, clock_of, timed


def test_ways_take_turns_after_a_round_that_is_not_timed_and_the_fastest_round_counts():
    now, said = [0.0], []
    seconds = {"kernels": iter([9.0, 3.0, 8.0, 2.0, 7.0, 4.0]), "products": iter([0.5, 5.0, 6.0, 7.0, 8.0, 9.0])}

    def call(way):
        said.append(way)
        now[0] += next(seconds[way])

    found = timed({way: lambda way=way: call(way) for way in seconds}, lambda: now[0])
    assert found == {"kernels": 2.0, "products": 5.0}
    assert said == ["kernels", "products"] * (1 + ROUNDS)


def test_one_thread_is_timed_by_its_own_time_and_several_by_the_wall():
    assert clock_of(1) is time.thread_time
    assert clock_of(2) is time.perf_counter
