"""Triton's kernels through its compiler for an SM90, which needs no GPU: predicted tiles fit it and use its units."""

import os

import pytest

triton = pytest.importorskip("triton", reason="Triton is not installed")
if os.environ.get("TRITON_INTERPRET") == "1":
    pytest.skip("interpreted kernels cannot be compiled: unset TRITON_INTERPRET", allow_module_level=True)

from triton.backends.compiler import GPUTarget  # noqa: E402
from triton.compiler import ASTSource  # noqa: E402

from moevlm.kernels.tilings import TILES  # noqa: E402
from moevlm.kernels.triton import dense, few, many  # noqa: E402

SHARED_BYTES = 227 * 1024  # of a program, CUDA's programming guide: technical specifications, compute capability 9.0
SIZES_7B = {"H": 2048, "I": 1024}
FEW = {"BY_PAIR": False, "BLOCK_P": 512} | SIZES_7B
MANY = {"BLOCK_E": 64} | SIZES_7B
KERNELS = {
    "few, gate and up": (few._gate_up, FEW | {"K": 8}, TILES["few"][0]),
    "few, down": (few._down, FEW, TILES["few"][1]),
    "many, gate and up": (many._gate_up, MANY | {"K": 8}, TILES["many"][0]),
    "many, down": (many._down, MANY, TILES["many"][1]),
    "dense": (dense._gate_up, SIZES_7B | {"ROWS_TOGETHER": dense.GROUP}, TILES["fused"][0]),
}
POINTERS = {
    **dict.fromkeys(("hidden_TH", "gate_up_EWH", "down_EIH", "act_PI", "act_TF"), "*bf16"),
    "rows_PH": "*fp32",
    "ids_P": "*i64",
    "pairs_P": "*i64",
    "counts_E": "*i32",
}


def compiled(kernel, constants, tile, monkeypatch, tmp_path):
    """Compile a kernel for addresses and sizes that are multiples of 16, as a model's are."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    options = tile.options()
    launch = {name: options.pop(name) for name in ("num_warps", "num_stages")}
    constants = constants | options
    names = kernel.arg_names
    source = ASTSource(
        fn=kernel,
        signature={name: "constexpr" if name in constants else POINTERS.get(name, "i32") for name in names},
        constexprs={(names.index(name),): value for name, value in constants.items()},
        attrs={(index,): [["tt.divisibility", 16]] for index, name in enumerate(names) if name not in constants},
    )
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options=launch)


@pytest.mark.long
@pytest.mark.parametrize("name", KERNELS)
def test_predicted_tiles_fit_an_sm90(name, monkeypatch, tmp_path):
    kernel = compiled(*KERNELS[name], monkeypatch, tmp_path)
    assert kernel.metadata.shared <= SHARED_BYTES
    ptx = kernel.asm["ptx"]
    assert "cp.async" in ptx  # weights are on their way while the ones before are multiplied
    assert ("wgmma" if "few" not in name else "mma.sync") in ptx  # on tensor cores
