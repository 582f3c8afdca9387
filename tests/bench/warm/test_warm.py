"""The compile cache that is carried to a GPU: a fresh process finds all of it, in another folder too."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from bench.warm.__main__ import read_arguments, settle
from tests.bench.plugin.fake_project import REPOSITORY

SAYS = re.compile(r"(\d+) kernels for (sm_\d+): (\d+) compiled, (\d+) found; ([\d.]+) MiB in")


def warm(folder, *arguments):
    """Run the command in a process of its own; return how many kernels it compiled, and how many it found."""
    pytest.importorskip("triton", reason="Triton is not installed")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRITON_")}
    command = [sys.executable, "-m", "bench.warm", "--scale=tiny", "--batch-size=1", f"--out={folder}", *arguments]
    said = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True).stdout
    kernels, _, compiled, found, _ = SAYS.search(said).groups()
    assert int(kernels) == int(compiled) + int(found)
    return int(compiled), int(found)


@pytest.mark.long
def test_a_fresh_process_compiles_nothing_where_the_cache_lies_and_where_it_is_carried(tmp_path):
    compiled, found = warm(tmp_path / "made")
    assert (compiled > 10, found) == (True, 0)
    assert {path.suffix for path in (tmp_path / "made").rglob("*.*")} <= {".json", ".cubin"}
    assert warm(tmp_path / "made") == (0, compiled)
    shutil.move(tmp_path / "made", tmp_path / "carried")
    assert warm(tmp_path / "carried") == (0, compiled)
    next((tmp_path / "carried").glob("*/_gate_up.json")).unlink()
    assert warm(tmp_path / "carried") == (1, compiled - 1)


def test_a_carried_cache_names_its_files_where_they_are(tmp_path):
    group = tmp_path / "KEY" / "__grp__kernel.json"
    group.parent.mkdir()
    group.write_text(json.dumps({"child_paths": {"kernel.cubin": "/elsewhere/KEY/kernel.cubin"}}))
    settle(tmp_path)
    assert json.loads(group.read_text()) == {"child_paths": {"kernel.cubin": str(group.parent / "kernel.cubin")}}


def test_a_target_that_is_not_known_is_refused(capsys):
    with pytest.raises(SystemExit):
        read_arguments(["--out=a", "--target=sm_70"])
    assert "sm_80, sm_90, sm_100" in capsys.readouterr().err
