"""Tests of the page on other engines: which arms are pairs, their ratios, and what is said of the load."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from bench.pages.peers.page import peers_page
from bench.pages.write import write_page
from tests.bench.sample_records import FINGERPRINT, record_of, scenario

SECONDS = {
    "moe": 0.002,
    "dense": 0.004,
    "llama.cpp/moe": 0.001,
    "llama.cpp/dense": 0.008,
    "transformers/generate": 0.009,
}
CPU = str(FINGERPRINT["device_model"])


def decode(seconds, *, length=256):
    axes = {"scale": "proxy", "workload": "mmmu", "routing": "weights", "batch_size": 1, "seq_len": length}
    name = f"bench_decode[proxy-mmmu-weights-b1-s{length}]"
    return scenario({**seconds, "anchor": 1.0}, name=name, num_units=4, params=axes)


def written(tmp_path, *scenarios, loads=()):
    record = record_of(*scenarios)
    launch = {**record.launch, "load_average": [[load, 0.0, 0.0] for load in loads]}
    write_page(tmp_path / "page.md", peers_page({Path("peers.json"): replace(record, launch=launch)}), "the command")
    return (tmp_path / "page.md").read_text()


def test_each_model_is_beside_its_own_peer_and_ratios_are_averaged_geometrically(tmp_path):
    later = {**SECONDS, "llama.cpp/moe": 0.004}  # 2 beside 0.5: a geometric mean of 1
    said = written(tmp_path, decode(SECONDS), decode(later, length=1024), loads=(1.26, 3.0))
    assert "points | moe | dense |\n" in said
    assert (
        f"\n| {CPU} | llama.cpp | bench_decode, float32, 1 thread | 2 | 1.00x, 0.50 to 2.00 | 2.00x, 2.00 |\n" in said
    )
    assert "the load of the machine was 1.3 to 3.0." in said
    rows = list(csv.DictReader((tmp_path / "tables" / "page-pairs.csv").open()))
    assert [(row["model"], row["peer"], float(row["theirs_over_ours"])) for row in rows] == [
        ("moe", "llama.cpp", 0.5),
        ("dense", "llama.cpp", 2.0),
        ("moe", "llama.cpp", 2.0),
        ("dense", "llama.cpp", 2.0),
    ]
    assert {row["record"] for row in rows} == {"peers.json"}


def test_two_peers_of_a_model_are_told_apart_and_never_averaged(tmp_path):
    assert "\nOf vLLM there is no record yet.\n" in written(tmp_path, decode(SECONDS))
    said = written(tmp_path, decode({**SECONDS, "vllm/moe": 0.006}))
    assert "no record yet" not in said
    assert f"\n| {CPU} | llama.cpp | bench_decode, float32, 1 thread | 1 | 0.50x | 2.00x |\n" in said
    assert "\n|  | vllm | bench_decode, float32, 1 thread | 1 | 3.00x |  |\n" in said
    assert "A peer is faster than ours in 1 of 3 points (llama.cpp: bench_decode, 0.50 of our time); [every" in said
    assert "A peer is faster than ours in 0 of 1 point; [every" in written(
        tmp_path, decode({"moe": 0.1, "llama.cpp/moe": 0.2})
    )


def test_two_processors_are_never_averaged(tmp_path):
    here, later = record_of(decode(SECONDS)), {**SECONDS, "llama.cpp/moe": 0.004}
    there = record_of(decode(later))
    there = replace(there, kind={**there.kind, "device_model": "Other CPU"})
    write_page(tmp_path / "page.md", peers_page({Path("a.json"): here, Path("b.json"): there}), "the command")
    said = (tmp_path / "page.md").read_text()
    assert f"\n| {CPU} | llama.cpp | bench_decode, float32, 1 thread | 1 | 0.50x | 2.00x |\n" in said
    assert "\n| Other CPU | llama.cpp | bench_decode, float32, 1 thread | 1 | 2.00x | 2.00x |\n" in said


def test_a_load_that_no_record_tells_is_not_made_up(tmp_path):
    assert "the load of the machine was not told." in written(tmp_path, decode(SECONDS))


def test_records_without_peers_make_no_page():
    with pytest.raises(ValueError, match=r"records must hold arms of peers, as llama.cpp/moe, got none; run pytest"):
        peers_page({Path("a.json"): record_of(decode({"moe": 0.1, "transformers/generate": 0.2}))})
