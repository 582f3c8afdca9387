"""Runs of an exhaustive test that a record keeps, so that an interrupted one goes on; other code begins it anew."""

import json
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers

from bench.harness.environment import cpu_model

ROOT = Path(__file__).parents[2]
CODE = ("moevlm", "fixtures", "bench")


def code_hash() -> str:
    """Return the digest of the committed code that is run."""
    command = ["git", "rev-parse", *(f"HEAD:{folder}" for folder in CODE)]
    trees = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return "-".join(tree[:12] for tree in trees)


def kept_runs(record: Path) -> list[dict[str, Any]]:
    """Return the runs of this code so far."""
    kept: dict[str, Any] = json.loads(record.read_text()) if record.exists() else {"code": "", "runs": []}
    return list(kept["runs"]) if kept["code"] == code_hash() else []


def keep(record: Path, run: Mapping[str, object]) -> None:
    """Add a run to the record."""
    machine = {"cpu": cpu_model(), "python": platform.python_version(), "torch": torch.__version__}
    about = {"code": code_hash(), **machine, "transformers": transformers.__version__}
    record.write_text(json.dumps({**about, "runs": [*kept_runs(record), run]}, indent=1) + "\n")
