"""A comparison of base and head of any size, for tests of size: the same each time."""

from dataclasses import replace

from bench.gate.ab.launches import PairedLaunch
from bench.gate.ab.profile import OperationChange, ScenarioProfile
from bench.gate.ab.result import Comparison
from bench.gate.ab.verdicts import Judgement
from bench.gate.verdict import ScenarioVerdict, Verdict
from tests.bench.gate.test_comment import change, comparison_of, launch

NOTES, PROFILES = 1_000, 5


def large_comparison(*, scenarios: int, launches: int, changes: int) -> Comparison:
    """Return a comparison of which so many scenarios regressed and answer otherwise, the last of them the most.

    Args:
        scenarios: in groups of a hundred.
        launches: of the first scenario; the others have one.
        changes: also so many operations changed in each profile.
    """
    names = [f"bench_step_{number // 100}[tiny-mmmu-uniform-b1-s{number}]" for number in range(scenarios)]
    said = [_said(name, i, is_slow=i < changes) for i, name in enumerate(names)]
    groups = [_said(f"step {i} at tiny", i, is_slow=i % 2 == 0) for i in range(scenarios // 100)]
    operations = [OperationChange(operation=f"aten::{i}", on="CPU", base_s=1.0, head_s=2.0) for i in range(changes)]
    return comparison_of(
        launches=[
            *(_measured(name, i, changed="moe: differs" if i < changes else "") for i, name in enumerate(names)),
            *(_measured(names[0], i, changed="") for i in range(1, launches)),
        ],
        judgement=Judgement(scenarios=said, groups=groups, evidence=None),
        profiles=[ScenarioProfile(scenario=name, arm="moe", changes=operations) for name in names[:PROFILES]],
        notes=[f"note {number}" for number in range(NOTES)],
        accept_answers="a new epsilon",
    )


def _said(name: str, number: int, *, is_slow: bool) -> ScenarioVerdict:
    moved = (change("moe", 1.0 + number / 100, 0.5, 1.0), change("dense", 0.1, 0.5, 1.0))
    verdict, why = (Verdict.REGRESSED, f"why {number}") if is_slow else (Verdict.OK, "")
    return ScenarioVerdict(scenario=name, verdict=verdict, why=why, changes=moved)


def _measured(name: str, number: int, *, changed: str) -> PairedLaunch:
    paired = launch(name, (1.0, 1.0), (1.0, 1.0), batch_size=str(number % 50), seq_len=str(number))
    return replace(paired, changed=changed)
