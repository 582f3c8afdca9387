"""Files that once ended a command by a traceback, or were believed: each ends by its code, and the remedy is told."""

import copy
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec import structs

from bench.__main__ import main
from bench.gate.ledger import CONTROL, NAME, Slowdown
from bench.harness.record import KEY, seal
from tests.bench.evidence.sample_bundles import sealed, zipped
from tests.bench.hostile.readers import a_front, of_several, some_backends, some_suites, some_twins
from tests.bench.large_records import commit_promotions
from tests.bench.sample_records import BASELINE_NAME, SCENARIOS, changed, document

CORRUPT, USAGE = 14, 4
HEADER, OURS = (KEY,), ("benchmarks", 0, "extra_info", KEY)
MEASURE = "measure it again, or restore the file from version control"


class Case(NamedTuple):
    """A file, and how a command that reads it must end."""

    content: bytes | Callable[[Path], object]  # or what makes something else in its place
    code: int
    place: str  # and the rule's words
    remedy: str
    command: tuple[str, ...] = ("report", "{}")
    name: str = "a.file"


def record(*keys: str | int, value: object) -> bytes:
    """Return a record with another value at a place, under a checksum that fits."""
    return json.dumps(seal(changed(document(), *keys, value=value))).encode()


def without(*keys: str | int) -> bytes:
    """Return a record that lacks a field."""
    sealed = document()
    place: Any = sealed
    for key in keys[:-1]:
        place = place[key]
    del place[keys[-1]]
    return json.dumps(seal(sealed)).encode()


def with_text(old: str, new: str) -> bytes:
    """Return a record in whose text something is replaced, which no sealing program would write."""
    text = json.dumps(document())
    assert old in text
    return text.replace(old, new, 1).encode()


def lone_arms() -> bytes:
    """Return a record whose first scenario has lost its MoE arm."""
    sealed = document()
    return json.dumps(seal({**sealed, "benchmarks": sealed["benchmarks"][1:]})).encode()


def slowdowns(**changes: object) -> bytes:
    """Return a ledger whose second entry is changed."""
    good = structs.asdict(
        Slowdown("s", CONTROL, 1.0, 2.0, math.log(2), BASELINE_NAME, "why", "2026-01-01", "c0ffee", "")
    )
    return json.dumps([good, {**good, **changes}]).encode()


RECORDS = {
    "a number of 400 digits": Case(
        with_text('"copy_byte_per_s": 10000000000.0', '"copy_byte_per_s": 1' + "0" * 400),
        CORRUPT, "moevlm.peaks.copy_byte_per_s must be a finite number of at most 64 bits, got 1000000", MEASURE),
    "1e400 units": Case(
        with_text('"num_units": 32', '"num_units": 1e400'),
        CORRUPT, "benchmarks[0].extra_info.moevlm.num_units must be a finite number of at most 64 bits", MEASURE),
    "no dtype": Case(without(*HEADER, "kind", "dtype"), CORRUPT, "moevlm.kind must have dtype, got no dtype", MEASURE),
    "an unknown device": Case(
        record(*HEADER, "kind", "device", value="tpu"),
        CORRUPT, "moevlm.kind.device must be one of cpu, cuda, got 'tpu'", MEASURE),
    "no MoE arm": Case(
        lone_arms(), CORRUPT, f"benchmarks must hold the arm moe of {SCENARIOS[0]}, got dense, anchor", MEASURE),
    "axes that are no list": Case(
        record(*HEADER, "options", value={"axes": {"batch_size": 1}}),
        CORRUPT, "moevlm.options.axes.batch_size must be list, got 1", MEASURE),
    "an axis that is a list": Case(
        record(*OURS, "params", value={"batch_size": [1]}),
        CORRUPT, "benchmarks[0].extra_info.moevlm.params.batch_size must be boolean or integer or number or string",
        MEASURE),
    "depth that is a list": Case(
        record(*OURS, "facts", value={"depth": [[]]}),
        CORRUPT, "benchmarks[0].extra_info.moevlm.facts.depth must be integer or number, got [[]]", MEASURE),
    "cost without bytes": Case(
        record(*OURS, "cost", value={"flops": 1.0}),
        CORRUPT, "benchmarks[0].extra_info.moevlm.cost must have bytes, got no bytes", MEASURE),
    "not fitting that is a number": Case(
        record(*HEADER, "not_fitting", value=[3]), CORRUPT, "moevlm.not_fitting[0] must be object, got 3", MEASURE),
    "complete twice": Case(
        with_text('"complete": true', '"complete": true, "complete": true'),
        CORRUPT, "must hold each key once, got 'complete' twice", MEASURE),
    "an unknown field": Case(
        record(*HEADER, "aproved", value=True), CORRUPT, "moevlm must have known fields alone, got aproved", MEASURE),
    "100,000 deep": Case(b"[" * 100_000, CORRUPT, "must be nested 64 deep at most, got more", MEASURE),
    "a folder": Case(Path.mkdir, CORRUPT, "must be a file, got a folder", MEASURE),
    "half a character": Case(
        with_text('"scale": "tiny"', '"scale": "\\ud800"'), CORRUPT, "must be Unicode, got half a character", MEASURE),
    "a start that is no time": Case(
        record(*HEADER, "launch", "started", value="noon"),
        CORRUPT, "moevlm.launch.started must be a time by ISO 8601, got 'noon'", MEASURE),
}  # fmt: skip


HISTORY, RESTORE = ("history", "--baselines={parent}", "--out={parent}/drawn"), "restore it from version control"
LEDGERS = {
    f"{field} of {value!r}": Case(
        slowdowns(**{field: value}), CORRUPT, f"[1].{field} must be {rule}", RESTORE, HISTORY, NAME)
    for field, value, rule in (
        ("old", 0, "number above 0, got 0"),
        ("new", -1, "number above 0, got -1"),
        ("log_ratio", "much", "number, got 'much'"),
        ("log_ratio", 0.5, "log(new / old), 0.693147, got 0.5"),
        ("control", "moe/moe", "moe/dense, or moe of a share, got 'moe/moe'"),
        ("release", None, "string, got None"),
    )
} | {
    "a ledger with an unknown field": Case(
        slowdowns(more=1), CORRUPT, "[1] must have known fields alone, got more", RESTORE, HISTORY, NAME),
    "a ledger with a key twice": Case(
        slowdowns().replace(b'"old"', b'"new": 1, "old"', 1),
        CORRUPT, "must hold each key once, got 'new'", RESTORE, HISTORY, NAME),
    "a ledger that is an object": Case(b"{}", CORRUPT, "must be list, got {}", RESTORE, HISTORY, NAME),
    "a ledger that is a folder": Case(Path.mkdir, CORRUPT, "must be a file, got a folder", RESTORE, HISTORY, NAME),
}  # fmt: skip

STEP, FORM = b'[[step]]\nname = "a"\nwhy = "b"\noptions = []\n', "see bench/evidence/campaign/plan.py for the form"
CAMPAIGN = ("campaign", "--scale=tiny", "--plan={}", "--out={parent}/out")
PLANS = {
    "a launch of 1e400": Case(
        STEP + b"launches = 1e400", USAGE, "step[0].launches must be a finite number", FORM, CAMPAIGN),
    "launches of 400 digits": Case(
        STEP + b"launches = 1" + b"0" * 400, USAGE, "step[0].launches must be a finite number", FORM, CAMPAIGN),
    "a million launches": Case(
        STEP + b"launches = 1000000", USAGE, "step 1.launches must be integer of 10000 at most", FORM, CAMPAIGN),
    "true launches": Case(
        STEP + b"launches = true", USAGE, "step 1.launches must be integer, got True", FORM, CAMPAIGN),
    "options that are no words": Case(
        STEP.replace(b"[]", b"[[]]"), USAGE, "step 1.options[0] must be string, got []", FORM, CAMPAIGN),
    "a plan 5,000 deep": Case(
        b"step = " + b"[" * 5000 + b"]" * 5000, USAGE, "must be nested 64 deep at most", FORM, CAMPAIGN),
    "a plan that is a folder": Case(Path.mkdir, USAGE, "must be a file, got a folder", FORM, CAMPAIGN),
    "a plan that is binary": Case(b"\xff\xfe", USAGE, "must be UTF-8", FORM, CAMPAIGN),
    "a plan of 2 MB": Case(b"# " + b"x" * 2**21, USAGE, "must hold 1048576 bytes at most, got more", FORM, CAMPAIGN),
}  # fmt: skip
QUALIFY, SUITES = ("qualify", "--report", "--record={}"), "name another --record, or remove the file to begin anew"


def suites(line: int, *keys: str | int, value: object) -> bytes:
    """Return a record of suites with another value at a place in one of its lines."""
    good = some_suites()
    return of_several([*good[: line - 1], changed(good[line - 1], *keys, value=value), *good[line:]])


QUALIFIED = {
    "no suites": Case(b"", CORRUPT, "must hold suites that `qualify` wrote, got nothing", SUITES, QUALIFY),
    "suites of another schema": Case(
        suites(1, "schema_version", value=1), CORRUPT, "line 1.schema_version must be ", SUITES, QUALIFY),
    "minus five launches": Case(
        suites(1, "num_launches", value=-5), CORRUPT, "line 1.num_launches must be integer of 1 or more", SUITES,
        QUALIFY),
    "a suite twice": Case(
        of_several([*some_suites()[:2], *some_suites()[1:]]), CORRUPT, "line 3.suite.number must be begun once", SUITES,
        QUALIFY),
    "a launch of no suite": Case(
        suites(3, "launch", "suite", value=7), CORRUPT, "line 3.launch.suite must be a suite that was begun", SUITES,
        QUALIFY),
    "a line of 400 digits": Case(
        suites(3, "launch", "seconds", value="raw:1" + "0" * 400), CORRUPT, "line 3.launch.seconds must be ", SUITES,
        QUALIFY),
    "suites that are a folder": Case(Path.mkdir, CORRUPT, "must be a file, got a folder", SUITES, QUALIFY),
}  # fmt: skip
AGAIN, SCORE = "write it again with the command that made it", "score the twins again, with bench.front.trained"
PARETO, TWINS = ("pareto", "{}", "--out={parent}/p.md"), ("twins", "{}", "--out={parent}/p.md")


def front(*keys: str | int, value: object) -> bytes:
    """Return a document of the front with another value at a place."""
    return json.dumps(changed(a_front(), *keys, value=value)).encode()


def twins(*keys: str | int, value: object) -> bytes:
    """Return a document of twins with another value at a place."""
    return json.dumps(changed(some_twins(), *keys, value=value)).encode()


ALL = ("accuracy", "all")
FRONTS = {
    "minus five questions": Case(
        front("twins", 0, *ALL, "num_samples", value=-5), CORRUPT,
        "twins[0].accuracy.all.num_samples must be integer of 1 or more, got -5", AGAIN, PARETO),
    "more than all answers": Case(
        front("twins", 1, *ALL, "estimate", value=1.5), CORRUPT,
        "twins[1].accuracy.all.estimate must be number of 1.0 at most, got 1.5", AGAIN, PARETO),
    "a throughput of text": Case(
        front("twins", 0, "throughput", value="fast"), CORRUPT, "twins[0].throughput must be object, got 'fast'", AGAIN,
        PARETO),
    "no twins": Case(front("twins", value=[]), CORRUPT, "twins must hold at least one, got none", AGAIN, PARETO),
    "a front nested deep": Case(b"[" * 100_000, CORRUPT, "must be nested 64 deep at most", AGAIN, PARETO),
    "a twin of minus one parameters": Case(
        twins("twins", 0, "num_parameters", value=-1), CORRUPT,
        "twins[0].num_parameters must be number above 0, got -1", SCORE, TWINS),
    "an accuracy of text": Case(
        twins("twins", 0, "accuracy", value={"all": "good"}), CORRUPT, "twins[0].accuracy.all must be object", SCORE,
        TWINS),
    "twins that are a folder": Case(Path.mkdir, CORRUPT, "must be a file, got a folder", SCORE, TWINS),
}  # fmt: skip
REPRODUCE, UNPACK = ("reproduce", "{}"), "get the file again, or pack it again from its record"


def bundled(inside: bytes) -> bytes:
    """Return a bundle of a record, which fits but for that."""
    return zipped(*sealed(inside))


WITHIN = "must be an archive that `bundle` wrote: "
BUNDLES = {
    "a bundle of 400 digits": Case(
        bundled(with_text('"num_units": 32', '"num_units": 1' + "0" * 400)), CORRUPT,
        f"{WITHIN}benchmarks[0].extra_info.moevlm.num_units must be a finite number", UNPACK, REPRODUCE),
    "a bundle without dtype": Case(
        bundled(without(*HEADER, "kind", "dtype")), CORRUPT, f"{WITHIN}moevlm.kind must have dtype", UNPACK, REPRODUCE),
    "a bundle without a MoE arm": Case(
        bundled(lone_arms()), CORRUPT, f"{WITHIN}benchmarks must hold the arm moe", UNPACK, REPRODUCE),
    "a bundle that is a folder": Case(Path.mkdir, CORRUPT, WITHIN, UNPACK, REPRODUCE),
}  # fmt: skip
BACKEND_ROW = "params of bench_experts[7b@2-moevlm-uniform-t1] "
PERFORMANCE = ("performance", "{}", "--out={parent}/page.md")


def experts(**params: object) -> bytes:
    """Return a record of a layer of experts, with other values of its axes; None leaves one out."""
    found = copy.deepcopy(some_backends())
    for entry in found["benchmarks"]:
        axes = {**entry["extra_info"][KEY]["params"], **params}
        entry["extra_info"][KEY]["params"] = {name: value for name, value in axes.items() if value is not None}
    return json.dumps(seal(found)).encode()


PAGES = {
    "a page without an axis of its tables": Case(
        experts(backend=None), CORRUPT, f"{BACKEND_ROW}must have backend, got scale", "measure it again", PERFORMANCE),
    "a size that is no number": Case(
        experts(num_tokens="many"), CORRUPT, f"{BACKEND_ROW}must have a whole number as num_tokens, got 'many'",
        "measure it again", PERFORMANCE),
}  # fmt: skip
KNOWN = RECORDS | LEDGERS | PLANS | QUALIFIED | FRONTS | BUNDLES | PAGES


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of baselines in a clone."""
    return commit_promotions(tmp_path_factory.mktemp("clone"), BASELINE_NAME, promotions=1, scenarios=1)


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_failure_ends_by_its_code_and_names_file_place_rule_and_remedy(
    name: str, tmp_path: Path, promoted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = KNOWN[name]
    folder = shutil.copytree(promoted.parent, tmp_path / "clone") / "baselines"
    path = folder / case.name
    if callable(case.content):
        case.content(path)
    else:
        path.write_bytes(case.content)
    assert main([word.format(path, parent=folder) for word in case.command]) == case.code
    said = capsys.readouterr().err
    assert said.startswith(f"error: {path}: {case.place}")
    assert said.endswith(f"; {case.remedy}\n")


def test_the_record_that_these_are_made_of_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(json.dumps(document()).encode())
    assert main(["report", str(path)]) == 0


@pytest.mark.parametrize("name", RECORDS)
def test_a_baseline_is_held_to_what_a_record_is(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, path = tmp_path / "run.json", tmp_path / "baseline.json"
    run.write_bytes(json.dumps(document()).encode())
    case = RECORDS[name]
    if callable(case.content):
        case.content(path)
    else:
        path.write_bytes(case.content)
    assert main(["compare", str(run), "--baseline", str(path)]) == CORRUPT
    assert f"{path}: {case.place}"[:40] in "".join(capsys.readouterr())
