"""Tests of the fingerprint of machine and software."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from bench.harness import environment
from bench.harness.backends import libraries_of
from bench.harness.environment import (
    differences,
    fingerprint,
    kind_key,
    kind_slug,
    load_average,
    parse_cpu_model,
    versions,
)

XEON = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: {model}
model name\t: Intel(R) Xeon(R) Processor
stepping\t: 8
flags\t\t: fpu sse2 avx avx2 {flags}

processor\t: 1
model\t\t: 999
"""
GRAVITON = "processor\t: 0\nFeatures\t: fp asimd sve\nCPU implementer\t: 0x41\nCPU variant\t: 0x1\nCPU part\t: 0xd40\n"


def test_two_generations_of_one_brand_have_two_names() -> None:
    ice_lake = parse_cpu_model(XEON.format(model=106, flags="avx512f avx512_vnni"))
    sapphire_rapids = parse_cpu_model(XEON.format(model=143, flags="avx512f avx512_vnni avx512_bf16 amx_tile"))
    assert ice_lake == "Intel(R) Xeon(R) Processor 6-106-8 avx512_vnni"
    assert sapphire_rapids == "Intel(R) Xeon(R) Processor 6-143-8 amx_tile"


def test_an_arm_cpu_without_a_brand_is_named_by_its_numbers() -> None:
    assert parse_cpu_model(GRAVITON) == "0x41-0xd40-0x1 sve"


def test_text_that_names_no_cpu_gives_an_empty_name() -> None:
    assert parse_cpu_model("") == ""


def test_a_machine_without_cpuinfo_still_has_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environment, "CPUINFO_PATH", tmp_path / "absent")
    assert environment.cpu_model()


def test_fingerprint_is_repeatable_plain_json_with_versions() -> None:
    first = fingerprint("cpu", "float32", 1)
    assert json.loads(json.dumps(first)) == first == fingerprint("cpu", "float32", 1)
    assert first["torch"] == torch.__version__
    assert {"cpu_model", "cpu_count", "memory_gib", "os", "python", "transformers", "numpy"} <= set(first)


def test_the_versions_are_those_that_python_finds() -> None:
    import numpy
    import transformers

    found = versions()
    assert found["python"] == sys.version.split()[0]
    assert (found["numpy"], found["transformers"]) == (numpy.__version__, transformers.__version__)


def test_tritons_version_is_known_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    triton = pytest.importorskip("triton")
    assert versions()["triton"] == triton.__version__
    monkeypatch.setattr(environment, "PACKAGES", ("torch", "transformers", "numpy", "a-package-of-no-platform"))
    assert set(versions()) == {"python", "torch", "transformers", "numpy"}


def test_a_peers_version_is_told_and_makes_no_other_kind_nor_other_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    without = fingerprint("cpu", "float32", 1)
    monkeypatch.setattr(environment, "PEER_PACKAGES", ("pytest", "a-package-of-no-platform"))
    found = fingerprint("cpu", "float32", 1)
    assert differences(without, found) == [f"pytest: absent / {pytest.__version__}"]
    assert kind_key(found) == kind_key(without)
    assert libraries_of(found) == libraries_of(without)


def test_fingerprint_keeps_the_thread_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_PROC_BIND", "close")
    assert fingerprint("cpu", "float32", 1)["thread_variables"]["OMP_PROC_BIND"] == "close"


def test_a_gpu_is_named_with_uuid_and_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gpu = SimpleNamespace(name="NVIDIA H200", uuid="1234-abcd", total_memory=150_000_000_000)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: {"cuda:1": gpu}[device])
    monkeypatch.setenv("PATH", str(tmp_path))  # no nvidia-smi
    found = fingerprint("cuda:1", "bfloat16", 2)
    assert (found["device"], found["device_model"], found["gpu_uuid"]) == ("cuda", "NVIDIA H200", "1234-abcd")
    assert (found["gpu_memory_gib"], found["gpu_driver"]) == (140, "unknown")
    assert kind_slug(kind_key(found)).startswith("cuda-nvidia-h200-1x-bfloat16-t2-torch2.")


def test_unknown_device_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="device must be one of cpu, cuda, got 'tpu'"):
        fingerprint("tpu", "float32", 1)


def test_kind_ignores_what_ratios_do_not_depend_on() -> None:
    mine = fingerprint("cpu", "float32", 1)
    same = {**mine, "torch": "2.13.7+cu130", "memory_gib": 1, "python": "3.13.0", "transformers": "6.0"}
    assert kind_key({**mine, "torch": "2.13.0"}) == kind_key(same)
    for field, value in {"device_model": "x", "device_count": 99, "dtype": "float64", "num_threads": 9}.items():
        assert kind_key({**mine, field: value}) != kind_key(mine), field
    assert kind_key({**mine, "torch": "2.12.0"}) != kind_key({**mine, "torch": "2.13.0"})


@pytest.mark.parametrize(
    ("kind", "slug"),
    [
        (("cpu", "Intel(R) Xeon(R) Processor", 2), "cpu-intel-xeon-processor-2c-float32-t1-torch2.13"),
        (("cuda", "NVIDIA H200", 1), "cuda-nvidia-h200-1x-float32-t1-torch2.13"),
    ],
)
def test_slug_is_a_readable_file_name(kind: tuple[str, str, int], slug: str) -> None:
    device, model, count = kind
    fields = {"device": device, "device_model": model, "device_count": count}
    assert kind_slug({**fields, "dtype": "float32", "num_threads": 1, "torch": "2.13"}) == slug


def test_differences_name_field_and_both_values() -> None:
    assert differences({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}) == ["b: 2 / 3", "c: absent / 4"]
    assert differences({"a": None}, {}) == ["a: None / absent"]
    assert differences({"a": 1}, {"a": 1}) == []


def test_load_average_has_three_windows() -> None:
    assert len(load_average()) == 3
