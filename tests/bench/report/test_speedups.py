"""Speed-ups of the page: measured ones as the record's ratios, slices by a line, what gives none by name."""

import pytest

from bench.report.scenarios import of_record
from bench.report.speedups import extrapolated, largest_first, measured
from tests.bench.pages.sample_gains import PEAKS, scenario, sliced
from tests.bench.sample_records import record_of
from tests.bench.sample_records import scenario as plain


def test_a_measured_scenario_gives_its_ratio_at_its_batch() -> None:
    record = record_of(scenario(1.0, 3.0, batch=4, cost={"flops": 200.0, "bytes": 1.0}), peaks=PEAKS)
    (found,) = measured(of_record(record, 0, {}), ["machine"])
    assert (found.batch, found.against, found.machine) == (4, "dense", "machine")
    assert found.ratio == pytest.approx((3.0, 3.0, 3.0))
    assert found.floors == 1.0  # both arms have the same cost here
    assert list(found.axes) == ["scale", "workload", "routing", "seq_len"]


def test_another_project_s_code_is_a_peer_and_parts_and_anchors_are_none() -> None:
    arms = dict.fromkeys(("moe", "moe/router", "llama.cpp/dense", "anchor"), 1.0)
    record = record_of(plain(arms, params={"batch_size": 1}))
    (found,) = measured(of_record(record, 0, {}), [""])
    assert (found.against, found.is_peer) == ("llama.cpp/dense", True)


@pytest.mark.parametrize("params", [{}, {"batch_size": "natural"}])
def test_a_scenario_without_a_batch_gives_none(params: dict[str, str]) -> None:
    record = record_of(plain({"moe": 1.0, "dense": 2.0, "anchor": 1.0}, params=params))
    assert measured(of_record(record, 0, {}), [""]) == []


def test_a_page_begins_with_the_largest_scale_and_keeps_the_order_within_one() -> None:
    arms = {"moe": 1.0, "dense": 2.0, "anchor": 1.0}
    axes = [{"scale": scale, "batch_size": batch} for scale in ("tiny", "7b@2", "34b") for batch in (2, 1)]
    record = record_of(*(plain(arms, name=f"b[{number}]", params=one) for number, one in enumerate(axes)))
    found = largest_first(measured(of_record(record, 0, {}), [""]))
    assert [(one.axes["scale"], one.batch) for one in found] == [
        ("34b", 2), ("34b", 1), ("7b@2", 2), ("7b@2", 1), ("tiny", 2), ("tiny", 1),
    ]  # fmt: skip


def test_what_is_counted_gives_none() -> None:
    record = record_of(plain({"moe": 1.0, "dense": 2.0}, metric="peak_bytes", params={"batch_size": 1}))
    assert measured(of_record(record, 0, {}), [""]) == []


def test_slices_give_the_whole_model_by_the_line_through_them_and_nothing_of_their_own() -> None:
    """MoE 1 + 2 d, dense 1 + 5 d seconds: at 16 layers 33 and 81."""
    record = record_of(*sliced(1.0, (2.0, 5.0)), peaks=PEAKS)
    assert measured(of_record(record, 0, {}), [""]) == []
    (found,), dropped = extrapolated([record])
    assert found.depths == (1, 2, 4)
    assert found.ratio[0] == pytest.approx(81 / 33, rel=1e-3)
    assert found.axes["scale"] == "7b"
    assert dropped == []


def test_too_few_slices_are_named_with_the_reason() -> None:
    found, (dropped,) = extrapolated([record_of(*sliced(1.0, (2.0, 5.0))[:2], peaks=PEAKS)])
    assert found == []
    assert dropped.why == "measured at 1, 2 layers; a line needs 3"
