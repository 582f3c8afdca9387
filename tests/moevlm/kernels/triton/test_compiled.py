"""Triton's kernels through its compiler, which needs no GPU: what each takes of an SM80, SM90 and SM100 is kept.

RECORD has every kernel and every tiling that a way may choose, by the oldest and the newest Triton. It is written here:

    pytest tests/moevlm/kernels/triton/test_compiled.py -m exhaustive
"""

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

triton = pytest.importorskip("triton", reason="Triton is not installed")
if os.environ.get("TRITON_INTERPRET") == "1":
    pytest.skip("interpreted kernels cannot be compiled: unset TRITON_INTERPRET", allow_module_level=True)

from bench.warm.launches import SHARED_BYTES  # noqa: E402
from moevlm.kernels.triton import attend, combine, dense, few, heads, many, norm, persistent, route, tiles  # noqa: E402
from moevlm.kernels.triton.compile_only import compiling_for  # noqa: E402
from tests.moevlm.kernels.triton.launches import every, predicted  # noqa: E402
from tests.moevlm.kernels.triton.resources import BULK_COPY, code_digest, resources_of  # noqa: E402

RECORD = Path(__file__).parents[4] / "docs" / "records" / "compiled-gpu.json"
VERSIONS = ("3.6.0", "3.9.0")  # of Triton: both ends of what pyproject.toml takes
CODE = code_digest([attend, combine, dense, few, heads, many, norm, persistent, route, tiles])
UNITS = {80: "mma.sync", 90: "wgmma.mma_async", 100: "tcgen05.mma"}
MOST_SPILLED = {80: 96, 90: 0, 100: 0}  # bytes of a thread: tiles were predicted for an SM90, which sums elsewhere
SMALL = ("few.", "attend._attend_part")  # 16 rows: too few for the larger units of SM90 and SM100
QUICK = ("7b few, 64 tokens", "7b many, 16384 tokens", "7b fused, 16384 tokens", "7b persistent, 16384 tokens",
         "7b step of 8 samples")  # fmt: skip  # one of each kind


def rows():
    return json.loads(RECORD.read_text()) if RECORD.exists() else []


def kernels_of(capability, launch, version=triton.__version__):
    """Return what the record says of a launch; None: nothing, or of other code."""
    of_launch = {"triton": version, "capability": capability, "launch": launch, "code": CODE}
    found = [row["kernels"] for row in rows() if of_launch.items() <= row.items()]
    return found[0] if found else None


def keep(capability, launch, kernels):
    key = {"triton": triton.__version__, "capability": capability, "launch": launch}
    kept = [row for row in rows() if not key.items() <= row.items() and row["code"] == CODE]
    ordered = sorted([*kept, {**key, "code": CODE, "kernels": kernels}], key=lambda row: [*row.values()][:3])
    RECORD.write_text("[\n" + ",\n".join(map(json.dumps, ordered)) + "\n]\n")


def compiled(capability, launch, monkeypatch, tmp_path):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "cache"))
    with compiling_for(capability) as launches:
        every(capability)[launch]()
    return [asdict(kernel) for kernel in resources_of(launches, tmp_path)]


def check(capability, launch, kernels):
    """Hold what a model would launch to what the GPU has, with the best unit for its products and nothing spilled.

    What tuning tries beside has but to compile, and to load by the way's own means.
    """
    for kernel in kernels:
        if kernel["unit"]:
            assert kernel["copies"]  # weights are on their way while the ones before are multiplied
            assert (kernel["copies"] == BULK_COPY) == kernel["kernel"].startswith("persistent.")
    if launch not in predicted(capability):
        return
    units = {kernel["kernel"]: kernel["unit"] for kernel in kernels if kernel["unit"]}
    assert units == {name: UNITS[80 if name.startswith(SMALL) else capability] for name in units}
    assert max(kernel["spilled_bytes"] for kernel in kernels) <= MOST_SPILLED[capability]
    assert max(kernel["shared_bytes"] for kernel in kernels) <= SHARED_BYTES[capability]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("capability", SHARED_BYTES)
def test_what_every_launch_takes_is_kept_and_is_what_a_gpu_has(capability, version):
    for launch in every(capability):
        kernels = kernels_of(capability, launch, version)
        assert kernels, f"{launch} for SM{capability} by Triton {version} is of no or other code; write the record anew"
        check(capability, launch, kernels)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_search_of_most_pairs_leaves_registers_for_other_programs(version):
    """Of four warps it took all 255 of a thread, and spilled."""
    gate_up, down, _ = kernels_of(90, "7b few, 64 tokens", version)
    assert [gate_up["kernel"], down["kernel"]] == ["few._gate_up", "few._down"]
    assert max(gate_up["registers"], down["registers"]) <= 80


@pytest.mark.long
@pytest.mark.parametrize("launch", QUICK)
def test_an_sm90_takes_what_the_record_says(launch, monkeypatch, tmp_path):
    kernels = compiled(90, launch, monkeypatch, tmp_path)
    check(90, launch, kernels)
    if triton.__version__ in VERSIONS:
        assert kernels == kernels_of(90, launch)


@pytest.mark.exhaustive
@pytest.mark.parametrize("capability", SHARED_BYTES)
def test_every_launch_compiles(capability, monkeypatch, tmp_path):
    for launch in every(capability):
        kernels = kernels_of(capability, launch)
        if kernels is None:
            kernels = compiled(capability, launch, monkeypatch, tmp_path)
            if triton.__version__ in VERSIONS:
                keep(capability, launch, kernels)
        check(capability, launch, kernels)
