"""Documents of scored models: what is none is refused with what is missing, and two machines are never compared."""

from pathlib import Path
from typing import Any

import pytest

from bench.pages.pareto.documents import read_tiers
from bench.pages.pareto.page import pareto_page
from bench.pages.write import page_text
from tests.bench.pages.sample_twins import MACHINE, document, entry


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "schema_version must be 1, got 2"),
        ({"tier": "guessed"}, "tier must be one of measured, published, supplied, got 'guessed'"),
        ({"twins": []}, "twins must hold at least one, got none"),
        ({"twins": [{"task": "charts"}]}, r"twins\[0\] must have variant, got no variant"),
    ],
)
def test_what_is_no_document_is_refused_by_name(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = document(tmp_path, [entry("dense", 0, 0.5)], **change)
    with pytest.raises(ValueError, match="twins.json: .*" + message):
        read_tiers([path])


def test_a_machine_that_does_not_say_what_it_is_is_refused(tmp_path: Path) -> None:
    path = document(tmp_path, [entry("dense", 0, 0.5)], machine={"os": "Linux"})
    with pytest.raises(ValueError, match=r"twins\.json: machine must have device_model, got no device_model"):
        read_tiers([path])


def test_other_json_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match="must have schema_version"):
        read_tiers([path])
    path.write_text("[1]")
    with pytest.raises(ValueError, match=r"must be object, got \[1\]; write it again"):
        read_tiers([path])


def test_two_machines_are_not_compared(tmp_path: Path) -> None:
    twins = [entry("dense", 0, 0.5)]
    paths = [document(tmp_path, twins), document(tmp_path, twins, "b.json", machine={**MACHINE, "device_model": "B"})]
    with pytest.raises(
        ValueError, match=r"measured documents of charts must be of one machine, .* Acme, float32, 1 thread in"
    ):
        read_tiers(paths)


def test_tasks_may_be_of_several_machines_and_workloads_for_no_front_has_both(tmp_path: Path) -> None:
    other = [entry("dense", 0, 0.5, task="documents"), entry("plain", 0, 0.6, task="documents")]
    paths = [
        document(tmp_path, [entry("dense", 0, 0.5)], workload="one at a time"),
        document(tmp_path, other, "b.json", machine={**MACHINE, "device_model": "B"}, workload="batches"),
    ]
    tier = read_tiers(paths)["measured"]
    assert [point.task for point in tier.points] == ["charts", "documents", "documents"]
    assert [(origin.machine[:4], origin.workload, origin.paths) for origin in tier.origins] == [
        ("Acme", "one at a time", (paths[0],)),
        ("B, f", "batches", (paths[1],)),
    ]
    assert tier.origin("documents") is tier.origins[1]
    page = page_text(tmp_path / "page.md", pareto_page({"measured": tier}), "the command")
    assert " Workload of charts: one at a time. Workload of documents: batches.\n" in page
