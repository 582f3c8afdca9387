"""Tests of printing: to a terminal of any encoding, a full disk, a reader that has gone, and what is closed."""

import io
import os
import sys
from collections.abc import Iterator

import pytest

from bench import __main__ as commands
from moevlm_programs.errors import RecordWriteError
from moevlm_programs.terminal import ReaderGone, note, print_in_any_encoding, say


@pytest.fixture
def gone() -> Iterator[io.TextIOWrapper]:
    """Return a stream whose reader has ended."""
    reads, writes = os.pipe()
    os.close(reads)
    with open(writes, "w", encoding="utf-8") as stream:  # noqa: PTH123  # a descriptor, not a path
        yield stream


@pytest.fixture
def full() -> Iterator[io.TextIOWrapper]:
    """Return a stream on a disk that is full."""
    with open("/dev/full", "w", encoding="utf-8") as stream:  # noqa: PTH123
        yield stream


def test_a_terminal_of_any_encoding_gets_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    print_in_any_encoding()
    say("bench_x[é] ± 3")
    assert raw.getvalue() == b"bench_x[\\xe9] \\xb1 3\n"


def test_a_reader_of_results_that_has_gone_ends_it_and_nothing_is_left_to_be_flushed(
    monkeypatch: pytest.MonkeyPatch, gone: io.TextIOWrapper
) -> None:
    monkeypatch.setattr(sys, "stdout", gone)
    with pytest.raises(ReaderGone):
        say("one")
    say("two")  # goes nowhere
    gone.flush()


def test_a_full_disk_under_standard_output_is_an_error(monkeypatch: pytest.MonkeyPatch, full: io.TextIOWrapper) -> None:
    monkeypatch.setattr(sys, "stdout", full)
    with pytest.raises(RecordWriteError, match=r"standard output must be writable, got No space left .*; free disk"):
        say("one")


@pytest.mark.parametrize("stream", ["gone", "full"])
def test_a_standard_error_that_takes_nothing_costs_what_is_noted_there_alone(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, stream: str
) -> None:
    unwilling = request.getfixturevalue(stream)
    monkeypatch.setattr(sys, "stderr", unwilling)
    note("one")
    unwilling.flush()


def test_a_result_needs_standard_output_and_a_note_no_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    note("one")
    with pytest.raises(RecordWriteError, match="standard output must be writable, got a closed one"):
        say("one")


def test_a_command_whose_reader_has_gone_ends_141(
    monkeypatch: pytest.MonkeyPatch, gone: io.TextIOWrapper, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", gone)
    assert commands.main(["compare", "--help"]) == 141
    assert capfd.readouterr().err == ""


def test_help_that_cannot_be_printed_ends_16(monkeypatch: pytest.MonkeyPatch, full: io.TextIOWrapper) -> None:
    monkeypatch.setattr(sys, "stdout", full)
    assert commands.main(["--help"]) == 16
