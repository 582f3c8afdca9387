"""Tests of the page about layers: multiples of uniform routing by hand, and the sentences that follow from them."""

import re
from pathlib import Path

import pytest

from bench import __main__ as commands
from bench.harness.record import Scenario
from bench.pages.layers.page import page
from bench.pages.layers.routing import routing_table
from bench.pages.layers.sentences import changes, crossings, fusing, predictions, sums
from bench.pages.layers.times import LayerTimes, read_layers
from bench.pages.plots.layers import LAYER_FIGURES
from tests.bench.pages.sample_layers import FACTS, layers_scenario
from tests.bench.sample_records import record_of

ROOT = Path(__file__).parents[3]
BESIDE = {
    "layers": 0.080,
    "experts": 0.025,
}  # seconds under uniform routing, where the steered ones take 0.040 and 0.020


def steered(**fields: object) -> Scenario:
    return layers_scenario(dense=False, uniform=BESIDE, **fields)  # type: ignore[arg-type]


def uniform(*, slowdown: float = 1.0) -> Scenario:
    facts = {**FACTS, "msi": 0.1, "distinct_experts": 48.0, "expected_distinct_experts": 50.0, "crossing_bins": 0.9}
    return layers_scenario(routing="uniform", facts=facts, dense=False, slowdown=slowdown)


def layers(*scenarios: Scenario) -> list[LayerTimes]:
    return read_layers([record_of(one) for one in scenarios])


def test_a_steered_layer_is_a_multiple_of_its_own_time_under_uniform_routing() -> None:
    """The uniform scenario of another launch, five times as slow, has no part in it."""
    headers, rows = routing_table(layers(steered(), uniform(slowdown=5.0)))
    assert headers[5:] == ("uniform", "specialized:2")
    layer, experts, hit = rows
    assert layer[:5] == ("7b, 2 of 16 layers", "decode", "8", "640", "all of it")
    assert layer[5:] == ("100 ms [100 ms, 100 ms]", "0.50x [0.50, 0.50]")
    assert experts[:6] == ("", "", "", "", "its experts", "50.0 ms [50.0 ms, 50.0 ms]")
    assert experts[6] == "0.80x [0.80, 0.80]"
    assert hit[4:] == ("experts hit", "48.0", "40.0")


def test_without_it_the_ratio_of_two_measurements_is_marked() -> None:
    _, rows = routing_table(layers(layers_scenario(dense=False), uniform(slowdown=2.0)))
    assert rows[0][5:] == ("40.0 ms [40.0 ms, 40.0 ms]", "~0.50x [0.50, 0.50]")


def test_without_either_a_time_stands_alone() -> None:
    _, rows = routing_table(layers(layers_scenario(dense=False)))
    assert rows[0][5:] == ("20.0 ms [20.0 ms, 20.0 ms]",)


def test_the_change_is_told_of_the_most_specialized_profile_by_batch() -> None:
    hard = {**FACTS, "msi": 1.0}
    said = changes(
        layers(
            *(steered(), steered(routing="specialized:16", facts=hard)),
            layers_scenario(routing="specialized:16", facts=hard, batch_size=1, dense=False, uniform={"layers": 0.040}),
        )
    )
    assert said == [
        "**7b, 2 of 16 layers, decode**, 640 tokens, specialized:16: 1.00x [1.00, 1.00] at batch 1, "
        "0.50x [0.50, 0.50] at batch 8; the interval leaves 1 out at batch 8."
    ]
    assert changes(layers(uniform())) == []
    assert changes(layers(layers_scenario(dense=False)))[0].endswith("not measured beside uniform routing.")


def test_measured_is_held_against_predicted() -> None:
    """10 ms measured; 16 MB for 40 of 50 experts in two layers make 10 ms at 1 GB/s, for 48 of 50 8.33 ms."""
    assert predictions(layers(steered(), uniform())) == [
        "**7b, 2 of 16 layers, decode**: the experts take 1.00 to 1.20 times what is predicted (2 passes)."
    ]


def test_sums_count_passes_and_name_those_that_do_not_add_up() -> None:
    said = sums(layers(steered(), layers_scenario(seq_len=1024)))  # the dense arm's parts add up, an MoE's make 0.85
    assert said[0] == (
        "Of 3 passes (arms and scenarios), the parts to their layer sum to 0.85 to 1.00; "
        "1 lies within the interval in 1."
    )
    assert [one.partition(": ")[0] for one in said[2:]] == ["Does not add up"] * 2


def test_fusing_and_crossing_are_told_by_phase_and_preset() -> None:
    assert fusing(layers(steered())) == ["decode: 1.50 to 1.50 times as long run apart."]
    assert crossings(layers(steered(), uniform())) == [
        "**7b**: 90.0 % under uniform (MSI 0.10), 30.0 % under specialized:2 (MSI 0.50)."
    ]


def test_a_page_says_what_is_absent() -> None:
    said = page({Path("one.json"): record_of(steered())}, "the command")
    assert "Written by `the command`" in said
    assert "Nothing of this is in the records." in said.partition("Measured with several processes")[2]
    assert "$" not in said


def test_the_page_in_docs_is_what_its_command_writes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    kept = (ROOT / "docs" / "specialization.md").read_text()
    command = re.search(r"`python -m bench (layers .*?)`", kept)
    assert command, "the page names its command"
    arguments = command[1].split()
    out = tmp_path / "specialization.md"
    arguments[arguments.index("--out") + 1] = str(out)
    assert commands.main(arguments) == 0
    assert out.read_text().replace(str(out), "docs/specialization.md") == kept
    for figure in LAYER_FIGURES:
        drawn = Path("images") / f"{figure}.svg"
        assert (tmp_path / drawn).read_bytes() == (ROOT / "docs" / drawn).read_bytes()


def test_records_without_layers_are_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"must hold scenarios of bench_layers, got none; run pytest bench/bench_layers"
    ):
        page({tmp_path: record_of()}, "")
