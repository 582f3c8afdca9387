"""What commands print of names from outside: markdown that is text and no more, and lines that steer no terminal."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.gate.verdict import EXIT_CODES, Verdict
from bench.harness.environment import kind_key
from bench.harness.record import merge, seal
from fixtures.programs.terminal import note
from tests.bench.github import Page, page_of, seen
from tests.bench.hostile_names import HOSTILE
from tests.bench.sample_records import FINGERPRINT, document

COMMANDS = {"report": ["report", "run.json"], "compare": ["compare", "run.json", "--baseline", "base.json"]}
HALF = "half\ud800"  # no name of a record's or a file's: readers refuse half a character


def named(name: str, launch: str = "launch-0", **header: Any) -> dict[str, Any]:
    """Return a record that has a name in its scenarios, its machine and its software."""
    there = json.loads(json.dumps(document(launch)).replace("tiny-b1", json.dumps(f"tiny-{name}")[1:-1]))
    machine = {**FINGERPRINT, "device_model": name, "torch": name}
    there["moevlm"] |= {"fingerprint": machine, "kind": kind_key(machine), **header}
    return seal(there)


def outputs(capsys: pytest.CaptureFixture[str], words: list[str], name: str) -> str:
    """Return what a command prints of two records that have a name."""
    wrong = [{"scenario": f"bench_w[{name}]", "why": name}]
    Path("run.json").write_text(json.dumps(named(name, wrong=wrong, complete=False)))
    base = merge([named(name, "launch-1"), named(name, "launch-2")])
    Path("base.json").write_text(json.dumps(base))
    capsys.readouterr()
    ended = main(words)
    said = capsys.readouterr()
    assert (said.err == "") == (ended != EXIT_CODES[Verdict.CORRUPT]), name
    return said.out or said.err


@pytest.mark.parametrize("command", COMMANDS)
def test_a_name_in_a_record_is_text_and_no_more(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    usual = page_of(outputs(capsys, COMMANDS[command], "NAME"))
    for name, said in HOSTILE.items():
        hostile = outputs(capsys, COMMANDS[command], name)
        assert all(one == "\n" or one.isprintable() for one in hostile), name
        assert hostile.startswith("error: ") == (name == HALF), name
        if name != HALF:
            page = page_of(hostile)
            assert page.found == usual.found == [], name
            assert elements(page) == elements(usual), name
            assert seen(page.text).count(seen(said or name)) >= usual.text.count("NAME") > 2, name


def elements(page: Page) -> list[str]:
    return [one for one in page.elements if one != "code"]


def test_an_error_or_a_note_that_names_it_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for name in HOSTILE:
        is_a_files = "\0" not in name and name != HALF
        if is_a_files:
            assert main(["report", f"x{name}"]) != 0, name
        note(f"launch 1: {name}")
        said = capsys.readouterr()
        assert all(one in "\n\t" or one.isprintable() for one in said.err), name
        assert said.err.startswith("error: ") == is_a_files, name
