"""Compiling the CPU kernels: what is said where there is no compiler, and that nothing breaks."""

import shutil

import pytest
import torch

from moevlm import MoEVLMTextConfig
from moevlm.kernels.backends import reference_experts
from moevlm.kernels.cpu import build, ops
from moevlm.model.feedforward import MoEVLMExperts


@pytest.fixture
def no_library(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    return monkeypatch


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
    assert [path.name for path in (tmp_path / "moevlm").iterdir()] == []


def test_other_flags_processors_or_sources_are_other_libraries(monkeypatch):
    names = {build._fingerprint("g++"), build._fingerprint("g++", "-O2")}
    monkeypatch.setattr(build, "_processor", lambda: "flags: sse2")
    names.add(build._fingerprint("g++"))
    assert len(names) == 3


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
