"""Tests of the heap that is kept: pages that are asked for again, counted by the kernel."""

import ctypes
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    not (sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt")), reason="mallopt is glibc's"
)

MIB = 48  # above every threshold below which glibc may keep a block by itself
PAGES = MIB << 8  # of 4 KiB; larger pages are fewer
COUNT = f"""
import resource
import numpy as np
from bench.harness.heap import give_back, keep_freed

def faults(calls):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(calls):
        np.ones({MIB << 20}, dtype=np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident_mib():
    with open("/proc/self/statm") as lines:
        return int(lines.read().split()[1]) * resource.getpagesize() >> 20

by_default = faults(5)
assert keep_freed()
faults(1)
kept, held = faults(5), resident_mib()
give_back()
print(by_default, kept, held - resident_mib(), faults(1))
"""


def test_a_call_pays_for_no_page_that_the_last_one_freed_until_all_is_given_back() -> None:
    environment = {**os.environ, "NUMPY_MADVISE_HUGEPAGE": "0"}
    ran = subprocess.run([sys.executable, "-c", COUNT], env=environment, capture_output=True, text=True, check=True)
    by_default, kept, given_back_mib, again = map(int, ran.stdout.split())
    if by_default < PAGES:
        pytest.skip(f"pages here are large: {by_default} faults for five blocks of {MIB} MiB")
    assert kept < PAGES / 100
    assert given_back_mib >= MIB * 0.9
    assert again > PAGES / 2
