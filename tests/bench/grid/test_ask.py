"""Tests of the answer to one question: what is measured is told as measured, the rest as predicted, and what lacks."""

from pathlib import Path

import pytest

from bench.grid.ask import Asked, answers, main
from bench.harness.record import Record
from bench.pages.results.cells import Request, Requests
from tests.bench.pages.sample_cells import cost, measured
from tests.bench.pages.sample_gains import PEAKS
from tests.bench.sample_records import record_of

KEPT = Path(__file__).parents[3] / "docs" / "records"
TILE = {"moe": cost(0.1), "dense": cost(0.1)}
GIVEN_UP = {"scenario": "bench_prefill[7b@of4-b4-s1024]", "reason": "too long: by its floors"}


def record(**fields: object) -> Record:
    places = [(benchmark, batch) for benchmark in ("bench_prefill", "bench_decode") for batch in (1, 8)]
    return record_of(
        *(measured(batch, 1024, (2.0, 8.0), benchmark=name) for name, batch in places), peaks=PEAKS, **fields
    )


def said(**fields: object) -> list[str]:
    requests = Requests(
        scale=str(fields.get("scale", "7b")),
        workload="chartqa",
        drawn=(Request(fields.get("seq_len", 1024), 1, 1),),
        tile=TILE,
    )
    plain = {"scale": "7b", "against": "dense", "routing": "uniform", "batch_size": 8, "seq_len": 1024}
    return list(answers([record(not_fitting=(GIVEN_UP,))], Asked(**{**plain, "requests": requests, **fields})))  # type: ignore[arg-type]


def test_what_is_measured_is_told_with_its_interval_and_scenario() -> None:
    lines = said()
    assert lines[0] == "7b beside dense on Acme(R) Core 6-1-2 avx2, float32, 1 thread: chartqa, uniform routing"
    assert lines[1] == "composed of TTFT and TPOT, 1 request in batches of 8, median 1,024 tokens in and 1 out"
    assert lines[2].startswith("as fast as dense: 4.00x [4.00, 4.00]")
    assert lines[3] == "requests/s: 4.00 req/s, dense 1.00 req/s"
    assert lines[4] == "MoE: TTFT p50 2.00 s, p95 2.00 s; end to end p50 2.00 s, p95 2.00 s"
    assert lines[6] == "TTFT is measured: bench_prefill[7b-b8-s1024], 1 launch"
    assert len(lines) == 7


def test_what_is_not_measured_is_told_as_predicted_and_from_what() -> None:
    lines = said(batch_size=2, routing="paper-smoes")
    assert lines[0].endswith("chartqa, paper-smoes routing")
    assert lines[6] == "TTFT is predicted: floors over the shares of 1 x 1024"
    assert said(batch_size=4)[6] == "TTFT is predicted: floors over the shares of 8 x 1024; too long: by its floors"


def test_a_length_that_is_asked_for_is_predicted_as_it_is_and_not_between_others() -> None:
    assert said(seq_len=1500)[6] == "TTFT is predicted: floors over the shares of 8 x 1024"


@pytest.mark.parametrize("fields", [{"scale": "34b"}, {"against": "dense_active"}])
def test_without_records_it_says_which_there_are(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"got 7b decode beside dense, 7b prefill beside dense; name others"):
        said(**fields)


def test_a_routing_that_no_formula_counts_must_be_measured() -> None:
    with pytest.raises(ValueError, match=r"under weights routing, got 7b decode"):
        said(routing="weights")


def test_the_kept_records_answer_for_34b_and_say_that_it_is_predicted(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--scale=34b", "--batch-size=8", "--seq-len=2048", "--workload=mathvista-cot", "--routing=paper-smoes"]
    main([*asked, *map(str, sorted(KEPT.glob("grid-*-cpu.json")))])
    text = capsys.readouterr().out
    assert "34b beside dense on " in text
    assert ": mathvista-cot, paper-smoes routing\n" in text
    assert "TTFT is predicted: floors over the shares of " in text
    assert "(extrapolated through 1, 2, 4 layers)" in text
    assert "4 answers measured whole: speed-ups composed so are off by " in text


@pytest.mark.parametrize(
    "argument", ["--scale=9b", "--workload=vqa", "--seq-len=none", "--against=moe", "--routing=soft"]
)
def test_what_there_is_not_is_refused_with_what_there_is(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--scale=34b", "--workload=mmmu", argument])
    assert "must be" in capsys.readouterr().err


def test_a_length_without_room_for_an_image_is_refused() -> None:
    with pytest.raises(ValueError, match="--seq-len must be at least 578, 576 image tokens and 2 of text, got 577"):
        main(["--scale=34b", "--workload=mmmu", "--seq-len=577", *map(str, KEPT.glob("grid-decode-cpu.json"))])
