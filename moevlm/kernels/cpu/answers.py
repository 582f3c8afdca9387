"""What the loaded operators must answer to sums that are powers of two, and so exact in each dtype and order.

Shapes: T tokens, H hidden size, E experts, I width of one expert.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

DTYPES = (torch.float32, torch.bfloat16)
TOKENS, HIDDEN_SIZE, WIDTH = 4, 64, 32
LOGIT = float(HIDDEN_SIZE)  # ones times ones
EXPERT = WIDTH * LOGIT * LOGIT  # silu(64) = 64 to the last bit
Make = Callable[..., torch.Tensor]  # sizes -> ones
Answers = list[tuple[torch.Tensor, float]]  # what was computed, and what each of its values must be


def flaw(operators: Any) -> str | None:
    """Call each operator once and say which is missing or answers wrongly; None: all answer.

    In a thread of its own: there the caller's modes (fake tensors, devices, autocast) do not hold.

    Args:
        operators: `torch.ops.moevlm`, or what stands in for it.
    """
    with ThreadPoolExecutor(max_workers=1) as apart:
        return apart.submit(_flaw, operators).result()


def _flaw(operators: Any) -> str | None:
    for name, ask in CASES.items():
        for dtype in DTYPES:
            try:
                answers = ask(operators, lambda *sizes, dtype=dtype: torch.ones(sizes, dtype=dtype, device="cpu"))
            except (AttributeError, RuntimeError) as error:
                return f"cannot answer {name}: {str(error).splitlines()[0]}"
            for computed, expected in answers:
                if not torch.all((computed.double() - expected).abs() <= abs(expected) * 1e-5):
                    return f"answers {name} with {computed.flatten()[0].item():g} where {expected:g} is right"
    return None


def _swiglu_experts(operators: Any, ones: Make) -> Answers:
    weights = ones(2, 2 * WIDTH, HIDDEN_SIZE), ones(2, WIDTH, HIDDEN_SIZE)
    weights[1][0] = 0  # of the expert that nobody chooses
    ids = torch.ones(TOKENS, 1, dtype=torch.long, device="cpu")
    by = ones(TOKENS, 1).float() / 2
    output = operators.swiglu_experts(*weights, ones(TOKENS, HIDDEN_SIZE), ids, by, operators.best_tier())
    return [(output, EXPERT / 2)]


def _swiglu_dense(operators: Any, ones: Make) -> Answers:
    weights = ones(2, 2 * WIDTH, HIDDEN_SIZE), ones(2, WIDTH, HIDDEN_SIZE)
    return [(operators.swiglu_dense(*weights, ones(TOKENS, HIDDEN_SIZE), operators.best_tier()), EXPERT * 2)]


def _rotated_heads(operators: Any, ones: Make) -> Answers:
    row = ones(1, HIDDEN_SIZE)
    scales = row[0], row[0] * 2
    heads = operators.rotated_heads(ones(1, 3 * HIDDEN_SIZE) * 4, *scales, row, row * 0, 0.0, 1, 1)
    return [(heads[:, 0], 1.0), (heads[:, 1], 2.0)]


def _attend(operators: Any, ones: Make) -> Answers:
    row, square, memory = ones(1, HIDDEN_SIZE), ones(HIDDEN_SIZE, HIDDEN_SIZE), ones(2, 1, 1, 1, HIDDEN_SIZE) * 0
    heads = square, square, square, row[0], row[0], row, row * 0
    gathered = operators.attend(row[None], *heads, 0.0, *memory, 0, None, 1.0)
    return [(gathered, LOGIT), (memory[0], 1.0), (memory[1], LOGIT)]  # the only token's values; both were kept


def _attend_prompt(operators: Any, ones: Make) -> Answers:
    keys, values = ones(1, 1, TOKENS, HIDDEN_SIZE), ones(1, 1, TOKENS, HIDDEN_SIZE)
    values[:, :, 2:] = 3  # the second token sees two ones, the fourth two of each
    gathered = operators.attend_prompt(ones(1, 1, TOKENS, HIDDEN_SIZE), keys, values, None, 1.0)
    return [(gathered[:, 1], 1.0), (gathered[:, 3], 2.0)]


def _route(operators: Any, ones: Make) -> Answers:
    weight = ones(4, HIDDEN_SIZE)
    weight[:3] = 0
    logits, weights, ids = operators.route(ones(1, HIDDEN_SIZE), weight, None, None, 0.0, 1, True)
    return [(logits[:, 3], LOGIT), (logits[:, :3], 0.0), (weights, 1.0), (ids, 3.0)]


def _decode_layers(operators: Any, ones: Make) -> Answers:
    row, square, memory = ones(1, HIDDEN_SIZE), ones(HIDDEN_SIZE, HIDDEN_SIZE), ones(4, 1, 1, 1, HIDDEN_SIZE) * 0
    keys, values = list(memory[:2]), list(memory[2:])
    gate_up, down, router = ones(4, 2 * WIDTH, HIDDEN_SIZE), ones(4, WIDTH, HIDDEN_SIZE), ones(4, HIDDEN_SIZE)
    router[:3] = down[:3] = 0  # of the experts that nobody chooses
    gate_up[:, WIDTH:] *= 2 / EXPERT  # so that an expert gives 2
    mean = square / HIDDEN_SIZE
    weights = [row[0], square, square, mean, row[0], row[0], mean, row[0], gate_up, down]
    routing = (0.0, 1, True, -1, operators.best_tier())
    stream = operators.decode_layers(
        row, weights * 2, [router] * 2, [], None, row, row * 0, keys, values, 0, None, 0.0, 1.0, *routing
    )  # fmt: skip
    return [(stream, 7.0), *((kept, 1.0) for kept in (*keys, *values))]  # a layer adds 1 gathered and an expert's 2


def _gated(operators: Any, ones: Make) -> Answers:
    projected = ones(TOKENS, 4 * WIDTH).float()  # two blocks; silu(64) = 64 to the last bit
    projected[:, :WIDTH], projected[:, WIDTH : 2 * WIDTH] = 64.0, 2.0
    projected[:, 2 * WIDTH : 3 * WIDTH], projected[:, 3 * WIDTH :] = 64.0, 4.0
    found = operators.gated(projected, WIDTH)
    return [(found[:, :WIDTH], 128.0), (found[:, WIDTH:], 256.0)]


CASES: dict[str, Callable[[Any, Make], Answers]] = {
    "best_tier": lambda operators, _: [(torch.tensor(operators.best_tier() in range(3)), 1.0)],
    "few_rows": lambda operators, ones: [(operators.few_rows(ones(4, HIDDEN_SIZE), ones(1, HIDDEN_SIZE)), LOGIT)],
    "gated": _gated,
    "rms_norm": lambda operators, ones: [
        (operators.rms_norm(ones(1, HIDDEN_SIZE) * 4, ones(HIDDEN_SIZE) * 2, 0.0), 2.0)
    ],
    "rotated_heads": _rotated_heads,
    "attend": _attend,
    "attend_prompt": _attend_prompt,
    "decode_layers": _decode_layers,
    "route": _route,
    "swiglu_dense": _swiglu_dense,
    "swiglu_experts": _swiglu_experts,
}
