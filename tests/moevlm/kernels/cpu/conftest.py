"""Folders that may keep compiled libraries, the preferred one and the one that is left to it."""

import os
import tempfile

import pytest


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """The preferred folder; TMPDIR holds the other one."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "extensions"))
    return tmp_path / "extensions" / "moevlm"


@pytest.fixture
def spare(folder, tmp_path):
    return tmp_path / "temporary" / f"moevlm-{os.geteuid()}"
