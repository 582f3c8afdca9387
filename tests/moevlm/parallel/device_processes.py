"""Run a model on several devices, each a gloo process forked from one that has the package loaded, as torchrun does."""

import multiprocessing
import os
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import wait
from pathlib import Path

import torch
import torch.distributed as dist

from moevlm import MoEVLM, MoEVLMConfig, RoutingProfile, apply_profile, set_expert_backend
from moevlm.generation import decode_steps, prefill
from moevlm.parallel import Exchange, Group, joined, parallelize, recorded_traffic, serve

TIMEOUT_S = 120  # all cases of one group take seconds; a hanging device must not hang the tests
GRACE_S = 20.0  # to notice that another device is gone: milliseconds, but the machine may be busy
NUM_LAYERS, IMAGE_TOKEN_ID = 2, 5
TEXT = {
    "vocab_size": 256,
    "hidden_size": 32,
    "num_hidden_layers": NUM_LAYERS,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "max_position_embeddings": 512,
    "initializer_range": 0.2,
    "moe_intermediate_size": 32,
}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
SETTLE_S = 0.05  # until the kernel has counted the last acknowledged bytes
BYTES_ACKED_OFFSET = 120  # of tcpi_bytes_acked, a u64, in Linux's struct tcp_info


@dataclass(frozen=True, kw_only=True)
class SmallModel:
    """What a process needs to build the same small model as another."""

    num_experts: int = 8
    top_k: int = 2
    dtype: torch.dtype = torch.float32
    profile: str = "uniform"
    backend: str = "eager"

    def build(self) -> MoEVLM:
        torch.manual_seed(0)
        text = {**TEXT, "num_experts": self.num_experts, "num_experts_per_tok": self.top_k}
        model = MoEVLM(MoEVLMConfig(text_config=text, vision_config=dict(VISION), image_token_id=IMAGE_TOKEN_ID))
        model = model.to(self.dtype).eval()
        set_expert_backend(model, self.backend)
        apply_profile(model, RoutingProfile.parse(self.profile))
        return model


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model, a whole batch, and how to spread them."""

    model: SmallModel
    inputs: dict[str, torch.Tensor]
    placement: list[torch.Tensor]
    home: str = "sequence"
    copies: str = "device"
    num_steps: int = 1


@dataclass(kw_only=True)
class Seen:
    """What one device saw of a case; no logits where it had no sample."""

    samples: range = range(0)
    logits: list[torch.Tensor] = field(default_factory=list)  # of prefill and of the last decode step
    exchanges: list[Exchange] = field(default_factory=list)  # of prefill
    pairs: list[int] = field(default_factory=list)  # the same
    kernel_bytes: int = 0  # sent to other processes in prefill, by the kernel's count
    local_experts: int = 0


Task = Callable[[Path, int], None]


@cache
def _parent() -> ProcessPoolExecutor:
    """Start the process that devices are forked from: this module's imports are paid for once, and it has no threads.

    It is not multiprocessing's own forkserver, of which there is one a process, preloaded for the harness's tests.
    """
    return ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn"))


def run_devices(folder: Path, num_devices: int, task: Task, *, grace_s: float = GRACE_S) -> list[int | None]:
    """Call task(folder, device) in `num_devices` processes that find torchrun's variables; return their exit codes.

    Once one has failed the others have `grace_s` to end by themselves; then they are killed.
    """
    return _parent().submit(_fork_devices, folder, num_devices, task, grace_s).result()


def _fork_devices(folder: Path, num_devices: int, task: Task, grace_s: float) -> list[int | None]:
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    context = multiprocessing.get_context("fork")
    started = [
        context.Process(target=_run, args=(task, folder, device, num_devices, store.port), daemon=True)
        for device in range(num_devices)
    ]
    for process in started:
        process.start()
    deadline_s = time.monotonic() + TIMEOUT_S
    while alive := [process.sentinel for process in started if process.is_alive()]:
        now_s = time.monotonic()
        if any(process.exitcode for process in started):
            deadline_s = min(deadline_s, now_s + grace_s)
        if now_s >= deadline_s:
            break
        wait(alive, deadline_s - now_s)
    for process in started:
        process.kill()
        process.join()
    return [process.exitcode for process in started]


def _run(task: Task, folder: Path, device: int, num_devices: int, port: int) -> None:
    torch.set_num_threads(1)
    numbers = {"RANK": device, "LOCAL_RANK": device, "WORLD_SIZE": num_devices, "MASTER_PORT": port}
    os.environ |= {name: str(number) for name, number in numbers.items()}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "TORCHELASTIC_USE_AGENT_STORE": "True"}
    try:
        task(folder, device)
    except Exception:
        (folder / f"error{device}").write_text(traceback.format_exc())
        sys.exit(1)


def run_cases(folder: Path, num_devices: int, cases: dict[str, Case]) -> dict[str, list[Seen]]:
    """Run all cases in one group; return what each device saw."""
    torch.save(cases, folder / "cases")
    codes = run_devices(folder, num_devices, _run_cases)
    assert codes == [0] * num_devices, "".join(error.read_text() for error in folder.glob("error*"))
    seen = [torch.load(folder / f"seen{device}", weights_only=False) for device in range(num_devices)]
    return {name: [by_case[name] for by_case in seen] for name in cases}


def _run_cases(folder: Path, device: int) -> None:
    cases = torch.load(folder / "cases", weights_only=False)
    with joined("cpu", timeout_s=TIMEOUT_S):
        group = Group()
        seen = {name: _run_case(case, group) for name, case in cases.items()}
    torch.save(seen, folder / f"seen{device}")


@torch.inference_mode()
def _run_case(case: Case, group: Group) -> Seen:
    model, seen = case.model.build(), Seen()
    part = parallelize(model, group, case.placement, home=case.home, copies=case.copies)
    inputs = part.own_inputs(case.inputs)
    num_samples = len(inputs["input_ids"])
    dist.barrier()
    time.sleep(SETTLE_S)
    before = kernel_sent_bytes()
    with recorded_traffic(group) as traffic:
        if num_samples:
            state = prefill(model, inputs, max_new_tokens=case.num_steps)
        else:
            serve(model)
    time.sleep(SETTLE_S)
    seen.kernel_bytes = kernel_sent_bytes() - before
    seen.exchanges, seen.pairs = traffic.exchanges, traffic.pairs
    seen.local_experts = len(model.model.language_model.layers[0].mlp.experts.local.gate_up_proj)
    dist.barrier()
    if num_samples:
        seen.samples = part.samples(num_samples)
        seen.logits = [state.logits_BV, decode_steps(model, state, num_steps=case.num_steps).logits_BV]
    else:
        for _ in range(case.num_steps):
            serve(model)
    return seen


def kernel_sent_bytes() -> int:
    """Sum what this process's TCP connections have sent and others acknowledged, as Linux counts it."""
    total = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        if descriptor.is_socket():  # follows the link; False for one closed meanwhile
            with socket.socket(fileno=os.dup(int(descriptor.name))) as connection:
                if connection.proto == socket.IPPROTO_TCP:
                    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
                    total += struct.unpack_from("Q", info, BYTES_ACKED_OFFSET)[0]
    return total
