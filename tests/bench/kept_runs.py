"""Runs of an exhaustive test that a record keeps, so that an interrupted one goes on; other code runs them anew."""

import json
import platform
import subprocess
from collections.abc import Collection, Mapping
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
    code = code_hash()
    return [row["run"] for row in _rows(record) if row["on"]["code"] == code]


def keep(record: Path, run: Mapping[str, object], *, what: Collection[str]) -> None:
    """Add a run to the record, in place of an older one of the same; what other code did stays until then.

    Args:
        record: The file.
        run: What it said.
        what: The fields that say which run it is.
    """
    on = {"code": code_hash(), "cpu": cpu_model(), "python": platform.python_version(), "torch": torch.__version__}
    rows = [row for row in _rows(record) if any(row["run"][name] != run[name] for name in what)]
    rows.append({"on": {**on, "transformers": transformers.__version__}, "run": run})
    record.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


def _rows(record: Path) -> list[dict[str, Any]]:
    return list(json.loads(record.read_text())) if record.exists() else []
