"""Real edits of the model on head's side, one launch each: another answer, another order of sums, a lost kernel."""

import shutil
from pathlib import Path

import pytest

from bench.gate.ab.known import Known
from bench.gate.ab.launches import PairedLaunch, Trouble
from bench.gate.ab.lockstep import LaunchTerms, run_launch
from bench.gate.ab.own_tree import OwnTree
from bench.gate.ab.worker_process import Project, Side
from bench.gate.verdict import Verdict
from tests.bench.checks.wrong_changes import WrongChange

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[4]
DECODE = "bench/bench_decode.py::bench_decode[tiny-mmmu-uniform-b2-s128]"
SCALED = (  # behind the head, which the oracle looks at
    "moevlm/generation/modules_step.py",
    "    logits_BV: torch.Tensor = model.lm_head(",
    "    logits_BV: torch.Tensor = 1.02 * model.lm_head(",
)
TORCHS_SUMS = (  # no kernel of ours takes anything, though they are there: each sum is made in another order
    ("moevlm/kernels/cpu/step.py", "        and load() is None", "        and False"),
    ("moevlm/kernels/cpu/ops.py", "        and load() is None", "        and False"),
)
BROKEN = ("moevlm/kernels/cpu/step.h", "#pragma once", "#pragma once\n#error broken")


def launched(folder: Path, *edits: tuple[str, str, str]) -> PairedLaunch | Trouble:
    """Run one launch of this repository's package against a copy with edits."""
    shutil.copytree(ROOT / "moevlm", folder / "moevlm", ignore=shutil.ignore_patterns("__pycache__"))
    WrongChange(edits=edits).apply(folder)
    terms = LaunchTerms(
        project=Project(root=ROOT, package="moevlm", arguments=["--device=cpu", "--scale=tiny"]),
        base=Side(name="base", folder=ROOT),
        head=Side(name="head", folder=folder),
        number=0,
        known=Known(lambda: OwnTree(root=ROOT, node_ids={})),
        seed=0,
        budget_s=0.02,
    )
    (result,) = run_launch(terms, [DECODE])
    return result


def test_another_answer_is_changed_in_both_arms_with_its_size(tmp_path: Path) -> None:
    found = launched(tmp_path, SCALED)
    assert isinstance(found, Trouble)
    assert found.verdict is Verdict.CHANGED
    assert "moe: logits, sample" in found.why
    assert "dense: logits, sample" in found.why
    assert "of their length, 0.0001 is the bound for float32" in found.why


def test_another_order_of_all_sums_is_no_other_answer(tmp_path: Path) -> None:
    assert isinstance(launched(tmp_path, *TORCHS_SUMS), PairedLaunch)


def test_kernels_that_do_not_compile_on_head_are_its_failure_and_no_slowdown(tmp_path: Path) -> None:
    found = launched(tmp_path, BROKEN)
    assert isinstance(found, Trouble)
    assert found.verdict is Verdict.FAILED
    assert "head runs without cpu_kernels" in found.why
    assert "error: #error broken" in found.why
