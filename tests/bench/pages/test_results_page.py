"""Tests of the answers' page: what it says with and without each part, and that the one in docs is up to date."""

import json
from pathlib import Path

import pytest
from msgspec import structs

from bench import __main__ as commands
from bench.harness.record import Launch, Scenario, seal
from bench.pages.pareto.documents import read_tiers
from bench.pages.results.cells import Request, Requests
from bench.pages.results.page import results_page
from bench.pages.write import page_text
from tests.bench.pages.sample_cells import cell, measured
from tests.bench.pages.sample_gains import PEAKS, arm, scenario, sliced
from tests.bench.pages.sample_layers import layers_scenario
from tests.bench.pages.sample_twins import document, entry
from tests.bench.sample_records import document as sample_record
from tests.bench.sample_records import record_of

ROOT = Path(__file__).parents[3]


def counts(documents: tuple[Path, ...]) -> list[tuple[object, ...]]:
    """Return the rows of the table of comparisons between kinds of models."""
    content = results_page({}, read_tiers(documents))
    return [tuple(_rounded(value) for value in row.values()) for row in content.tables["fares"]]


def _rounded(value: object) -> object:
    return round(value, 9) if isinstance(value, float) else value


def page(*scenarios: Scenario, documents: tuple[Path, ...] = (), device: str = "cpu") -> str:
    plain = record_of(*scenarios, peaks=PEAKS)
    record = record_of(*scenarios, peaks=PEAKS, kind={**plain.kind, "device": device})
    content = results_page({Path("docs/a.json"): record}, read_tiers(documents))
    return page_text(Path("docs/results.md"), content, "the command")


def test_a_scale_that_is_asked_for_is_answered_with_counts_factors_and_batches() -> None:
    cost = {"flops": 0.0, "bytes": 10.0}
    said = page(
        scenario(1.0, 6.0, cost=cost),
        scenario(1.0, 0.5, batch=8, cost=cost),
        scenario(1.0, 3.0, batch=2, cost=cost),
        scenario(1.0, 7.0, benchmark="bench_generate"),
    )
    assert (
        "- At 7b, times as fast as *dense* (dense of equal total parameters): 0.50 to 7.00, by its interval faster "
        "in 3 of 4 scenarios, slower in 1.\n"
    ) in said
    assert (
        "Times as fast as *dense*: 7b 6.00x [6.00, 6.00] at batch 1, 0.50x [0.50, 0.50] at batch 8, 1024 tokens."
        in said
    )
    assert "The ratio of the floors is 1.00; of its floor's speed the MoE reaches 1.00, *dense* 0.17 to 2.00." in said
    assert "| 7b | decode | 0.50x (8 x 1024) to 6.00x (1 x 1024) | all |" in said
    assert "| 7b | whole answers | 7.00x (1 x mmmu) | all |" in said
    assert "![Speed-up over batch size](images/results-speedups.svg)\n" in said
    assert "Extrapolated" not in said


def test_recycled_layers_say_how_many_were_distinct_and_what_recycling_changes() -> None:
    name = "bench_recycled[7b-b1-s640-decode]"
    times = {"moe": 1.0, "dense": 5.0, "moe/of4": 1.02, "dense/of4": 4.95, "anchor": 1.0}
    said = page(scenario(1.0, 6.0, distinct=4), Scenario(id=name, arms={k: arm(k, s, name) for k, s in times.items()}))
    assert "\nAt full depth, with the large weights of a few layers used in turn: 7b. Brackets" in said
    assert "| all, 4 distinct |" in said
    assert (
        "\nRecycled layers and lines take -1.0 to +2.0 % more time than whole models, by intervals -1.0 to +2.0 %, ["
        in said
    )
    assert "Extrapolated" not in said


def test_a_row_of_whole_and_of_recycled_models_names_both() -> None:
    said = page(scenario(1.0, 6.0), scenario(1.0, 3.0, distinct=4, rival="dense_active"))
    assert "| 7b | decode | 6.00x (1 x 1024) | 3.00x | all; all, 4 distinct |" in said


def test_a_sentence_tells_of_full_depth_where_one_machine_has_it() -> None:
    lines = [scenario(1 + depth, 1 + 5 * depth, depth=depth, batch=8) for depth in (1, 2, 4)]
    said = page(scenario(1.0, 3.0), *lines)
    assert "Times as fast as *dense*: 7b 3.00x [3.00, 3.00] at batch 1, 1024 tokens." in said


def test_a_scale_of_which_a_phase_alone_is_measured_whole_says_which() -> None:
    lines = [scenario(1 + depth, 1 + 2 * depth, depth=depth, benchmark="bench_prefill") for depth in (1, 2, 4)]
    said = page(scenario(1.0, 3.0), *lines)
    assert (
        "\nMeasured whole: 7b in decode. Extrapolated from a few layers of true width: 7b in prefill. Brackets" in said
    )


def test_several_launches_say_where_another_falls_and_how_often_one_did() -> None:
    def measured(*times: float) -> Scenario:
        one = scenario(1.0, 2.0)
        blocks = {"moe": [1.0] * len(times), "dense": times, "anchor": [1.0] * len(times)}
        made = {
            name: [Launch(id=f"l{i}", samples=(value, value), voided=0) for i, value in enumerate(values)]
            for name, values in blocks.items()
        }
        arms = {name: structs.replace(one.arms[name], launches=tuple(launches)) for name, launches in made.items()}
        return Scenario(id=one.id, arms=arms)

    said = page(measured(2.0, 2.1, 2.2, 2.15, 9.0))
    assert "Launches of a scenario: 5; where" in said
    assert "Of 2 launches after the third 1 (50.0 %) fell where the first three say." in said
    assert "after the third" not in page(measured(2.0, 2.1, 2.2))
    assert "Launches of a scenario" not in page(measured(2.0))


def test_what_is_extrapolated_says_so() -> None:
    said = page(*sliced(1.0, (0.5, 2.0)))
    assert "\nExtrapolated from a few layers of true width: 7b. Brackets" in said
    assert "| 1, 2, 4 (0.0 %) |" in said
    assert "*Overstated*" not in said


def test_each_rival_has_a_sentence_and_a_column() -> None:
    said = page(scenario(1.0, 2.0), scenario(1.0, 0.8, rival="dense_active"), scenario(1.0, 3.0, rival="mine"))
    assert "; *dense_active* (dense of equal active parameters): 0.80, faster in 0 of 1 scenario, slower in 1; " in said
    assert "; *mine*: 3.00, faster in 1 of 1 scenario, slower in 0.\n" in said
    assert "| as *dense_active* | as *mine* | layers (error) |\n|---|---|---|---|---|---|\n" in said


def test_other_scales_are_a_sentence_beside_those_asked_for_and_the_table_without_them() -> None:
    said = page(scenario(1.0, 2.0), scenario(1.0, 3.0, scale="proxy"))
    assert "Against *dense* at other scales: proxy 3.00. [Every scenario]" in said
    assert "| proxy |" not in said
    said = page(scenario(1.0, 3.0, scale="proxy"))
    assert "No record here holds 7b or 34b beside a dense model." in said
    assert "| proxy | decode | 3.00x (1 x 1024) | all |" in said
    assert "other scales" not in said


def test_what_gave_no_answer_is_counted() -> None:
    said = page(*sliced(1.0, (0.5, 2.0))[:2])
    assert "Without an answer: 1 scenario, [and why](tables/results-dropped.csv)." in said
    assert "| scale |" not in said
    assert "![" not in said


def test_layers_are_told_by_their_fastest_and_slowest() -> None:
    passes = [
        layers_scenario(routing="specialized:16", batch_size=batch, uniform={"layers": uniform_s, "experts": 1.0})
        for batch, uniform_s in ((1, 0.040), (16, 0.080))  # the pass under the profile takes 0.040 s
    ]
    assert (
        "takes, of its time under uniform routing, in decode 0.50 to 1.00 ([where, and why](specialization.md)).\n"
    ) in page(*passes)


def test_what_its_interval_leaves_open_is_certain_of_nothing() -> None:
    """Ratios from a half to two: their intervals hold 1."""
    spread = Launch(id="l", samples=(0.5, 0.7, 0.9, 1.1, 1.5, 2.0), voided=0)
    one = scenario(1.0, 1.0)
    dense = structs.replace(one.arms["dense"], launches=(spread,))
    said = page(Scenario(id=one.id, arms={**one.arms, "dense": dense}))
    assert "by its interval faster in 0 of 1 scenario, slower in 0.\n" in said


def test_accuracy_is_told_by_leads_by_what_is_certain_and_by_counts(tmp_path: Path) -> None:
    """Both intervals are +-2 points, so their difference is +-2.8."""
    twins = [
        {**one, "seed": seed}
        for one in (
            entry("dense", 0, 0.50),
            entry("smoes-attention", 0, 0.60, 50.0, num_parameters=1100),
            entry("plain", 0, 0.40, num_parameters=1100),
        )
        for seed in (0, 1)
    ]
    documents = (document(tmp_path, twins),)
    said = page(scenario(1.0, 2.0), documents=documents)
    assert "- **Measured** models, 1 k to 1.1 k parameters: the fastest" in said
    assert "is an MoE on 1 of 1 task (charts), at 1.00 times its requests/s. " in said
    assert "Told apart in accuracy: 3 of 3 comparisons.\n" in said
    assert "[Counted by kinds of models](tables/results-fares.csv)" in said
    total = "dense, about equal total parameters"
    assert counts(documents) == [
        ("measured SMoES", total, 1, 1, 0, 0, 0, 0.5, 0.5, "measured"),
        ("measured SMoES", "plain MoEs", 1, 1, 0, 0, 0, 0.5, 0.5, "measured"),
        ("measured plain MoEs", total, 1, 0, 1, 0, 0, 1.0, 1.0, "measured"),
    ]


def test_names_stay_what_they_are(tmp_path: Path) -> None:
    twins = [
        {**one, "seed": seed, "task": "a|b"}
        for one in (entry("dense", 0, 0.50), entry("smoes-<i>", 0, 0.60, num_parameters=1100))
        for seed in (0, 1)
    ]
    said = page(scenario(1.0, 2.0), documents=(document(tmp_path, twins),))
    assert "(`a`&#124;`b`), at" in said


def test_floors_are_named_where_they_predict_the_throughput(tmp_path: Path) -> None:
    shared = {"basis": "predicted", "source": "a report"}
    models = [
        {**entry("a-moe", 0, 0.60, 200.0), "size": "30B", "compared_with": ["4B"], **shared},
        {**entry("a-moe", 0, 0.60), "size": "4B", "num_active_parameters": 1000, **shared},
    ]
    for one in models:
        del one["seed"]
    path = tmp_path / "published.json"
    known = {"schema_version": 1, "tier": "published", "machine": "one", "workload": "some", "models": models}
    path.write_text(json.dumps(known))
    said = page(documents=(path,))
    assert "Told apart in accuracy: 0 of 1 comparison.\n" in said
    assert [(row[0], row[2:]) for row in counts((path,))] == [
        ("published plain MoEs", (1, 0, 0, 1, 0, 2.0, 2.0, "predicted"))
    ]


def test_without_records_of_a_part_the_page_says_so() -> None:
    said = page()
    assert "No document of accuracy and throughput was given." in said
    assert "No record here holds layers under specialized routing beside uniform." in said
    assert "**Nothing here has run on a GPU.**" in said
    assert "\n\n\n" not in said


def test_on_a_gpu_the_page_does_not_say_that_none_was_there() -> None:
    said = page(scenario(1.0, 2.0), device="cuda")
    assert "Nothing here has run on a GPU" not in said


def test_a_page_without_anything_to_draw_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    twins = document(tmp_path, [entry("dense", 0, 0.5), entry("plain", 0, 0.5)])
    assert commands.main(["results", str(twins), f"--out={tmp_path / 'r.md'}"]) == 0
    table = tmp_path / "tables" / "r-fares.csv"
    assert capsys.readouterr().out == f"written: {tmp_path / 'r.md'}\nwritten: {table}\n"
    assert not (tmp_path / "images").exists()


def test_what_gave_no_answer_is_a_table_that_the_page_links_to(tmp_path: Path) -> None:
    record = sample_record()
    for one in record["benchmarks"]:
        one["extra_info"]["moevlm"]["facts"] = {"depth": 1, "full_depth_moe": 16, "full_depth_dense": 16}
    path = tmp_path / "record.json"
    path.write_text(json.dumps(seal(record)))
    assert commands.main(["results", str(path), f"--out={tmp_path / 'r.md'}"]) == 0
    assert "2 scenarios, [and why](tables/r-dropped.csv)" in (tmp_path / "r.md").read_text()
    dropped = (tmp_path / "tables" / "r-dropped.csv").read_text()
    assert "bench_decode[tiny-b1],dense,measured at 1 layers; a line needs 3" in dropped


def test_cells_that_no_record_holds_are_predicted_marked_and_checked() -> None:
    record = record_of(measured(1, 1024, (2.0, 5.0)), measured(8, 1024, (1.25, 8.0)), peaks=PEAKS)
    cells = {"float32": [cell(1, 1024), cell(8, 1024), cell(512, 1024)]}
    content = results_page({Path("docs/a.json"): record}, {}, cells)
    said = page_text(Path("docs/results.md"), content, "the command")
    assert "| 7b, decode | 1 | 8 | 512 |\n|---|---|---|---|\n" in said
    assert "| 1024 tokens | 2.50x | 6.40x | *6.40x* |\n" in said
    assert "are off by 108.5 %, at most 156.0 %" in said
    assert "([every predicted cell](tables/results-predicted.csv))." in said
    assert "predicted" not in page(measured(1, 1024, (2.0, 5.0)))


def both_phases(**fields: object) -> list[Scenario]:
    """Return prefills of 2 and 5 s and steps of 0.2 and 1.4 s, of one request and of eight."""
    return [
        measured(batch, length, times, benchmark=name, **fields)
        for name, times in (("bench_prefill", (2.0, 5.0)), ("bench_decode", (0.2, 1.4)))
        for batch in (1, 8)
        for length in (512, 1024)
    ]


def requests(*drawn: tuple[int, int, int], workload: str = "mathvista-cot") -> Requests:
    work = {"flops": 0.0, "bytes": 0.0}
    return Requests(
        scale="7b", workload=workload, drawn=tuple(Request(*one) for one in drawn), tile={"moe": work, "dense": work}
    )


def test_answers_are_composed_for_the_least_and_the_greatest_batch_and_say_so() -> None:
    record = record_of(*both_phases(), peaks=PEAKS)
    names = ("mmmu", "mmmu-anyres", "chartqa")
    known = [requests((512, 1, 1), (512, 1, 11)), *(requests((512, 1, 1), workload=name) for name in names)]
    content = results_page({Path("docs/a.json"): record}, {}, {}, known)
    said = page_text(Path("docs/results.md"), content, "the command")
    assert "**Composed** [answers](tables/results-answers.csv), TTFT + (tokens out - 1) x TPOT, over 2 requests" in said
    assert "float32, 1 thread; MoE" in said
    mathvista, mmmu = (line for line in said.splitlines() if line.startswith("| 7b, ") and " at 1 " in line)
    assert mathvista == (
        "| 7b, mathvista-cot | 512, 6 | 4.00x [4.00, 4.00] at 1 | 3.00 / 12.0 | 3.90 / 18.3 | "
        "4.00x at 8 | 2.67 / 0.667 |"
    )
    assert mmmu.startswith("| 7b, mmmu | 512, 1 | 2.50x [2.50, 2.50] at 1 |")
    assert len(content.tables["answers"]) == 8
    assert "Composed" not in page(*both_phases())


def test_answers_measured_whole_tell_how_far_composed_speedups_are_off() -> None:
    whole = scenario(3.5, 12.0, benchmark="bench_generate", rates={"req_per_s": 1, "total_tok_per_s": 512 + 11})
    arms = {name: structs.replace(one, facts={"num_output_tokens": 11}) for name, one in whole.arms.items()}
    said = page(*both_phases(), Scenario(id=whole.id, arms=arms))
    # composed: 2 + 10 x 0.2 and 5 + 10 x 1.4, 4.75 times as fast; measured 12 / 3.5
    assert (
        "TPOT are off by 38.5 %, at most 38.5 %, of 1 answer measured whole ([each](tables/results-composition.csv))."
        in said
    )


def test_cells_that_a_record_gives_up_say_why() -> None:
    record = record_of(
        measured(1, 1024, (2.0, 5.0)),
        measured(8, 1024, (1.25, 8.0)),
        peaks=PEAKS,
        not_fitting=({"scenario": "bench_drawn_decode[7b@of4-b64-s1024]", "reason": "too long: by its floors"},),
    )
    content = results_page({Path("docs/a.json"): record}, {}, {"float32": [cell(64, 1024), cell(32, 1024)]})
    assert [one.why for one in content.tables["predicted"]] == ["too long: by its floors", ""]
