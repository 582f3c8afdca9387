"""Tests of processes apart: each call finds what was there when the first was forked, and tells how it ended."""

import fcntl
import os
import select
import signal
import time
from collections.abc import Iterator

import pytest
import torch

from bench.harness import apart as module
from bench.harness.apart import Apart, LostProcess

STATE = {"calls": 0}


@pytest.fixture
def apart() -> Iterator[Apart]:
    process = Apart()
    process.begin()
    yield process
    process.end()


def count_call() -> int:
    STATE["calls"] += 1
    return STATE["calls"]


def test_a_call_finds_neither_what_another_did_nor_what_was_done_since_here(
    apart: Apart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STATE, "calls", 70)
    assert [apart.run(count_call) for _ in range(3)] == [1, 1, 1]
    assert STATE["calls"] == 70


def test_each_call_has_a_process_of_its_own(apart: Apart) -> None:
    pids = {apart.run(os.getpid) for _ in range(2)}
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_arguments_and_results_travel_tensors_among_them(apart: Apart) -> None:
    assert torch.equal(apart.run(torch.cat, [torch.ones(2), torch.zeros(1)], dim=0), torch.tensor([1.0, 1.0, 0.0]))


def test_a_call_computes_on_as_many_threads_as_torch_uses_here(apart: Apart) -> None:
    before = torch.get_num_threads()
    try:
        for num_threads in (1, 3):
            torch.set_num_threads(num_threads)
            assert apart.run(torch.get_num_threads) == num_threads
    finally:
        torch.set_num_threads(before)


def raise_local() -> None:
    class LocalError(Exception):
        pass

    raise LocalError("cannot travel")


def test_what_a_call_raises_is_raised_here_with_its_traceback(apart: Apart) -> None:
    with pytest.raises(torch.OutOfMemoryError, match="all gone") as raised:
        apart.run(raise_out_of_memory)
    assert "in raise_out_of_memory" in raised.value.__notes__[0]
    with pytest.raises(RuntimeError, match="LocalError: cannot travel"):
        apart.run(raise_local)
    assert apart.run(os.getpid)


def raise_out_of_memory() -> None:
    raise torch.OutOfMemoryError("all gone")


def die(number: int) -> None:
    os.write(2, b"it was too much")
    os.kill(os.getpid(), number)


def test_a_call_that_dies_is_told_with_what_it_wrote_and_the_next_one_runs(apart: Apart) -> None:
    with pytest.raises(LostProcess, match="died of SIGKILL; the kernel kills so when memory runs out: it was too much"):
        apart.run(die, signal.SIGKILL)
    with pytest.raises(LostProcess, match="ended 3: "):
        apart.run(os._exit, 3)
    assert apart.run(int, "7") == 7


def test_a_call_that_hangs_is_given_up_and_ended(apart: Apart, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_S", 0.2)
    ended = []
    monkeypatch.setattr(os, "kill", lambda pid, number: ended.append((pid, number)) or signal_for_real(pid, number))
    with pytest.raises(LostProcess, match=r"hung: no answer within 0 s"):
        apart.run(time.sleep, 600)
    assert [number for _, number in ended] == [signal.SIGKILL] * 2
    assert all(is_gone(pid) for pid, _ in ended)


signal_for_real = os.kill


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended, within seconds; an orphan may be nobody's to wait for."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


def test_it_keeps_no_file_of_the_process_that_asks_open() -> None:
    reading, writing = os.pipe()
    far = fcntl.fcntl(writing, fcntl.F_DUPFD, 500)  # beyond the channel's own number
    process = Apart()
    process.begin()
    try:
        os.close(writing)
        os.close(far)
        assert select.select([reading], [], [], 10)[0]
        assert os.read(reading, 1) == b""  # nobody has the other end open
    finally:
        process.end()
        os.close(reading)


def test_it_ends_with_the_process_that_asks() -> None:
    reading, writing = os.pipe()
    asking = os.fork()
    if not asking:
        process = Apart()
        process.begin()
        os.write(writing, str(process._origin).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(asking, 0)
    said = b"".join(iter(lambda: os.read(reading, 100), b""))  # ends once nobody has the other end open
    os.close(reading)
    assert is_gone(int(said))


def test_ending_twice_or_unbegun_is_no_error_and_a_call_begins_by_itself() -> None:
    process = Apart()
    process.end()
    assert process.run(int, "7") == 7
    process.end()
    process.end()
