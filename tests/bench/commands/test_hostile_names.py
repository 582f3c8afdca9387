"""What commands print of names from outside: markdown that is text and no more, and lines that steer no terminal."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.commands.terminal import note
from bench.harness.environment import kind_key
from bench.harness.record import merge, seal
from tests.bench.github import page_of, seen
from tests.bench.hostile_names import HOSTILE
from tests.bench.sample_records import FINGERPRINT, document

COMMANDS = {"report": ["report", "run.json"], "compare": ["compare", "run.json", "--baseline", "base.json"]}


def named(name: str, launch: str = "launch-0", **header: Any) -> dict[str, Any]:
    """Return a record that has a name in its scenarios, its machine and its software."""
    there = json.loads(json.dumps(document(launch)).replace("tiny-b1", json.dumps(f"tiny-{name}")[1:-1]))
    machine = {**FINGERPRINT, "device_model": name, "torch": name}
    there["moevlm"] |= {"fingerprint": machine, "kind": kind_key(machine), **header}
    return seal(there)


def outputs(folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], name: str) -> str:
    wrong = [{"scenario": f"bench_w[{name}]", "why": name}]
    (folder / "run.json").write_text(json.dumps(named(name, wrong=wrong, complete=False)))
    base = merge([named(name, "launch-1"), named(name, "launch-2")])
    (folder / "base.json").write_text(json.dumps(base))
    capsys.readouterr()
    main(words)
    said = capsys.readouterr()
    assert said.err == ""
    return said.out


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_name_in_a_record_is_text_and_no_more(
    name: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hostile, plain = (outputs(tmp_path, capsys, COMMANDS[command], one) for one in (name, "NAME"))
    assert all(one == "\n" or one.isprintable() for one in hostile)
    page, usual = page_of(hostile), page_of(plain)
    assert page.found == usual.found == []
    assert [one for one in page.elements if one != "code"] == [one for one in usual.elements if one != "code"]
    assert seen(page.text).count(seen(HOSTILE[name] or name)) >= usual.text.count("NAME") > 2


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_an_error_or_a_note_that_names_it_steers_no_terminal(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if "\0" not in name and "\ud800" not in name:
        assert main(["report", f"x{name}"]) != 0
    note(f"launch 1: {name}")
    said = capsys.readouterr()
    assert all(one in "\n\t" or one.isprintable() for one in said.err)
    assert said.err.startswith("error: ") or "\0" in name or "\ud800" in name
