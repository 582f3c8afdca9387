"""What Linux itself says of the pages that weights lie in."""

import mmap
import re
import sys
from pathlib import Path

import pytest
import torch

from moevlm.kernels.cpu import pages
from moevlm.kernels.cpu.pages import HUGE_BYTES, use_huge_pages, why_no_huge_pages

NUM_HUGE = 6  # of a tensor: at most the first and the last are not its alone


def huge_bytes(tensor: torch.Tensor) -> int:
    """Return how many bytes around a tensor's first lie in huge pages, by the kernel's own account."""
    at, inside = tensor.data_ptr() + tensor.nbytes // 2, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if span := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            inside = int(span[1], 16) <= at < int(span[2], 16)
        elif inside and line.startswith("AnonHugePages:"):
            return 1024 * int(line.split()[1])
    raise AssertionError(f"{at:x} is nobody's")


@pytest.mark.skipif(bool(why_no_huge_pages()), reason=why_no_huge_pages() or "there are huge pages")
def test_large_tensors_come_to_lie_in_huge_pages_with_their_values() -> None:
    # around what is asked for are pages of another kind, so that no neighbour's count
    guarded = mmap.mmap(-1, (NUM_HUGE + 2) * HUGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    guarded.madvise(mmap.MADV_NOHUGEPAGE)
    values = torch.frombuffer(guarded, dtype=torch.float32, count=NUM_HUGE * HUGE_BYTES // 4, offset=HUGE_BYTES)
    torch.arange(len(values), out=values)
    expected, address = values.clone(), values.data_ptr()
    assert huge_bytes(values) == 0
    use_huge_pages([values, values[:3], torch.ones(2)])
    assert huge_bytes(values) >= (NUM_HUGE - 2) * HUGE_BYTES
    assert values.data_ptr() == address
    assert torch.equal(values, expected)


def test_tensors_side_by_side_are_one_range_and_small_ones_alone_none(monkeypatch: pytest.MonkeyPatch) -> None:
    mib = 2**20
    spans = [(9 * mib, 10 * mib), (mib + 5, 2 * mib), (2 * mib + 64, 4 * mib + 5), (20 * mib, 30 * mib), (10**9, 10**9)]
    monkeypatch.setattr(pages, "_span", spans.__getitem__)
    monkeypatch.setattr(pages.os, "sysconf", lambda name: {"SC_PAGE_SIZE": 4096}[name])
    asked: list[tuple[int, int, int]] = []

    class Libc:
        @staticmethod
        def madvise(first: object, size: object, advice: int) -> int:
            asked.append((first.value, size.value, advice))  # type: ignore[attr-defined]
            return -1  # a kernel that will not: nobody minds

    class Place(int):
        device = torch.device("cpu")

    monkeypatch.setattr(pages, "why_no_huge_pages", str)
    monkeypatch.setattr(pages.ctypes, "CDLL", lambda _: Libc)
    rounded = mib + 4096
    for is_filled, advices in ((True, (14, 25)), (False, (14,))):  # MADV_HUGEPAGE, MADV_COLLAPSE of linux/mman.h
        asked.clear()
        use_huge_pages((Place(number) for number in range(len(spans))), is_filled=is_filled)  # type: ignore[misc]
        assert asked == [
            (first, size, advice)
            for first, size in ((rounded, 4 * mib - rounded), (20 * mib, 10 * mib))
            for advice in advices
        ]


def test_a_system_without_them_says_why_and_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    setting = tmp_path / "enabled"
    monkeypatch.setattr(pages, "SETTING", setting)
    monkeypatch.setattr(pages.ctypes, "CDLL", lambda _: pytest.fail("nothing may be asked for"))
    for said, why in (("always madvise [never]", "enabled is never; write madvise to it"), (None, "No such file")):
        setting.unlink(missing_ok=True)
        if said:
            setting.write_text(said)
        assert why in why_no_huge_pages()
        use_huge_pages([torch.zeros(HUGE_BYTES)])
    setting.write_text("always [madvise] never")
    assert why_no_huge_pages() == ""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert why_no_huge_pages() == "huge pages are asked for on Linux alone"
