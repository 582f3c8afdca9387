"""What `bundle` and `reproduce` print and write of names that are more than text to somebody: text, a line each."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.harness.record import seal
from tests.bench.evidence.sample_bundles import (
    launches,
    measure_nothing,
    member,
    sealed,
    with_names,
    write_checkout,
    written,
    zipped,
)
from tests.bench.github import Page, page_of, seen
from tests.bench.hostile_names import HOSTILE
from tests.bench.sample_records import SCENARIOS

HALF = "half\ud800"  # readers refuse half a character
IS_SEEN = [name for name in HOSTILE if HOSTILE[name] is None or name == "    code"]  # what a scenario may be called
UNSEEN = [name for name in HOSTILE if name not in IS_SEEN]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a checkout that has the scenarios."""
    monkeypatch.chdir(write_checkout(tmp_path / "checkout"))
    return tmp_path


def named(name: str) -> dict[str, Any]:
    """Return a record that has a name wherever a text may be anything, and as a key wherever a key may."""
    found = launches(options={"arguments": ["--scale=tiny"], name: name})
    found |= {"commit_info": {"id": name, "branch": name, name: name}, "machine_info": {name: name}, "datetime": name}
    header = found["moevlm"]
    header["fingerprint"] = {**header["fingerprint"], "device_model": name, "torch": name, name: name}
    header |= {"selected": [name], "failed": [name], "not_fitting": [{"scenario": f"x{name}", "reason": name}]}
    header |= {"backends": {name: [[name], name]}, "peaks": {**header["peaks"], f"{name}_per_s": 1.0}}
    for entry in found["benchmarks"]:
        entry |= {"group": name, "param": name, "params": {name: name}}
        ours = entry["extra_info"]["moevlm"]
        ours |= {"params": {f"size {name}": name}, "facts": {name: 1}, "rates": {name: 1.0}, "anchor": name}
        ours["hashes"] = {**ours["hashes"], name: name}
        ours["launches"] = [{**one, "id": f"{one['id']}{name}"} for one in ours["launches"]]
    return found


def called(name: str) -> dict[str, Any]:
    """Return a record whose first scenario has a name as its parameter."""
    return with_names(launches(), f"bench/bench_tiny.py::bench_decode[{name}]")


def outputs(found: dict[str, Any], folder: Path, capsys: pytest.CaptureFixture[str], *scenarios: str) -> list[str]:
    """Return what both commands print of a record, and what is written for readers; where it is refused, the errors."""
    run, packed = folder / "run.json", folder / "claims.tar.gz"
    run.write_bytes(written(seal(found)))
    packed.write_bytes(zipped(*sealed(written(seal(found)), found)))
    with pytest.MonkeyPatch.context() as patch:
        measure_nothing(patch, scenarios)
        codes = [main(["reproduce", str(packed), "--launches=1"]), main(["bundle", str(run), f"--out={packed}"])]
    said = capsys.readouterr()
    if codes != [0, 0]:
        assert codes == [14, 14], said
        return said.err.splitlines(keepends=True)
    with tarfile.open(packed) as archive:
        table = archive.extractfile("claims.md").read().decode()  # type: ignore[union-attr]
    return [said.out.replace(str(folder), ""), table, said.err]


def elements(page: Page) -> list[str]:
    return [one for one in page.elements if one != "code"]


@pytest.mark.long
def test_a_name_in_a_record_is_text_and_no_more(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain, usual_table, _ = outputs(named("NAME"), checkout, capsys, *SCENARIOS)
    usual = page_of(plain)
    assert usual_table.count("NAME") == 2 * 2  # the axis and its value, of two scenarios
    for name, said in HOSTILE.items():
        if name == HALF:
            continue
        printed, table, notes = outputs(named(name), checkout, capsys, *SCENARIOS)
        assert all(one == "\n" or one.isprintable() for one in printed + table + notes), name
        assert printed.count("\n") == plain.count("\n"), name
        page = page_of(printed)
        assert page.found == page_of(table).found == usual.found == [], name
        assert elements(page) == elements(usual), name
        assert seen(page.text).count(seen(said or name)) >= usual.text.count("NAME") / 2 == 2, (
            name
        )  # an axis loses its _


@pytest.mark.long
def test_a_name_of_a_scenario_is_text_or_refused(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    usual = page_of(outputs(called("NAME"), checkout, capsys, "bench_decode[NAME]", SCENARIOS[1])[0])
    for name, said in HOSTILE.items():
        if name == HALF:
            continue
        printed, *others = outputs(called(name), checkout, capsys, f"bench_decode[{name}]", SCENARIOS[1])
        assert printed.startswith("error: ") == (name not in IS_SEEN), name
        assert all(one == "\n" or one.isprintable() for one in "".join([printed, *others])), name
        if name in IS_SEEN:
            page = page_of(printed)
            assert (page.found, elements(page)) == (usual.found, elements(usual)), name
            assert seen(page.text).count(seen(said or name)) >= usual.text.count("NAME") == 2, name
        else:
            assert len([printed, *others]) == 2, name  # a line of each command


def without_arm(name: str) -> dict[str, Any]:
    """Return a record of scenarios that lack the arm that others are held against."""
    found = launches()
    for entry in found["benchmarks"]:
        ours = entry["extra_info"]["moevlm"]
        ours["scenario"] = f"x{name}{ours['arm']}"
    return found


def with_header(**fields: Any) -> dict[str, Any]:
    """Return a record whose header says something that is refused."""
    found = launches()
    found["moevlm"] |= fields
    return found


REFUSED: dict[str, Callable[[str], dict[str, Any]]] = {
    "a scenario without its arm": without_arm,
    "an unknown field": lambda name: with_header(**{f"x{name}": name}),
    "an unknown device": lambda name: with_header(kind={**launches()["moevlm"]["kind"], "device": f"x{name}"}),
    "a peak below 0": lambda name: with_header(peaks={f"x{name}": -1}),
    "a wrong answer": lambda name: launches(complete=False, wrong=[{"scenario": f"x{name}", "why": name}]),
    "a foreign option": lambda name: launches(options={"arguments": [f"--scale={name}/"]}),
    "a rehearsal": lambda name: launches(injected={f"x{name}": 1.5}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_error_that_names_it_is_one_line(case: str, checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, run = checkout / "claims.tar.gz", checkout / "run.json"
    for name in ["NAME", *UNSEEN]:
        found = REFUSED[case](name)
        path.write_bytes(zipped(*sealed(written(found))))
        run.write_bytes(written(seal(found)))
        assert main(["reproduce", str(path)]) == 14
        said = [capsys.readouterr().err]
        assert main(["bundle", str(run), f"--out={path}"]) in (4, 14)
        said.append(capsys.readouterr().err)
        for error in said:
            one_line(error, name)
            assert name != "NAME" or name in error  # else nothing is tested


def test_an_error_that_names_a_file_or_a_field_of_the_archive_is_one_line(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = checkout / "claims.tar.gz"
    whole = sealed(written(launches()))
    for name in UNSEEN:
        fields = {**json.loads(whole[0][1]), f"x{name}": name}
        another = member(name.replace("\0", "").encode(errors="replace").decode(), b"x")
        for members in ([*whole, another], [member("manifest.json", written(fields)), *whole[1:]]):
            path.write_bytes(zipped(*members))
            assert main(["reproduce", str(path)]) == 14
            one_line(capsys.readouterr().err, name)


def one_line(said: str, name: str) -> None:
    assert said.startswith("error: "), name
    assert said.endswith("\n"), name
    assert said[:-1].isprintable(), name
