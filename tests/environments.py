"""Wheels of this tree, and environments that have one of them beside this one's packages and nothing of ours."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from bench.gate.inherited import fresh_environment


def build_wheel(source: Path, out: Path) -> Path:
    """Build the wheel of a project's folder into another folder."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(out), f"{source}{os.sep}"], check=True)
    (built,) = out.glob("*.whl")
    return built


def environment_with(wheel: Path, folder: Path) -> Path:
    """Install a wheel alone beside this environment's packages, without what is installed here as editable.

    Returns:
        The interpreter.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    interpreter = folder / "bin" / "python"
    asked = [str(interpreter), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    own = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
    (own / "packages.pth").write_text(sysconfig.get_path("purelib"))  # an editable's own .pth is not read from there
    pip = [sys.executable, "-m", "pip", "--quiet", "--python", str(interpreter)]
    subprocess.run([*pip, "install", "--no-index", "--no-deps", "--ignore-installed", str(wheel)], check=True)
    return interpreter


def run(program: Path, folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program of an environment in a folder, whatever the path of imports says here."""
    environment = {**fresh_environment(), "OMP_NUM_THREADS": "1", "PYTHONPATH": "", **variables}
    return subprocess.run([str(program), *arguments], cwd=folder, env=environment, capture_output=True, text=True)
