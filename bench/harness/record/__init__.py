"""The JSON of one run: its schema, its typed view, and how it is built, read, checked, sealed, merged and written.

A record is a pytest-benchmark file. Ours is the header under "moevlm" and, in each benchmark, extra_info["moevlm"]: one
arm of one scenario. What is counted stands in a list of ours, for other tools take every number for seconds.
"""

from bench.harness.documents import CorruptRecord
from bench.harness.record.entries import arm_entry, merge
from bench.harness.record.join import join
from bench.harness.record.lists import call_seconds, entries_of, is_timed, parted
from bench.harness.record.schema import KEY, SCHEMA_VERSION, ArmSeries, Launch
from bench.harness.record.storage import check_seal, load, read, seal, sealed, write
from bench.harness.record.view import Record, Scenario, differing_inputs
from bench.harness.writing import replace_text
from fixtures.programs.errors import RecordWriteError

__all__ = [
    "KEY",
    "SCHEMA_VERSION",
    "ArmSeries",
    "CorruptRecord",
    "Launch",
    "Record",
    "RecordWriteError",
    "Scenario",
    "arm_entry",
    "call_seconds",
    "check_seal",
    "differing_inputs",
    "entries_of",
    "is_timed",
    "join",
    "load",
    "merge",
    "parted",
    "read",
    "replace_text",
    "seal",
    "sealed",
    "write",
]
