"""Loading the CPU kernels: what is said where they cannot be compiled or loaded, and that nothing breaks."""

import platform
import shutil
import tempfile

import pytest
import torch

from moevlm import MoEVLMTextConfig
from moevlm.kernels.backends import reference_experts
from moevlm.kernels.cpu import answers, build, compiler, ops
from moevlm.model.feedforward import MoEVLMExperts


@pytest.fixture
def no_library(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "extensions"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    return monkeypatch


COMPILER = """#!/bin/sh
[ "$1" = --version ] && exit
echo compiled >> {log}
while [ "$1" != -o ]; do shift; done
echo nonsense > "$2"
"""


@pytest.fixture
def log(no_library, tmp_path):
    """What a stand-in compiler notes at each call, which makes no library that could be loaded."""
    program, log = tmp_path / "compiler", tmp_path / "log"
    program.write_text(COMPILER.format(log=log))
    program.chmod(0o755)
    no_library.setenv("CXX", str(program))
    return log


def test_a_new_library_that_cannot_be_loaded_is_not_tried_again(log):
    with pytest.warns(UserWarning, match="torch's own are used instead: .*(invalid ELF header|file too short)"):
        build.load.__wrapped__()
    assert log.read_text() == "compiled\n"


def test_a_kept_library_that_cannot_be_loaded_is_compiled_once_more(log, monkeypatch):
    complaints = iter([None, "undefined symbol: gone", None])
    monkeypatch.setattr(build, "_complaint", lambda _: next(complaints))
    monkeypatch.setattr(answers, "flaw", lambda _: None)
    build._load()
    with pytest.warns(UserWarning, match=r"anew: .*\.so cannot be loaded: undefined symbol: gone"):
        build._load()
    assert log.read_text() == "compiled\n" * 2
    assert not list(complaints)


def test_operators_that_answer_wrongly_are_not_used_and_compiled_anew_by_the_next_process(log, monkeypatch):
    monkeypatch.setattr(build, "_complaint", lambda _: None)
    flaws = iter(["answers few_rows with 63 where 64 is right", None])
    monkeypatch.setattr(answers, "flaw", lambda _: next(flaws))
    with pytest.warns(UserWarning, match=r"torch's own are used instead: .*\.so answers few_rows with 63 where"):
        assert build.load.__wrapped__().endswith("; the next process compiles it anew")
    with pytest.warns(UserWarning, match="anew: .*its digest cannot be read"):
        build._load()
    assert log.read_text() == "compiled\n" * 2


@pytest.mark.skipif(not compiler.command() or platform.system() == "Windows", reason="no C++ compiler for the kernels")
def test_where_there_is_a_compiler_the_kernels_are_there_and_answer():
    """Else hundreds of tests are skipped for their lack, and nothing is red."""
    assert build.load() is None


def test_windows_is_told_that_there_are_none(monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    with pytest.warns(UserWarning, match="they are for Linux and macOS"):
        assert build.load.__wrapped__() == "they are for Linux and macOS, this is Windows"


def test_no_compiler_is_warned_about_with_the_remedy(no_library):
    no_library.setattr(shutil, "which", lambda _: None)
    with pytest.warns(UserWarning, match="torch's own are used instead: a C.. compiler must be there .* install one"):
        reason = build.load.__wrapped__()
    assert reason == "a C++ compiler must be there (g++, clang++ or CXX), found none; install one"


def test_what_a_compiler_complains_about_is_quoted(no_library, tmp_path):
    compiler = tmp_path / "compiler"
    compiler.write_text("#!/bin/sh\necho 'unknown option -march=native' >&2\nexit 1\n")
    compiler.chmod(0o755)
    no_library.setenv("CXX", str(compiler))
    with pytest.warns(UserWarning, match="unknown option -march=native"):
        assert build.load.__wrapped__() == "unknown option -march=native"
    assert not list(tmp_path.rglob("*.so"))


def test_a_failed_compiler_leaves_nothing_to_load(no_library, tmp_path):
    no_library.setenv("CXX", "no-such-compiler --fast")
    with pytest.warns(UserWarning, match="no-such-compiler"):
        assert "no-such-compiler" in build.load.__wrapped__()
    assert not (tmp_path / "extensions").exists()


def test_experts_run_without_kernels(monkeypatch):
    monkeypatch.setattr(ops, "load", lambda: "no compiler")
    config = MoEVLMTextConfig(hidden_size=64, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32)
    config._experts_implementation = "moevlm"
    experts = MoEVLMExperts(config)
    for parameter in experts.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    hidden, ids = torch.randn(5, 64), torch.tensor([[0, 3]] * 5)
    with torch.no_grad():
        expected = reference_experts(experts.gate_up_proj, experts.down, hidden, ids, torch.ones(5, 2))
        torch.testing.assert_close(experts(hidden, ids, torch.ones(5, 2)).double(), expected, rtol=1e-4, atol=1e-4)
