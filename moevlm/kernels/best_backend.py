"""The expert backend of a model that was told none: chosen at each call, as a model may move to another device.

Shapes: T tokens, H hidden size, E experts, I width of one expert, K experts a token.
"""

# transformers' methods carry no annotations.
# mypy: allow-untyped-calls

import torch
from transformers import PreTrainedModel
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

from moevlm.kernels.backends import DEFAULT_BACKENDS, FORWARDS, OURS, Experts
from moevlm.kernels.fast import fast_experts

AUTO = "moevlm_auto"
GROUPED, BATCHED = "grouped_mm", "batched_mm"
GROUPED_DTYPES = (torch.float32, torch.bfloat16, torch.float16)
GROUPED_ROW_BYTES = 16  # torch's grouped product takes rows of whole multiples
# (token, expert) pairs up to which copies of weights beat a grouped product on a GPU; generate() switches so too.
# Published for transformers (huggingface.co/datasets/docs-benchmarks/experts-backends): 64 are faster, 512 slower.
MOST_GATHERED_PAIRS = 64


class BestExperts(PreTrainedModel):
    """Make a model run the best experts of its device unless it is told a backend."""

    @classmethod
    def _can_set_experts_implementation(cls) -> bool:
        """Say yes: transformers would read the class's file, and remember what it found for a parent."""
        return True

    def get_correct_experts_implementation(self, requested_experts: str | None) -> str:
        """Return the backend's name: transformers' hook, called at construction and when a backend is set.

        Args:
            requested_experts: A backend's name; None: the device's best.

        Raises:
            ValueError: The name is unknown, or torch's grouped product takes no such dtype or widths.
        """
        if requested_experts is None:
            return AUTO
        if requested_experts == GROUPED:
            self._check_grouped()
        name: str = super().get_correct_experts_implementation(requested_experts)
        return name

    def _check_grouped(self) -> None:
        """Refuse at once what torch would refuse at the first call; dense models only record the name."""
        config = self.config.get_text_config()
        widths = config.hidden_size, config.moe_intermediate_size
        dtype = next((weight.dtype for weight in self.parameters()), torch.get_default_dtype())
        if config.num_experts and not takes_grouped(dtype, *widths):
            raise ValueError(
                f"{GROUPED} needs float32, bfloat16 or float16 and rows of whole {GROUPED_ROW_BYTES} bytes, got "
                f"{str(dtype).removeprefix('torch.')}, hidden_size={widths[0]}, moe_intermediate_size={widths[1]}; "
                "set no experts_implementation, or another"
            )


def takes_grouped(dtype: torch.dtype, hidden_size: int, width: int) -> bool:
    """Tell whether torch's grouped product takes experts of a dtype and widths (H, I)."""
    is_aligned = all(size * dtype.itemsize % GROUPED_ROW_BYTES == 0 for size in (hidden_size, width))
    return dtype in GROUPED_DTYPES and is_aligned


def _best_forward(
    experts: Experts, hidden_TH: torch.Tensor, ids_TK: torch.Tensor, weights_TK: torch.Tensor
) -> torch.Tensor:
    """Run what is best on the device, for gradients, in a compiled graph, and for these widths."""
    inputs = hidden_TH, ids_TK, weights_TK
    name = DEFAULT_BACKENDS.get(hidden_TH.device.type, OURS)
    if name == OURS:
        output_TH = fast_experts(experts.gate_up_proj, experts.down, *inputs, experts.config.hidden_act)
        if output_TH is not None:
            return output_TH
        if torch.is_grad_enabled() or torch.compiler.is_compiling():  # the loop's ends are not known to a graph
            name = GROUPED
    elif ids_TK.numel() <= MOST_GATHERED_PAIRS:
        name = BATCHED
    if name == GROUPED and not takes_grouped(experts.down.dtype, *experts.down.shape[:0:-1]):
        name = OURS
    output: torch.Tensor = ALL_EXPERTS_FUNCTIONS[name](experts, *inputs)
    return output


for _name, _forward in {**FORWARDS, AUTO: _best_forward}.items():
    ALL_EXPERTS_FUNCTIONS.register(_name, _forward)
