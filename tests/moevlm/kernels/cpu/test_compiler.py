"""What a compiled library depends on: the hash of each thing changes with it, and with nothing else."""

import subprocess
from types import SimpleNamespace

import pytest
import torch

from moevlm.kernels.cpu import compiler

CPUINFO = b"""processor\t: 0
cpu family\t: 6
model\t\t: 143
model name\t: Xeon
cpu MHz\t\t: 2100.000
flags\t\t: fpu avx512f amx_bf16
"""


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A folder with sources, a processor and a compiler that says its version."""
    for name, text in {"a.h": "one", "b.cpp": "two", "c.py": "three"}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "cpuinfo").write_bytes(CPUINFO)
    (tmp_path / "g++").write_text("#!/bin/sh\necho 12.2.0\n")
    (tmp_path / "g++").chmod(0o755)
    monkeypatch.setattr(compiler, "SOURCES", tmp_path)
    monkeypatch.setattr(compiler, "CPUINFO", tmp_path / "cpuinfo")
    return SimpleNamespace(at=tmp_path, patch=monkeypatch)


CHANGES = {  # what changes: what is done to a machine, and whose hash changes
    "a header": (lambda m: (m.at / "a.h").write_text("another"), {"source"}),
    "a source's name": (lambda m: (m.at / "b.cpp").rename(m.at / "c.cpp"), {"source"}),
    "where a source ends": (
        lambda m: ((m.at / "a.h").write_text("onet"), (m.at / "b.cpp").write_text("wo")),
        {"source"},
    ),
    "Python": (lambda m: (m.at / "c.py").write_text("another"), set()),
    "a flag": (lambda m: m.patch.setattr(compiler, "FLAGS", ("-O2",)), {"set of flags"}),
    "a linked library": (lambda m: m.patch.setattr(compiler, "LIBRARIES", ("-lc",)), {"set of flags"}),
    "torch's version": (lambda m: m.patch.setattr(torch, "__version__", "9.9"), {"torch"}),
    "torch's commit": (lambda m: m.patch.setattr(torch.version, "git_version", "abc"), {"torch"}),
    "the compiler's version": (lambda m: (m.at / "g++").write_text("#!/bin/sh\necho 13\n"), {"compiler"}),
    "an instruction": (
        lambda m: (m.at / "cpuinfo").write_bytes(CPUINFO.replace(b" amx_bf16", b"")),
        {"processor"},
    ),
    "a model": (lambda m: (m.at / "cpuinfo").write_bytes(CPUINFO.replace(b"143", b"85")), {"processor"}),
    "a clock": (lambda m: (m.at / "cpuinfo").write_bytes(CPUINFO.replace(b"2100", b"800")), set()),
    "the number of cores": (lambda m: (m.at / "cpuinfo").write_bytes(CPUINFO * 2), set()),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_changes_the_hash_of_its_kind_alone(machine, tmp_path, name):
    change, expected = CHANGES[name]
    call = [str(tmp_path / "g++")]
    before = compiler.made_from(call)
    change(machine)
    after = compiler.made_from(call)
    assert before.keys() == after.keys() == {"source", "set of flags", "torch", "processor", "compiler"}
    assert {name for name in before if before[name] != after[name]} == expected


def test_an_option_in_the_compilers_command_is_another_compiler(machine, tmp_path):
    call = [str(tmp_path / "g++")]
    before, after = compiler.made_from(call), compiler.made_from([*call, "-m32"])
    assert {name for name in before if before[name] != after[name]} == {"compiler"}


def test_without_a_compiler_the_rest_is_hashed_alike(machine, tmp_path):
    every = compiler.made_from([str(tmp_path / "g++")])
    del every["compiler"]
    assert compiler.made_from([]) == every


def test_cxx_names_the_compiler_and_its_options(monkeypatch):
    monkeypatch.setenv("CXX", "ccache 'my g++' -m64")
    assert compiler.command() == ["ccache", "my g++", "-m64"]


def test_a_compiler_gets_its_own_folder_for_scratch_and_speaks_english(tmp_path):
    (tmp_path / "g++").write_text('#!/bin/sh\necho "error: $TMPDIR $LC_ALL" >&2\nexit 1\n')
    (tmp_path / "g++").chmod(0o755)
    with pytest.raises(subprocess.CalledProcessError) as failed:
        compiler.compile_to(tmp_path / "library.so", [str(tmp_path / "g++")])
    assert failed.value.stderr == f"error: {tmp_path} C\n"


def test_a_complaint_in_another_encoding_is_read(tmp_path):
    (tmp_path / "g++").write_bytes(b"#!/bin/sh\nprintf 'error: \\351t\\351' >&2\nexit 1\n")
    (tmp_path / "g++").chmod(0o755)
    with pytest.raises(subprocess.CalledProcessError) as failed:
        compiler.compile_to(tmp_path / "library.so", [str(tmp_path / "g++")])
    assert failed.value.stderr == "error: \ufffdt\ufffd"


def test_a_compiler_that_writes_nothing_has_failed(tmp_path):
    with pytest.raises(subprocess.SubprocessError, match="true ended well and wrote no library"):
        compiler.compile_to(tmp_path / "library.so", ["true"])
