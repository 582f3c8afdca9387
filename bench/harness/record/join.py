"""Join the records of one run's workers, which hold different scenarios."""

import copy
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bench.harness.environment import differences
from bench.harness.record.lists import entries_of, parted
from bench.harness.record.schema import KEY, Json
from bench.harness.record.storage import seal


def join(documents: Sequence[Json], order: Sequence[str]) -> dict[str, Any]:
    """Put the scenarios of several valid records of one launch id into one, in the given order.

    Returns:
        A sealed document: the first one's header with the median of the peaks, every worker's own launch header, and
        both values of what differs in the fingerprints.

    Raises:
        ValueError: if the devices are of different kinds.
    """
    headers = [document[KEY] for document in documents]
    for header in headers[1:]:
        if other := differences(headers[0]["kind"], header["kind"]):
            raise ValueError(
                f"devices of one run must be of one kind, got {'; '.join(other)}; choose them with CUDA_VISIBLE_DEVICES"
            )
    places = {scenario: place for place, scenario in enumerate(order)}
    entries = [entry for document in documents for entry in entries_of(document)]
    entries.sort(key=lambda entry: places[entry["extra_info"][KEY]["scenario"]])
    return seal({**copy.deepcopy(dict(documents[0])), **parted(entries), KEY: _header(headers)})


def _header(headers: Sequence[Json]) -> dict[str, Any]:
    return {
        **headers[0],
        "fingerprint": _united([header["fingerprint"] for header in headers]),
        "launch": {
            **headers[0]["launch"],
            "sees_throttling": all(header["launch"]["sees_throttling"] for header in headers),
            **{  # they check, and time, at the same time
                name: max(header["launch"].get(name, 0.0) for header in headers) for name in ("check_s", "timed_s")
            },
            "workers": [header["launch"] for header in headers],
        },
        "peaks": {name: statistics.median(h["peaks"][name] for h in headers) for name in headers[0]["peaks"]},
        "filtered": any(header["filtered"] for header in headers),
        "failed": [name for header in headers for name in header["failed"]],
        "wrong": [entry for header in headers for entry in header.get("wrong", [])],
        "not_fitting": [entry for header in headers for entry in header["not_fitting"]],
    }


def _united(fingerprints: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Keep what is equal; of GPUs that differ by their UUID name each: such a fingerprint equals no single device's."""
    united = dict(fingerprints[0])
    for name in united:
        values = sorted({str(fingerprint.get(name)) for fingerprint in fingerprints})
        if len(values) > 1:
            united[name] = " + ".join(values)
    return united
