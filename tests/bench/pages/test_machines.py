"""Records of one machine: floors are by the best peak that any of them has measured."""

from dataclasses import replace

from bench.harness.record import Record
from bench.pages.machines import machine_of, with_best_peaks
from tests.bench.sample_records import document

COPY, READ, MATMUL = "copy_byte_per_s", "read_byte_per_s", "matmul_flop_per_s"


def record(peaks, **kind):
    one = Record.from_document(document())
    return replace(one, peaks=peaks, kind={**one.kind, **kind})


def test_each_record_gets_the_best_peaks_of_its_machine_alone():
    slow, fast = record({READ: 35e9, MATMUL: 4e11}), record({READ: 62e9, MATMUL: 3e11}, device_count=1)
    other = record({READ: 90e9, MATMUL: 9e11}, num_threads=8)
    found = [one.peaks for one in with_best_peaks([slow, other, fast])]
    assert found == [{READ: 62e9, MATMUL: 4e11}, {READ: 90e9, MATMUL: 9e11}, {READ: 62e9, MATMUL: 4e11}]
    assert slow.peaks[READ] == 35e9  # what a page tells of it is its own


def test_memory_is_as_fast_in_any_dtype_and_products_are_not():
    single, half = (
        record({READ: 50e9, MATMUL: 2e11}),
        record({READ: 62e9, MATMUL: 4e11}, dtype="bfloat16", torch="2.12"),
    )
    found = [one.peaks for one in with_best_peaks([single, half])]
    assert found == [{READ: 62e9, MATMUL: 2e11}, {READ: 62e9, MATMUL: 4e11}]


def test_a_peak_that_older_records_lack_is_taken_from_newer_ones():
    old, new = with_best_peaks([record({COPY: 20e9}), record({COPY: 18e9, READ: 30e9})])
    assert old.peaks == new.peaks == {COPY: 20e9, READ: 30e9}


def test_a_cpu_is_one_machine_however_many_of_its_cores_are_idle_and_a_gpu_is_not():
    assert machine_of(record({}, device="cpu", device_count=1)) == machine_of(record({}, device="cpu", device_count=2))
    assert machine_of(record({}, device="cuda", device_count=1)) != machine_of(
        record({}, device="cuda", device_count=2)
    )
    assert machine_of(record({}, num_threads=1)) != machine_of(record({}, num_threads=2))
