"""Whether a model's layers as operators return what its modules return: asked once, when they are made.

Up to MOST_ROWS samples both do the same operations, so one step is compared by its logits. Beyond, sums are ordered
otherwise, and where two experts are nearly as good a router may take the other one: there a layer is compared with
itself, by parts of the batch, with every expert chosen.

Shapes: B samples, G key-value heads, L tokens of a memory, W head_dim, T rows, D width of a row.
"""

# torch's modules carry few annotations.
# mypy: allow-untyped-calls

from collections.abc import Sequence
from dataclasses import replace

import torch

from moevlm.generation.fused_layer import FusedLayer, run_layers
from moevlm.generation.fused_steps import Begun, FusedSteps
from moevlm.generation.largest_error import largest_error
from moevlm.generation.modules_step import logits_by_modules
from moevlm.kernels.cpu import step
from moevlm.kernels.cpu.layer import Place
from moevlm.model.cache import LayerMemory, growing_cache
from moevlm.model.vision_language import MoEVLMForConditionalGeneration

BOUNDS = {torch.float32: 1e-4, torch.bfloat16: 6e-2}  # relative error of a row: what reordered sums of layers may leave
SLOT = 4  # tokens that a probe has seen: with the new one an odd number
FEW, MANY = 5, step.MOST_ROWS + 1  # samples: four rows and one more at a time; what torch multiplies


def flaw(model: MoEVLMForConditionalGeneration, layers: Sequence[FusedLayer]) -> str | None:
    """Decode a step of random text from a random cache both ways, and say how far they are apart; None: they agree.

    Off any clock: it reads the weights a few times.
    """
    bound = BOUNDS[layers[0].weights.down_EIH.dtype]
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(0)
        for what, found_TD, expected_TD in (_few_samples(model, layers), _many_samples(model, layers)):
            error = largest_error(found_TD, expected_TD)
            if not error <= bound:
                return f"give {what} that are {error:.3g} off where {bound:g} is rounding"
    return None


def _few_samples(
    model: MoEVLMForConditionalGeneration, layers: Sequence[FusedLayer]
) -> tuple[str, torch.Tensor, torch.Tensor]:
    """Return the logits of a step by operators and by modules."""
    fused, position_B1 = _probe(model, layers, FEW)
    token_B1 = position_B1 % model.config.text_config.vocab_size
    copies = [LayerMemory(*(states.clone() for states in memory)) for memory in fused.memory]
    cache = growing_cache(copies, slice(FEW), length=SLOT)
    expected_BV = logits_by_modules(model, cache, fused.mask_BS, token_B1, position_B1)
    return "logits", fused.logits(token_B1, next(fused.begin(position_B1, SLOT))), expected_BV


def _many_samples(
    model: MoEVLMForConditionalGeneration, layers: Sequence[FusedLayer]
) -> tuple[str, torch.Tensor, torch.Tensor]:
    """Return what the first layer gives for many samples at once, and for some at a time."""
    router = layers[0].router
    every = None if router is None else router._replace(how=router.how._replace(top_k=len(router.weight_EH)))
    fused, position_B1 = _probe(model, [replace(layers[0], router=every)], MANY)
    hidden_BH = torch.randn(MANY, model.config.text_config.hidden_size).to(fused.memory[0].keys.dtype)
    begun = next(fused.begin(position_B1, SLOT))
    parts = [
        run_layers(
            fused.layers,
            hidden_BH[part],
            *_part_of(begun, part),
            [LayerMemory(*(one[part] for one in fused.memory[0]))],
        )
        for part in (slice(FEW), slice(FEW, MANY))
    ]
    what = f"hidden states of more than {step.MOST_ROWS} samples"
    return what, fused.layer(0, hidden_BH, begun), torch.cat(parts)


def _probe(
    model: MoEVLMForConditionalGeneration, layers: Sequence[FusedLayer], num_samples: int
) -> tuple[FusedSteps, torch.Tensor]:
    """Make a random cache of SLOT tokens, the first sample's first one padding, and the next tokens' positions."""
    text, dtype = model.config.text_config, layers[0].weights.down_EIH.dtype
    shape = (num_samples, text.num_key_value_heads, SLOT + 1, text.head_dim)
    memory = [LayerMemory(*(torch.randn(shape).to(dtype) for _ in LayerMemory._fields)) for _ in layers]
    mask_BS = torch.ones(num_samples, SLOT + 1, dtype=torch.bool)
    mask_BS[0, 0] = False
    position_B1 = SLOT + torch.arange(num_samples)[:, None]
    return FusedSteps(model=model, layers=layers, memory=memory, mask_BS=mask_BS), position_B1


def _part_of(begun: Begun, part: slice) -> Begun:
    (cos, signed_sin, slot, is_seen), rows_B = begun
    assert is_seen is not None, "a probe has padding"
    return Begun(Place(cos[part], signed_sin[part], slot, is_seen[part]), None if rows_B is None else rows_B[part])
