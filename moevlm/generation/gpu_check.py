"""Whether a GPU's few launches compute what a layer's modules compute: asked once, before a step is captured.

The first layer's attention is compared over a full memory of noise, and the routing of what comes out of it, each from
the same input: a whole step's logits would differ wherever rounding alone turns two experts that are nearly as good.

Shapes: B samples, L tokens of a memory, H hidden size, E experts, K experts a token, T rows, D width of a row.
"""

# torch's modules carry few annotations.
# mypy: allow-untyped-calls

import torch
import torch.nn.functional as F
from transformers import Cache

from moevlm.generation.gpu_layer import Residual
from moevlm.generation.gpu_steps import GpuSteps
from moevlm.generation.largest_error import largest_error
from moevlm.model.cache import FixedLayer, LayerMemory
from moevlm.model.feedforward import MoEVLMSparseMLP

BOUNDS = {torch.float32: 1e-4, torch.bfloat16: 6e-2, torch.float16: 1e-2}  # relative error of a row: rounding
QUIET = 0.01  # standard deviation of the residual stream: little beside what attention to noise adds, which is compared


def flaw(steps: GpuSteps) -> str | None:
    """Say how far attention or routing by few launches is from the modules'; None: they agree.

    The memory is noise meanwhile, and zeros afterwards, as it is taken.
    """
    states = [one for layer in steps.memory[:1] for one in layer]
    with torch.random.fork_rng(devices=[states[0].device] if states[0].is_cuda else []):
        torch.manual_seed(0)
        for one in states:
            one.normal_()
        try:
            return _flaw(steps, LayerMemory(*states))
        finally:
            for one in states:
                one.zero_()


def _flaw(steps: GpuSteps, memory: LayerMemory) -> str | None:
    num_samples, _, room, _ = memory.keys.shape
    device, dtype = memory.keys.device, memory.keys.dtype
    ours, module = steps.layers[0], steps.model.model.language_model.layers[0]
    is_seen_BL = torch.ones(num_samples, room, dtype=torch.bool, device=device)
    is_seen_BL[0, : room // 2] = False  # padding
    position_B1 = torch.arange(num_samples, device=device)[:, None] + room
    hidden_BH = QUIET * torch.randn(num_samples, len(ours.input_norm_H), device=device, dtype=dtype)
    slot_1 = torch.full((1,), room - 1, device=device)
    place = steps.place(hidden_BH, position_B1, slot_1, is_seen_BL)
    cache = Cache(layers=[FixedLayer(memory, slot_1)])
    attended_B1H, _, _ = module.self_attn(
        module.input_layernorm(hidden_BH[:, None]), place.tables, is_seen_BL[:, None, None], cache
    )
    expected_BH = module.post_attention_layernorm(hidden_BH + attended_B1H[:, 0])
    _, found_BH = ours.attended(Residual(hidden_BH, None), place, memory)
    error, bound = largest_error(found_BH, expected_BH), BOUNDS[dtype]
    if not error <= bound:
        return f"attention is {error:.3g} off where {bound:g} is rounding"
    if ours.router is None:
        return None
    assert isinstance(module.mlp, MoEVLMSparseMLP), "layers and modules are of one kind"
    logits_BE = F.linear(expected_BH, ours.router.weight_EH)
    ids_BK, weights_BK = ours.routed(logits_BE, place.rows_B)
    expected_BK = module.mlp.gate(expected_BH, place.rows_B).weights_TK
    error = largest_error(weights_BK, expected_BK)
    if not error <= bound or int(ids_BK.min()) < 0 or int(ids_BK.max()) >= logits_BE.shape[1]:
        return f"experts' weights are {error:.3g} off where {bound:g} is rounding"
    return None
