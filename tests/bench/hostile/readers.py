"""Every reader with a good file, the command that reads it to its end, and what may be believed of it."""

import gzip
import json
import math
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec

from bench.__main__ import main
from bench.gate.ab.tolerances import read_rules
from bench.gate.baseline import LAUNCHES_TO_PROMOTE
from bench.gate.ledger import CONTROL, NAME
from bench.gate.qualify.store import append_launch, append_suite, begin
from bench.grid.work import cells_document
from bench.harness.record import KEY, Scenario, merge, seal
from tests.bench.evidence.sample_bundles import launches
from tests.bench.gate.qualify_suites import launch, qualification, suite
from tests.bench.hostile import schemas
from tests.bench.hostile.bundles import a_bundle, reproduced, tar_about, tar_text, zipped_files, zipped_text
from tests.bench.hostile.mutations import resealed, written
from tests.bench.pages import sample_backends, sample_layers
from tests.bench.pages.sample_twins import MACHINE, TRAINED, entry
from tests.bench.sample_records import BASELINE_NAME, document

JUDGED = frozenset({0, 4, 10, 11, 12, 13, 14, 15, 16, 17})
REPORTED = frozenset({0, 14})
WRITTEN = frozenset({0, 4, 14})
CORRUPT, USAGE = 14, 4

Json = Any
Place = tuple[str | int, ...]
TEMPORARY = TemporaryDirectory()


class Reader(NamedTuple):
    """One kind of file and one command that reads it; paths are of a folder that has a promoted baseline.

    The command ends 0 with the good file, and by one code where the file is refused: so it is seen to read it.
    """

    name: str  # of the file in the folder
    good: Callable[[], Json]
    holds: schemas.Schema  # what may be believed
    codes: frozenset[int]
    arguments: tuple[str, ...]
    above_zero: Place  # a number that must be
    refusal: int = CORRUPT
    write: Callable[[Json], bytes] = written
    parse: Callable[[str], Json] = json.loads
    run: Callable[[list[str]], int] = main
    wrap: Callable[[bytes], bytes] = bytes  # what is done to the bytes last, which is not spoiled
    text: Callable[[bytes], str] = bytes.decode


def of_several(documents: Json) -> bytes:
    """Write one JSON document a line."""
    return b"".join(written(one) + b"\n" for one in documents) if isinstance(documents, list) else written(documents)


def lines(text: str) -> Json:
    """Read one JSON document a line; what follows the last newline is torn, and passed over."""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].removesuffix("\n").split("\n")]


def toml(tables: Json) -> bytes:
    """Write lists of tables as TOML; what is no such thing becomes a line that TOML may refuse."""
    found = []
    for key, entries in tables.items() if isinstance(tables, Mapping) else ():
        if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
            found.append(f"{key} = {written(entries).decode()}")
            continue
        for one in entries:
            found += [f"[[{key}]]", *(f"{json.dumps(k)} = {written(v).decode()}" for k, v in one.items())]
    return "\n".join(found).encode("utf-8", "surrogatepass")


def rules_read(arguments: list[str]) -> int:
    """Read tolerances as `ab` does before it measures."""
    try:
        read_rules(Path(arguments[0]))
    except ValueError:
        return 4
    return 0


@cache
def a_baseline() -> Json:
    stamp = {"reason": "why", "commit": "c0ffee", "date": "2026-01-01", "release": "", "launches": 2}
    merged = merge([document("l0"), document("l1")])
    return seal({**merged, "moevlm": {**merged["moevlm"], "promotion": stamp}})


@cache
def to_bundle() -> Json:
    found = a_baseline()
    return seal({**found, KEY: {**found[KEY], "options": {"arguments": ["--scale=tiny"]}}})


@cache
def to_promote() -> Json:
    return seal(merge([document(f"l{number}") for number in range(LAUNCHES_TO_PROMOTE)]))


def of_scenarios(*scenarios: Scenario) -> Json:
    """Return a record of scenarios."""
    series = [one for scenario in scenarios for one in scenario.arms.values()]
    entries = [{"name": f"{one.scenario}:{one.arm}", "fullname": f"bench/bench_a.py::{one.scenario}:{one.arm}",
                "extra_info": {KEY: msgspec.to_builtins(one)}} for one in series]  # fmt: skip
    return seal({**document(), "benchmarks": entries})


@cache
def some_layers() -> Json:
    return of_scenarios(sample_layers.layers_scenario(batch_size=1), sample_layers.devices_scenario())


@cache
def some_backends() -> Json:
    seconds = {"moe": 0.002, "transformers/eager": 0.004}
    return of_scenarios(sample_backends.experts(seconds), sample_backends.decode(seconds))


@cache
def some_peers() -> Json:
    return of_scenarios(sample_backends.decode({"moe": 0.002, "dense": 0.004, "llama.cpp/moe": 0.001}))


def a_ledger() -> Json:
    words = {"scenario": "s", "control": CONTROL, "baseline": BASELINE_NAME, "reason": "w", "date": "2026-01-01"}
    slower = {**words, "old": 1.0, "new": 2.0, "log_ratio": math.log(2), "commit": "c0ffee", "release": ""}
    return [slower, {**slower, "old": 2.0, "new": 3.0, "log_ratio": math.log(1.5)}]


def a_plan() -> Json:
    step = {"name": "a", "why": "b", "options": ["-k", "x"], "files": ["bench_decode.py"], "launches": 2}
    return {"step": [step, {"name": "b", "why": "c", "options": [], "suites": 3}]}


def some_limits() -> Json:
    limit = {"scenarios": "^bench_x", "tolerance_percent": 8, "reason": "why", "smallest_effect_percent": 3}
    return {"limit": [limit, {**limit, "tolerance_percent": 7.5}]}


def a_front() -> Json:
    told: dict[str, Any] = {
        "blind": {"all": {"estimate": 0.1}},
        "points": {"sums": [1, 0.5], "counts": [2, 1]},
        "transition": 900,
    }
    found = [entry(name, seed, 0.5, **told) for name in ("dense", "plain") for seed in (0, 1)]
    asked = {"batch_size": 8, "num_pictures": 12, "difficulty": "hard"}
    return {"schema_version": 1, "tier": "measured", "machine": MACHINE, "test": asked, "twins": found}


def some_twins() -> Json:
    return {"twins": TRAINED}


@cache
def some_cells() -> Json:
    found = cells_document(["tiny"], ["moe", "dense"], "bfloat16", batches=(1,), lengths=(640,))
    (tile,) = [cell["costs"] for cell in found["cells"] if cell["phase"] == "prefill"]
    asked = {"scale": "tiny", "workload": "mmmu", "drawn": [[640.5, 1, 3], [700, 2, 1]], "tile": tile}
    return json.loads(json.dumps({**found, "requests": [asked]}))


@cache
def some_suites() -> Json:
    path = Path(TEMPORARY.name) / "suites.jsonl"
    ratios = {"bench_decode[a]": {"moe": 0.1, "dense": 0.0, "anchor": 0.0}}
    whole = qualification(suite([launch(number, ratios) for number in range(2)]), num_launches=2)
    begin(path, whole)
    append_suite(path, whole.suites[0])
    for one in whole.suites[0].launches:
        append_launch(path, whole.suites[0], one)
    return lines(path.read_text())


BASELINES = ("--baselines={folder}", f"--baseline={BASELINE_NAME}", "--out={folder}/out")
PAGE = ("{path}", "--out={folder}/out/p.md")
REPRODUCE = ("reproduce", "{path}", "--launches=1")
UNITS = ("benchmarks", 0, "extra_info", KEY, "num_units")
PARAMETERS = ("twins", 0, "num_parameters")
READERS = {
    "report of a record": Reader(
        "a.json", document, schemas.record, REPORTED, ("report", "{path}"), UNITS, write=resealed),
    "compare of a record": Reader(
        "a.json", document, schemas.record, JUDGED, ("compare", "{path}", "--baselines={folder}"), UNITS,
        write=resealed),
    "compare with a baseline": Reader(
        "b.json", a_baseline, schemas.record, JUDGED, ("compare", "{folder}/run.json", "--baseline={path}"), UNITS,
        write=resealed),
    "history of a baseline": Reader(
        BASELINE_NAME, a_baseline, schemas.record, WRITTEN, ("history", *BASELINES), UNITS, write=resealed),
    "history of a ledger": Reader(NAME, a_ledger, schemas.ledger, WRITTEN, ("history", *BASELINES), (0, "old")),
    "layers of a record": Reader(
        "a.json", some_layers, schemas.record, WRITTEN, ("layers", *PAGE), UNITS, write=resealed),
    "performance of a record": Reader(
        "a.json", some_backends, schemas.record, WRITTEN, ("performance", *PAGE), UNITS, write=resealed),
    "peers of a record": Reader(
        "a.json", some_peers, schemas.record, WRITTEN, ("peers", *PAGE), UNITS, write=resealed),
    "results of a record": Reader(
        "a.json", document, schemas.record, WRITTEN, ("results", *PAGE), UNITS, write=resealed),
    "bundle of a record": Reader(
        "a.json", to_bundle, schemas.record, WRITTEN, ("bundle", "{path}", "--out={folder}/out/a.tar.gz"), UNITS,
        write=resealed),
    "promotion of a record": Reader(
        "a.json", to_promote, schemas.record, WRITTEN,
        ("promote", "{path}", "--reason=why", "--baselines={folder}/out"), UNITS, write=resealed),
    "pareto of a front": Reader("a.json", a_front, schemas.scored, WRITTEN, ("pareto", *PAGE), PARAMETERS),
    "results of a front": Reader("a.json", a_front, schemas.scored, WRITTEN, ("results", *PAGE), PARAMETERS),
    "results of cells": Reader(
        "a.json", some_cells, schemas.cells, WRITTEN, ("results", "{folder}/run.json", *PAGE),
        ("cells", 0, "costs", "moe", "bytes")),
    "twins of a document": Reader("a.json", some_twins, schemas.twins, WRITTEN, ("twins", *PAGE), PARAMETERS),
    "campaign of a plan": Reader(
        "a.toml", a_plan, schemas.plan, WRITTEN | {16},
        ("campaign", "--scale=tiny", "--budget=1s", "--plan={path}", "--out={folder}/out"), ("step", 0, "launches"),
        USAGE, toml, tomllib.loads),
    "qualify of suites": Reader(
        "a.jsonl", some_suites, schemas.suites, WRITTEN, ("qualify", "--report", "--record={path}"),
        (0, "num_launches"), CORRUPT, of_several, lines),
    "reproduce of a bundle": Reader(
        "a.tar.gz", a_bundle, schemas.bundle, JUDGED, REPRODUCE, ("record.json", *UNITS), write=zipped_files,
        run=reproduced, text=zipped_text),
    "reproduce of a record": Reader(
        "a.tar.gz", launches, schemas.bundle, JUDGED, REPRODUCE, UNITS, write=tar_about, run=reproduced,
        wrap=gzip.compress, text=tar_text),
    "ab's tolerances": Reader(
        "t.toml", some_limits, schemas.tolerances, WRITTEN, ("{path}",), ("limit", 0, "tolerance_percent"),
        USAGE, toml, tomllib.loads, rules_read),
}  # fmt: skip
