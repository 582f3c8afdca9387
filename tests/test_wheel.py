"""The wheel alone: the model, and of the suite a script that finds it in a clone; it works where the suite is not."""

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.environments import build_wheel, environment_with, run

ROOT = Path(__file__).parents[1]
SCRIPT = "moevlm-bench"
# a copy of these is built: setuptools leaves build/ behind
SOURCES = ("moevlm", f"bench/{SCRIPT}", "pyproject.toml", "README.md", "LICENSE")
USE = """
import importlib.util, sys, tempfile, warnings
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor
warnings.simplefilter("error")  # kernels that do not compile warn and are replaced
from moevlm import MoEVLM, decode_steps, prefill
from moevlm.presets import preset_config
from moevlm.model.processing import build_processor

assert not any(map(importlib.util.find_spec, ("bench", "fixtures", "tests")))
config = preset_config("tiny")
with tempfile.TemporaryDirectory() as folder:
    MoEVLM(config).save_pretrained(folder)
    build_processor(config).save_pretrained(folder)
    model, processor = AutoModelForImageTextToText.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
inputs = processor(images=[Image.new("RGB", (90, 60))], text=["<image>What is it?"], return_tensors="pt")
generated = model.eval().generate(**inputs, max_new_tokens=4, do_sample=False)[0, -4:].tolist()
state = prefill(model, inputs, max_new_tokens=4)
assert generated == [*state.next_token_B1[0].tolist(), *decode_steps(model, state, num_steps=3).tokens_BN[0].tolist()]
assert torch.ops.moevlm.swiglu_experts
print(sys.modules["moevlm"].__file__)
"""

pytestmark = pytest.mark.long  # builds, installs and compiles


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, out = (tmp_path_factory.mktemp(name) for name in ("source", "wheel"))
    for name in SOURCES:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (source / name).parent.mkdir(exist_ok=True)
            shutil.copy(path, source / name)
    return build_wheel(source, out)


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment_with(wheel, tmp_path_factory.mktemp("environment"))


def test_it_holds_the_model_its_version_and_the_script_and_nothing_else_of_the_suite(wheel: Path) -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)
    assert version
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    script = f"moevlm-{version[1]}.data/scripts/{SCRIPT}"
    assert script in names
    folders = {name.split("/")[0] for name in names if name != script}
    assert folders == {"moevlm", f"moevlm-{version[1]}.dist-info"}


def test_every_file_of_the_package_is_in_it(wheel: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "moevlm"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in listed.splitlines() if (ROOT / name).exists()} <= set(archive.namelist())


def test_a_saved_model_loads_by_its_auto_class_and_generates_on_compiled_kernels(python: Path, tmp_path: Path) -> None:
    done = run(python, tmp_path, "-c", USE, HOME=str(tmp_path), TORCH_EXTENSIONS_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(python.parents[1])
    assert list(tmp_path.glob("moevlm/cpu-*.so"))


def test_the_presets_are_there_and_the_suite_is_not(python: Path, tmp_path: Path) -> None:
    said = run(python, tmp_path, "-c", "from moevlm.presets import preset_variants; print(preset_variants('tiny'))")
    assert "dense_active" in said.stdout
    assert "No module named bench" in run(python, tmp_path, "-m", "bench").stderr


def test_the_installed_script_ends_4_outside_a_clone(python: Path, tmp_path: Path) -> None:
    done = run(python.parent / SCRIPT, tmp_path, "report", "absent.json")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith(f"{SCRIPT} must be run in a clone")
