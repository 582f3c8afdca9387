"""The compile cache that is carried to a GPU: a fresh process finds all of it, in another folder too."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.warm.__main__ import read_arguments, settle
from tests.bench.plugin.fake_project import REPOSITORY

SAYS = re.compile(r"(\d+) kernels for (sm_\d+): (\d+) compiled, (\d+) found; ([\d.]+) MiB in")


def warm(folder, *arguments, path=None):
    """Run the command in a process of its own; return how many kernels it compiled, and how many it found."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRITON_")}
    environment |= {} if path is None else {"PYTHONPATH": f"{path}{os.pathsep}{environment.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-m", "bench.warm", "--scale=tiny", "--batch-size=1", f"--out={folder}", *arguments]
    said = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True).stdout
    kernels, _, compiled, found, _ = SAYS.search(said).groups()
    assert int(kernels) == int(compiled) + int(found)
    return int(compiled), int(found)


@pytest.mark.long
def test_a_fresh_process_compiles_nothing_where_the_cache_was_carried(tmp_path):
    pytest.importorskip("triton", reason="Triton is not installed")
    compiled, found = warm(tmp_path / "made")
    assert (compiled > 10, found) == (True, 0)
    assert {path.suffix for path in (tmp_path / "made").rglob("*.*")} <= {".json", ".cubin", ".source"}
    shutil.move(tmp_path / "made", tmp_path / "carried")
    next((tmp_path / "carried").glob("*/_down.json")).unlink()
    assert warm(tmp_path / "carried") == (1, compiled - 1)


@pytest.mark.long
def test_another_pythons_triton_finds_what_was_made_for_its_library(tmp_path):
    """It is this one's, in a tree of links, with another library that does the same."""
    triton = Path(pytest.importorskip("triton", reason="Triton is not installed").__file__).parent
    shutil.copytree(triton, tmp_path / "other" / "triton", copy_function=os.symlink)
    (library,) = (tmp_path / "other" / "triton" / "_C").glob("libtriton.*")
    content = library.read_bytes()
    library.unlink()
    library.write_bytes(content + b"another build")
    compiled, _ = warm(tmp_path / "made", f"--libtriton={library}")
    assert warm(tmp_path / "made", path=tmp_path / "other") == (0, compiled)


def test_a_carried_cache_names_its_files_where_they_are(tmp_path):
    group = tmp_path / "KEY" / "__grp__kernel.json"
    group.parent.mkdir()
    group.write_text(json.dumps({"child_paths": {"kernel.cubin": "/elsewhere/KEY/kernel.cubin"}}))
    settle(tmp_path)
    assert json.loads(group.read_text()) == {"child_paths": {"kernel.cubin": str(group.parent / "kernel.cubin")}}


def test_a_library_that_is_not_there_is_refused(capsys):
    with pytest.raises(SystemExit):
        read_arguments(["--out=a", "--libtriton=lost"])
    assert "--libtriton must be a file, got lost: no such file; unpack that Python's wheel" in capsys.readouterr().err


def test_a_target_that_is_not_known_is_refused(capsys):
    with pytest.raises(SystemExit):
        read_arguments(["--out=a", "--target=sm_70"])
    assert "sm_80, sm_90, sm_100" in capsys.readouterr().err
