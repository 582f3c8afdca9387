"""Whole runs of a project whose arms take paths and kernels: a record names them; different paths are not measured."""

from pathlib import Path

from bench.harness import record
from tests.bench.plugin.fake_project import write_project
from tests.bench.plugin.fresh_pytest import Ended, run_pytest

HASHES = 'hashes={"workload": "w", "routing": "r"})'


def run_with(folder: Path, paths: str, kernels: str = "{}") -> Ended:
    written = write_project(folder)
    (file,) = [path for path in (written / "bench").iterdir() if HASHES in path.read_text()]
    file.write_text(file.read_text().replace(HASHES, f"{HASHES[:-1]}, paths={paths}, kernels={kernels})"))
    return run_pytest(written, "bench", "--record=run.json")


def test_a_record_names_the_path_and_the_kernels_of_each_arm_which_may_differ(tmp_path: Path) -> None:
    paths, kernels = '{"moe": "fused", "dense": "fused"}', '{"moe": "kernels", "dense": "products"}'
    ended = run_with(tmp_path / "project", paths, kernels)
    assert ended.code == 0, ended.said
    found = record.load(tmp_path / "project" / "run.json")
    for scenario in found.scenarios.values():
        assert {name: (arm.path, arm.kernel) for name, arm in scenario.arms.items()} == {
            "moe": ("fused", "kernels"),
            "dense": ("fused", "products"),
            "anchor": ("", ""),
        }


def test_a_moe_by_operators_beside_a_dense_twin_by_modules_fails_and_nothing_is_recorded_of_it(tmp_path: Path) -> None:
    ended = run_with(tmp_path / "project", '{"moe": "fused", "dense": "modules"}')
    assert ended.code == 1, ended.said
    said = " ".join(ended.said.split())
    assert "ValueError: arms that are compared must take one path, got moe: fused, dense: modules; mend what" in said
    assert record.load(tmp_path / "project" / "run.json").scenarios == {}
