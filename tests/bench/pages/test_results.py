"""Tests of the answers' page: gains of whole and of sliced models, and sentences that follow from them."""

import re
from pathlib import Path

import pytest

from bench import __main__ as commands
from bench.harness.environment import kind_key
from bench.harness.record import ArmSeries, Launch, Scenario
from bench.pages.results.gains import Gain, gains_of
from bench.pages.results.page import page
from bench.pages.results.sentences import trends
from bench.pages.results.tables import speedup_rows, workload_rows
from tests.bench.pages.sample_layers import layers_scenario
from tests.bench.sample_records import FINGERPRINT, record_of

PEAKS = {"matmul_flop_per_s": 100.0, "copy_byte_per_s": 10.0}
BLOCKS = (0.99, 1.0, 1.0, 1.0, 1.0, 1.01)


def arm(name: str, seconds: float, scenario: str, **fields: object) -> ArmSeries:
    plain = {
        "metric": "tpot_s",
        "num_units": 1,
        "anchor": "dispatch",
        "rates": {"output_tok_per_s": 2.0},
        "params": {"scale": "7b", "workload": "mmmu", "batch_size": 1, "seq_len": 1024},
        "hashes": {},
        "cost": None,
        "facts": {},
    }
    launch = Launch(id="l", samples=tuple(seconds * factor for factor in BLOCKS), voided=0)
    return ArmSeries(scenario=scenario, arm=name, launches=(launch,), **{**plain, **fields})  # type: ignore[arg-type]


def scenario(
    moe_s: float, dense_s: float, *, name: str = "bench_decode[7b-b1]", batch: int = 1, depth: int = 0, **fields: object
) -> Scenario:
    scale = f"7b@{depth}" if depth else "7b"
    params = {"scale": scale, "workload": "mmmu", "routing": "uniform", "batch_size": batch, "seq_len": 1024}
    facts = {"depth": depth, "full_depth_moe": 16, "full_depth_dense": 16} if depth else {}
    name = name.replace("7b", scale).replace("b1]", f"b{batch}]")
    seconds = {"moe": moe_s, "dense": dense_s, "anchor": 1.0}
    arms = {one: arm(one, value, name, params=params, facts=facts, **fields) for one, value in seconds.items()}
    return Scenario(id=name, arms=arms)


def sliced(offset: float, slopes: tuple[float, float]) -> list[Scenario]:
    return [scenario(offset + slopes[0] * depth, offset + slopes[1] * depth, depth=depth) for depth in (1, 2, 4)]


def gains(*scenarios: Scenario) -> list[Gain]:
    return gains_of([record_of(*scenarios, peaks=PEAKS)]).gains


def test_a_whole_model_gives_its_gain_as_it_is() -> None:
    (gain,) = gains(scenario(2.0, 5.0))
    assert gain.speedup == pytest.approx((2.5, 2.5, 2.5))
    assert gain.depths == ()
    assert gain.rate("moe") == "1.00 tok/s"


def test_slices_are_extrapolated_to_full_depth_and_then_divided() -> None:
    (gain,) = gains(*sliced(1.0, (0.5, 2.0)))
    assert gain.scale == "7b"
    assert gain.seconds == pytest.approx({"moe": 1.0 + 8.0, "dense": 1.0 + 32.0})
    assert gain.speedup.estimate == pytest.approx(33.0 / 9.0)
    assert gain.speedup.low <= gain.speedup.estimate <= gain.speedup.high
    assert gain.depths == (1, 2, 4)
    assert gain.check_error == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "dtype", "mark"),
    [
        ("bench_prefill[7b-b1]", "float32", " †"),
        ("bench_generate[7b-b1]", "float32", " †"),
        ("bench_decode[7b-b1]", "float32", ""),
        ("bench_prefill[7b-b1]", "bfloat16", ""),
    ],
)
def test_what_a_faster_dense_model_would_lower_is_marked_wherever_it_stands(name: str, dtype: str, mark: str) -> None:
    kind = kind_key({**FINGERPRINT, "dtype": dtype})
    found = gains_of([record_of(scenario(2.0, 5.0, name=name), peaks=PEAKS, kind=kind)]).gains
    shown = f"2.50x [2.50, 2.50]{mark}"
    assert shown in {cell for row in (*speedup_rows(found), *workload_rows(found)) for cell in row}
    assert all(f"{shown} as fast" in said for said in trends(found))


def test_on_a_gpu_nothing_is_known_to_be_overstated() -> None:
    kind = kind_key({**FINGERPRINT, "device": "cuda"})
    (gain,) = gains_of([record_of(scenario(2.0, 5.0, name="bench_prefill[7b-b1]"), peaks=PEAKS, kind=kind)]).gains
    assert not gain.is_overstated


def test_too_few_depths_or_no_line_give_no_gain() -> None:
    assert gains(*sliced(1.0, (0.5, 2.0))[:2]) == []
    bent = [scenario(1.0, 1.0, depth=1), scenario(5.0, 5.0, depth=2), scenario(2.0, 2.0, depth=4)]
    assert gains(*bent) == []
    dropped = gains_of([record_of(*bent, peaks=PEAKS)]).dropped
    assert [(one.scenario, one.against) for one in dropped] == [("bench_decode[7b-b1]", "dense")]
    assert "no line" in dropped[0].why


def test_depths_may_lie_in_several_records_of_one_machine() -> None:
    one, two, four = (record_of(scenario, peaks=PEAKS) for scenario in sliced(1.0, (0.5, 2.0)))
    assert len(gains_of([one, two, four]).gains) == 1
    other = {**two.kind, "device_model": "Other"}
    assert gains_of([one, record_of(*two.scenarios.values(), peaks=PEAKS, kind=other), four]).gains == []


def test_of_a_scenario_in_several_records_the_last_counts() -> None:
    old, new = (record_of(scenario(1.0, dense), peaks=PEAKS) for dense in (2.0, 3.0))
    (gain,) = gains_of([old, new]).gains
    assert gain.speedup.estimate == pytest.approx(3.0)


def test_single_layers_are_told_apart_from_whole_passes() -> None:
    uniform = {"layers": 0.080, "experts": 0.060}
    record = record_of(layers_scenario(routing="specialized:16", uniform=uniform))
    found = gains_of([record])
    assert (found.gains, found.dropped) == ([], [])
    said = page({Path("layers.json"): record}, found, {}, [Path("x.svg"), Path("x.png")], "the command")
    assert "640 tokens, specialized:16: 0.50x [0.50, 0.50] at batch 8" in said
    assert "![Speed-up over batch size](x.svg)\n\n[PNG](x.png)\n" in said


def test_the_floors_ratio_and_share_are_of_the_slower_resource() -> None:
    moe, dense = scenario(2.0, 5.0).arms["moe"], scenario(2.0, 5.0).arms["dense"]
    costs = {
        "moe": {"flops": 50.0, "bytes": 10.0},
        "dense": {"flops": 50.0, "bytes": 40.0},
    }  # 1 s of bytes, 4 s of bytes
    arms = {one: arm(one, s, "bench_decode[7b-b1]", cost=costs[one]) for one, s in (("moe", 2.0), ("dense", 5.0))}
    anchor = scenario(2.0, 5.0).arms["anchor"]
    assert (moe.cost, dense.cost) == (None, None)
    (gain,) = gains(Scenario(id="bench_decode[7b-b1]", arms={**arms, "anchor": anchor}))
    assert gain.predicted == pytest.approx(4.0)
    assert gain.floor_share == pytest.approx({"moe": 0.5, "dense": 0.8})


def test_a_floor_is_that_of_the_peaks_of_its_own_run() -> None:
    cost = {"flops": 0.0, "bytes": 10.0}  # 1 s at PEAKS
    fast = {name: 2 * value for name, value in PEAKS.items()}
    records = [
        record_of(scenario(2.0, 5.0, batch=1, cost=cost), peaks=PEAKS),
        record_of(scenario(2.0, 5.0, batch=8, cost=cost), peaks=fast),
    ]
    assert [gain.floor_share["moe"] for gain in gains_of(records).gains] == pytest.approx([0.5, 0.25])


def test_the_floor_adds_up_parts_whose_work_grows_with_the_depth() -> None:
    def slice_of(depth: int) -> Scenario:
        parts = [[50.0, 1.0], [10.0 * depth, 5.0 * depth]]  # 0.5 s of FLOPs; depth times 0.5 s of bytes
        cost = {"flops": 50.0 + 10.0 * depth, "bytes": 1.0 + 5.0 * depth, "parts": parts}
        return scenario(1.0 + depth, 1.0 + depth, depth=depth, cost=cost)

    (gain,) = gains(*map(slice_of, (1, 2, 4)))
    assert gain.floor_share == pytest.approx({"moe": 8.5 / 17.0, "dense": 8.5 / 17.0})


def test_peers_and_counted_scenarios_have_no_gain() -> None:
    one = scenario(2.0, 5.0)
    peer = Scenario(id=one.id, arms={**one.arms, "transformers/eager": one.arms["dense"]})
    assert [gain.against for gain in gains(peer)] == ["dense"]
    counted = Scenario(id=one.id, arms={name: series for name, series in one.arms.items() if name != "anchor"})
    assert gains(counted) == []


def test_a_trend_names_the_first_batch_the_worst_and_those_without_a_gain() -> None:
    found = gains(scenario(1.0, 6.0), scenario(1.0, 1.05, batch=8), scenario(1.0, 1.5, batch=32))
    (said,) = trends(found)
    assert said.startswith("**7b, decode**, 1024 tokens, uniform routing, against dense: 6.00x [6.00, 6.00]")
    assert "least 1.05x" in said
    assert said.endswith("below 1.1 at batch 8.")


def test_a_trend_over_slices_says_so() -> None:
    (said,) = trends(gains(*sliced(1.0, (0.5, 2.0))))
    assert "measured at this batch alone; extrapolated from 1, 2, 4 layers" in said


def test_rows_are_in_order_of_scale_phase_and_batch() -> None:
    found = gains(scenario(1.0, 1.5, batch=32), scenario(1.0, 6.0))
    assert [row[4] for row in speedup_rows(found)] == ["1", "32"]


def test_answers_have_a_table_of_their_own() -> None:
    found = gains(scenario(1.0, 2.0, name="bench_generate[7b-b1]"))
    assert speedup_rows(found) == []
    assert workload_rows(found)[0][:4] == ("7b", "mmmu", "1", "dense")


def test_the_page_in_docs_is_what_its_command_writes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    monkeypatch.chdir(root)
    kept = (root / "docs" / "results.md").read_text()
    command = re.search(r"`python -m bench (results .*?)`", kept)
    assert command, "the page names its command"
    arguments = command[1].split()
    out = tmp_path / "results.md"
    arguments[arguments.index("--out") + 1] = str(out)
    assert commands.main(arguments) == 0
    assert out.read_text().replace(str(out), "docs/results.md") == kept
    for image in ("speedups.svg", "speedups-light.svg", "speedups-dark.svg"):
        assert (tmp_path / "images" / image).read_bytes() == (root / "docs" / "images" / image).read_bytes()


def test_a_record_that_is_not_there_ends_13(tmp_path: Path) -> None:
    assert commands.main(["results", str(tmp_path / "none.json"), f"--out={tmp_path / 'r.md'}"]) == 13
