"""Promotion: make records the baseline of their kind of machine, unless a rule is broken."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.gate import ledger
from bench.gate.baseline import LAUNCHES_TO_PROMOTE, baseline_path
from bench.gate.ledger import Stamp
from bench.harness.environment import differences
from bench.harness.record import KEY, CorruptRecord, Record, load, merge, read, write


class PromotionRefused(ValueError):  # noqa: N818  # a refusal is an answer, not a malfunction
    """Records that must not become a baseline."""


def promote(record_paths: Sequence[Path], directory: Path, stamp: Stamp) -> Path:
    """Make records of one machine the baseline for its kind, and enter what became slower into the ledger.

    Raises:
        PromotionRefused: names the rule, the value and the remedy.
        FileNotFoundError: if a record does not exist.
        CorruptRecord: if a record, or the baseline that would be replaced, is not valid.
        RecordWriteError: if the file system refuses.
    """
    documents = [read(path) for path in record_paths]
    records = [Record.from_document(document, path) for document, path in zip(documents, record_paths, strict=True)]
    if problem := next(_problems(records, stamp.reason), None):
        raise PromotionRefused(problem)
    try:
        merged = merge(documents)
    except CorruptRecord:
        raise
    except ValueError as error:
        raise PromotionRefused(str(error)) from error
    new = Record.from_document(merged)
    merged[KEY]["promotion"] = {**stamp._asdict(), "launches": _num_launches([new])}
    path = baseline_path(directory, new.kind)
    # before the baseline is replaced: an entry too many is seen, one too few is not
    if path.exists() and (slower := ledger.slowdowns(load(path), new, path.name, stamp)):
        ledger.append(directory, slower)
    write(path, merged)
    return path


def _problems(records: Sequence[Record], reason: str) -> Iterator[str]:
    """Say which rules are broken, in the order in which a user would mend them."""
    if not reason.strip():
        yield f"a reason must say why the baseline changes, got {reason!r}; give --reason TEXT"
    for check, record in itertools.product(CHECKS, records):
        yield from check(record, records[0])
    if (found := _num_launches(records)) < LAUNCHES_TO_PROMOTE:
        yield f"launches must be {LAUNCHES_TO_PROMOTE} or more, got {found}; run the suite again and name all records"


def problem_of(record: Record, first: Record | None = None) -> str:
    """Say which rule a record breaks, by itself or beside the first of those to be promoted; empty if none."""
    return next((said for check in CHECKS for said in check(record, first or record)), "")


def _wrong(record: Record, _first: Record) -> Iterator[str]:
    if record.wrong:
        said = "; ".join(f"{name}: {why}" for name, why in record.wrong.items())
        yield f"a baseline must be of right answers, got in {record.path} {said}; mend the code, and run it again"


def _incomplete(record: Record, _first: Record) -> Iterator[str]:
    if not record.complete:
        yield f"a record must be complete, got {record.path} with failed or unfinished scenarios; run it again"
    if record.filtered:
        yield f"a record must hold every scenario, got a selection in {record.path}; run without -k, -m, node ids"
    if record.not_fitting:
        left_out = ", ".join(record.why_not_fitting())
        yield f"a record must hold what it was asked for, got no memory for {left_out} in {record.path}; ask for less"
    if not record.scenarios:
        yield f"a record must hold scenarios, got none in {record.path}; run it again"


def _rehearsed(record: Record, _first: Record) -> Iterator[str]:
    if record.injected:
        arms = ", ".join(f"{arm} x {factor}" for arm, factor in record.injected.items())
        yield f"a baseline must be of real code, got rehearsed slowdowns ({arms}) in {record.path}; run without them"


def _of_another_machine(record: Record, first: Record) -> Iterator[str]:
    found = [{**one.fingerprint, **one.backends} for one in (first, record)]
    if other := "; ".join(differences(*found)):
        yield f"records must share one machine and installation, got {other} in {record.path}; leave it out"


def _throttled(record: Record, _first: Record) -> Iterator[str]:
    for scenario in record.scenarios.values():
        if voided := max(launch.voided for arm in scenario.arms.values() for launch in arm.launches):
            yield (
                f"a baseline must come from a fit machine, got {voided} throttled blocks in {scenario.id} of"
                f" {record.path}; cool the device or lift its power limit, and run it again"
            )


CHECKS = (_wrong, _incomplete, _rehearsed, _of_another_machine, _throttled)


def _num_launches(records: Sequence[Record]) -> int:
    """Count the launches of the scenario that has the fewest."""
    ids = {scenario for record in records for scenario in record.scenarios}
    counts = (
        sum(len(record.scenarios[scenario].launch_ids) for record in records if scenario in record.scenarios)
        for scenario in ids
    )
    return min(counts, default=0)
