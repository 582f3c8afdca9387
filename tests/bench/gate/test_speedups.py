"""MoE against dense on either side of a change, by hand-computed numbers."""

from bench.gate.ab.launches import PairedLaunch
from bench.gate.speedups import speedup_rows


def launch(scenario: str, moe: tuple[float, float], dense: tuple[float, float], **about: object) -> PairedLaunch:
    arms = {"moe": ([moe[0]] * 3, [moe[1]] * 3), "dense": ([dense[0]] * 3, [dense[1]] * 3)}
    terms = {
        "is_placebo": False,
        "counted": False,
        "sign": 1.0,
        "params": {"scale": "tiny", "batch_size": "1"},
        **about,
    }
    return PairedLaunch(scenario=scenario, arms=arms, **terms)  # type: ignore[arg-type]


def test_a_row_is_the_geometric_mean_of_its_scenarios_on_either_side() -> None:
    rows = speedup_rows([launch("bench_x[a]", (1.0, 2.0), (2.0, 2.0)), launch("bench_x[b]", (1.0, 1.0), (8.0, 4.0))])
    assert rows == [("x", "tiny", "1", "", "2", "4.00x", "2.00x", "-50.0 %")]


def test_placebos_and_what_cannot_be_divided_are_left_out() -> None:
    assert speedup_rows([launch("bench_x[a]", (1.0, 1.0), (2.0, 2.0), is_placebo=True)]) == []
    assert speedup_rows([launch("bench_x[a]", (0.0, 0.0), (2.0, 2.0))]) == []


def test_a_share_is_no_ratio() -> None:
    assert (
        speedup_rows([launch("bench_x[a]", (0.8, 0.8), (0.7, 0.7), counted=True, sign=-1.0, metric="accuracy")]) == []
    )
