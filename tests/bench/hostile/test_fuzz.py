"""Whatever a file holds, its command ends by a documented code, and believes nothing that the schema forbids.

Documents are changed where they have structure, and their bytes anywhere; the same cases each time. What may be
believed is said apart from the readers, in schemas.py.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from bench.harness import record
from bench.pages.drawing import Drawing
from tests.bench.hostile.mutations import mutated, spoiled, swept
from tests.bench.hostile.readers import READERS, a_baseline
from tests.bench.large_records import commit_promotions
from tests.bench.sample_records import BASELINE_NAME, changed, document

FEW, MANY = 13, 130  # cases of each reader: 234, and 2,340 where a test may take its time
REFUSED = (4, 14)
SWEPT = (  # one for each form; of a bundle also with all that fits the record
    "report of a record", "history of a ledger", "pareto of a front", "results of cells", "twins of a document",
    "campaign of a plan", "qualify of suites", "reproduce of a bundle", "reproduce of a record", "ab's tolerances",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in a clone, with a promoted baseline and a run."""
    found = commit_promotions(tmp_path_factory.mktemp("clone"), BASELINE_NAME, promotions=1, scenarios=1, blocks=3)
    record.write(found / BASELINE_NAME, a_baseline())
    record.write(found / "run.json", document())
    return found


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the figures, which take most of the time."""
    monkeypatch.setattr(Drawing, "save", lambda _self, path: path.parent.mkdir(parents=True, exist_ok=True))
    monkeypatch.setattr("bench.commands.history.draw_history", lambda series, _path: list(series))


def ends(name: str, content: bytes, folder: Path) -> int:
    """Run a reader's command on some bytes; return its code, which must be a documented one."""
    reader = READERS[name]
    path = folder / reader.name
    before = path.read_bytes() if path.exists() else None
    path.write_bytes(reader.wrap(content))
    try:
        code = reader.run([word.format(path=path, folder=folder) for word in reader.arguments])
    finally:
        path.unlink() if before is None else path.write_bytes(before)
        shutil.rmtree(folder / "out", ignore_errors=True)
    assert code in reader.codes, content[:2000]
    return code


def check(name: str, content: bytes, folder: Path) -> None:
    """Run a reader's command; where it refused nothing, hold the content against the schema."""
    code = ends(name, content, folder)
    if code not in REFUSED:
        assert READERS[name].holds(independently_parsed(name, content)), content[:2000]


def independently_parsed(name: str, content: bytes) -> Any:
    """Parse as the standard library does, by default more leniently; a key that is there twice is an error."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    text = READERS[name].text(content)
    return json.loads(text, object_pairs_hook=once) if READERS[name].parse is json.loads else READERS[name].parse(text)


def run_cases(name: str, folder: Path, number: int) -> None:
    """Run so many cases of one reader: two of three changed in structure, the others in their bytes."""
    reader = READERS[name]
    good = reader.good()

    @settings(
        max_examples=number, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(mutated(good).map(reader.write) | mutated(good).map(reader.write) | spoiled(reader.write(good)))
    def holds(content: bytes) -> None:
        check(name, content, folder)

    holds()


@pytest.mark.parametrize("name", READERS)
def test_the_good_file_is_believed_and_one_with_a_number_of_minus_1_is_refused(
    name: str, folder: Path, undrawn: None
) -> None:
    reader = READERS[name]
    good = reader.write(reader.good())
    assert reader.holds(independently_parsed(name, good))
    assert ends(name, good, folder) == 0
    wrong = reader.write(changed(reader.good(), *reader.above_zero, value=-1))
    assert not reader.holds(independently_parsed(name, wrong))
    assert ends(name, wrong, folder) == reader.refusal


@pytest.mark.parametrize("name", READERS)
def test_few_hostile_files_end_by_a_documented_code(name: str, folder: Path, undrawn: None) -> None:
    run_cases(name, folder, FEW)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", SWEPT)
def test_no_field_may_be_lost_or_hold_what_the_schema_forbids(name: str, folder: Path, undrawn: None) -> None:
    reader = READERS[name]
    for wrong in swept(reader.good()):
        check(name, reader.write(wrong), folder)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", READERS)
def test_many_hostile_files_end_by_a_documented_code(name: str, folder: Path) -> None:
    run_cases(name, folder, MANY)
