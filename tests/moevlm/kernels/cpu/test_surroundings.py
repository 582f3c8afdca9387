"""The compiled library in real processes: two at once, without a compiler, on a small, full or bare machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from moevlm.kernels.cpu.build import load

pytestmark = [
    pytest.mark.long,  # compiles, and each process imports torch
    pytest.mark.skipif(load() is not None, reason=f"the kernels could not be compiled: {load()}"),
]
ROOT = Path(__file__).parents[4]
LOAD = """
import sys, types
sys.modules["moevlm"] = types.ModuleType("moevlm")  # without transformers
sys.modules["moevlm"].__path__ = ["moevlm"]
from moevlm.kernels.cpu.build import load
print(load())
"""
COMPILER = """#!/bin/sh
[ "$1" = --version ] || echo compiled >> {log}
exec g++ "$@"
"""
FULL = "ulimit -f 100; exec "  # of 512 or 1,024 bytes: less than the library takes


class Machine:
    """A folder for libraries, and a compiler that notes its calls."""

    def __init__(self, at):
        self.at, self.log = at, at / "log"
        (at / "g++").write_text(COMPILER.format(log=self.log))
        (at / "g++").chmod(0o755)

    def start(self, before="exec ", **changes):
        """Start a process that loads the kernels; a change to None takes a variable away."""
        chosen = (
            os.environ | {"TORCH_EXTENSIONS_DIR": str(self.at / "extensions"), "CXX": str(self.at / "g++")} | changes
        )
        given = {name: value for name, value in chosen.items() if value is not None}
        command = ["/bin/sh", "-c", f'{before} "$0" -c "$1"', sys.executable, LOAD]
        return subprocess.Popen(command, cwd=ROOT, env=given, text=True, stdout=-1, stderr=-1)

    def load(self, *before, **changes):
        """Return what a process says of its kernels, what it warns of, and how often they have been compiled."""
        said, warned = self.start(*before, **changes).communicate()
        return said.strip(), warned, self.log.read_text().count("compiled")

    def kept(self):
        return sorted(path.name for path in (self.at / "extensions" / "moevlm").iterdir())


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A machine whose library two processes have asked for at once."""
    machine = Machine(tmp_path_factory.mktemp("machine"))
    pair = [machine.start() for _ in range(2)]
    machine.said = [process.communicate() for process in pair]
    machine.compiled = machine.log.read_text().count("compiled")
    return machine


def test_two_processes_compile_once_and_both_load_it(machine):
    assert machine.said == [("None\n", "")] * 2
    assert machine.compiled == 1


def test_a_bare_machine_that_has_the_library_needs_no_compiler(machine):
    before = machine.kept()
    bare = {"CXX": None, "PATH": "/none", "HOME": None, "TMPDIR": "/none", "LC_ALL": "C"}
    assert machine.load("ulimit -n 64; exec ", **bare)[:2] == ("None", "")
    assert machine.kept() == before


def test_a_truncated_library_is_compiled_once_more_with_few_files_and_no_folder_for_scratch(machine):
    before = machine.log.read_text().count("compiled")
    (library,) = (machine.at / "extensions" / "moevlm").glob("*.so")
    library.write_bytes(library.read_bytes()[:5000])
    said, warned, compiled = machine.load("ulimit -n 64; umask 0; exec ", TMPDIR="/none", LC_ALL="C")
    assert said == "None"
    assert f"anew: {library} holds 5000 bytes" in warned
    assert compiled == before + 1


def test_a_disk_that_is_full_is_told_and_leaves_nothing_to_load(tmp_path):
    machine = Machine(tmp_path)
    said, warned, _ = machine.load(FULL)
    assert "size" in said.lower()
    assert f"torch's own are used instead: {said}" in warned
    assert machine.kept() == ["lock"]
