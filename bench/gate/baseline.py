"""Baselines: find the one for this kind of machine, and promote records to be it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.gate import ledger
from bench.harness.environment import differences, kind_slug
from bench.harness.record import KEY, CorruptRecord, Record, load, merge, read, write

FOLDER = Path("baselines")
LAUNCHES_TO_PROMOTE = 8  # fewer tell a spread between launches only to a factor of more than two


class PromotionRefused(ValueError):  # noqa: N818  # a refusal is an answer, not a malfunction
    """Records that must not become a baseline."""


class _Candidate(NamedTuple):
    """Records that are to become a baseline, as a check looks at them."""

    records: Sequence[Record]
    reason: str
    min_launches: int


def find(directory: Path, kind: Mapping[str, Any]) -> Path | None:
    """Return the baseline for a kind of machine, or None.

    Args:
        directory: where baselines lie.
        kind: from `environment.kind_key`.
    """
    path = directory / f"{kind_slug(kind)}.json"
    return path if path.is_file() else None


def promote(
    record_paths: Sequence[Path],
    directory: Path,
    *,
    reason: str,
    commit: str,
    date: str,
    release: str = "",
    min_launches: int = LAUNCHES_TO_PROMOTE,
) -> Path:
    """Make records the baseline for their kind of machine, and enter what became slower into the ledger.

    Args:
        record_paths: of fit, complete runs of one machine; together at least `min_launches` launches.
        directory: where baselines lie; one for the same kind is replaced.
        reason: why, for reviewers.
        commit: revision that is promoted.
        date: ISO 8601.
        release: last release tag, or empty.
        min_launches: the fewest launches of each scenario.

    Returns:
        Path of the baseline.

    Raises:
        PromotionRefused: names the rule, the value and the remedy.
        FileNotFoundError: if a record does not exist.
        CorruptRecord: if a record, or the baseline that would be replaced, is not valid.
        RecordWriteError: if the file system refuses.
    """
    documents = [read(path) for path in record_paths]
    records = [Record.from_document(document, path) for document, path in zip(documents, record_paths, strict=True)]
    _check(_Candidate(records, reason, min_launches))
    merged = _merged(documents)
    new = Record.from_document(merged)
    promotion = {"reason": reason, "commit": commit, "date": date, "release": release, "launches": _num_launches([new])}
    merged[KEY]["promotion"] = promotion
    path = directory / f"{kind_slug(new.kind)}.json"
    _enter_slowdowns(path, new, reason=reason, commit=commit, date=date, release=release)
    write(path, merged)
    return path


def _merged(documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    try:
        return merge(documents)
    except CorruptRecord:
        raise
    except ValueError as error:
        raise PromotionRefused(str(error)) from error


def _enter_slowdowns(path: Path, new: Record, *, reason: str, commit: str, date: str, release: str) -> None:
    """Enter the slowdowns before the baseline is replaced: an entry too many is seen, one too few is not."""
    if not path.exists():
        return
    found = ledger.slowdowns(
        load(path), new, baseline=path.name, reason=reason, date=date, commit=commit, release=release
    )
    if found:
        ledger.append(path.parent, found)


def _check(candidate: _Candidate) -> None:
    for check in CHECKS:
        if problem := check(candidate):
            raise PromotionRefused(problem)


def _reason_is_given(candidate: _Candidate) -> str | None:
    if candidate.reason.strip():
        return None
    return f"a reason must say why the baseline changes, got {candidate.reason!r}; give --reason TEXT"


def _answers_are_right(candidate: _Candidate) -> str | None:
    for record in candidate.records:
        if record.wrong:
            said = "; ".join(f"{name}: {why}" for name, why in record.wrong.items())
            return f"a baseline must be of right answers, got in {record.path} {said}; mend the code, and run it again"
    return None


def _records_are_complete(candidate: _Candidate) -> str | None:
    for record in candidate.records:
        if not record.complete:
            return f"a record must be complete, got {record.path} with failed or unfinished scenarios; run it again"
        if record.filtered:
            return f"a record must hold every scenario, got a selection in {record.path}; run without -k, -m, node ids"
        if record.not_fitting:
            left_out = ", ".join(record.why_not_fitting())
            return (
                f"a record must hold what it was asked for, got no memory for {left_out} in {record.path}; ask for less"
            )
        if not record.scenarios:
            return f"a record must hold scenarios, got none in {record.path}; run it again"
    return None


def _nothing_was_injected(candidate: _Candidate) -> str | None:
    for record in candidate.records:
        if record.injected:
            arms = ", ".join(f"{arm} x {factor}" for arm, factor in record.injected.items())
            return (
                f"a baseline must be of real code, got rehearsed slowdowns ({arms}) in {record.path}; run without them"
            )
    return None


def _machine_is_one(candidate: _Candidate) -> str | None:
    for record in candidate.records[1:]:
        if other := "; ".join(differences(candidate.records[0].fingerprint, record.fingerprint)):
            return f"records must share one machine and installation, got {other} in {record.path}; leave it out"
    return None


def _nothing_was_throttled(candidate: _Candidate) -> str | None:
    for record in candidate.records:
        for scenario in record.scenarios.values():
            voided = max(launch.voided for arm in scenario.arms.values() for launch in arm.launches)
            if voided:
                return (
                    f"a baseline must come from a fit machine, got {voided} throttled blocks in {scenario.id} of"
                    f" {record.path}; cool the device or lift its power limit, and run it again"
                )
    return None


def _launches_suffice(candidate: _Candidate) -> str | None:
    found = _num_launches(candidate.records)
    if found >= candidate.min_launches:
        return None
    return f"launches must be {candidate.min_launches} or more, got {found}; run the suite again and name all records"


def _num_launches(records: Sequence[Record]) -> int:
    """Count the launches of the scenario that has the fewest."""
    ids = {scenario for record in records for scenario in record.scenarios}
    counts = (
        sum(len(record.scenarios[scenario].launch_ids) for record in records if scenario in record.scenarios)
        for scenario in ids
    )
    return min(counts, default=0)


# What a promotion must keep, in the order in which a user would mend it.
CHECKS: tuple[Callable[[_Candidate], str | None], ...] = (
    _reason_is_given,
    _answers_are_right,
    _records_are_complete,
    _nothing_was_injected,
    _machine_is_one,
    _nothing_was_throttled,
    _launches_suffice,
)
