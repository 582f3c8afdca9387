"""The JSON of one run: its schema, its typed view, and how it is built, read, checked, sealed, merged and written.

A record is a pytest-benchmark file. Ours is the header under "moevlm" and, in each benchmark, extra_info["moevlm"]: one
arm of one scenario.
"""

from bench.harness.documents import CorruptRecord
from bench.harness.record.entries import arm_entry, merge
from bench.harness.record.join import join
from bench.harness.record.schema import KEY, SCHEMA_VERSION, ArmSeries, Launch
from bench.harness.record.storage import check_seal, load, read, seal, write
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
    "check_seal",
    "differing_inputs",
    "join",
    "load",
    "merge",
    "read",
    "replace_text",
    "seal",
    "write",
]
