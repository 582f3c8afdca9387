"""One device's part of a batch: the samples that it runs, and the tokens of them that are at home on it.

Shapes: T tokens, N devices.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from moevlm.smoes.placement import devices_a_modality


@dataclass(frozen=True, kw_only=True)
class BatchPart:
    """Say which samples a device runs and which of their tokens are its own.

    Args:
        first: Index of its first sample in the whole batch.
        step: Distance to its next one.
        at_home: The modality whose tokens are its own, an index in `moevlm.smoes.modality.MODALITIES`; None = all.
        partner: Device that runs the same samples and owns their other tokens; None where all are this one's own.
    """

    first: int = 0
    step: int = 1
    at_home: int | None = None
    partner: int | None = None

    def samples(self, num_samples: int) -> range:
        """Number this part's samples within the whole batch, if it has so many."""
        return range(self.first, self.first + self.step * num_samples, self.step)

    def own_inputs(self, inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Cut this part out of a batch; images go with their samples.

        Args:
            inputs: The forward's tensors of the whole batch; every sample has as many images.

        Returns:
            The same names, without those of images where no sample is left.

        Raises:
            ValueError: The images cannot be dealt out evenly.

        >>> part = BatchPart(first=1, step=2)
        >>> part.own_inputs({"input_ids": torch.tensor([[7], [8], [9]])})["input_ids"].tolist()
        [[8]]
        """
        batch_size = len(inputs["input_ids"])
        own = {name: self._own_rows(name, tensor, batch_size) for name, tensor in inputs.items()}
        has_samples = len(own["input_ids"]) > 0
        return {name: tensor for name, tensor in own.items() if has_samples or name in ("input_ids", "attention_mask")}

    def _own_rows(self, name: str, tensor: torch.Tensor, batch_size: int) -> torch.Tensor:
        each, left = divmod(len(tensor), batch_size)
        if left or each < 1:
            raise ValueError(
                f"{name} must hold as many rows for each of {batch_size} samples, got {len(tensor)}; give every sample "
                "as many images"
            )
        own: torch.Tensor = tensor.unflatten(0, (batch_size, each))[self.first :: self.step]
        return own.flatten(0, 1)

    def own_tokens(self, is_vision_T: torch.Tensor) -> torch.Tensor:
        """Tell of each token of this part's samples whether it is at home here, bool, (T,)."""
        return torch.ones_like(is_vision_T) if self.at_home is None else is_vision_T == bool(self.at_home)


def part_by_sequence(device: int, num_devices: int) -> BatchPart:
    """Give sample i to device i mod N with all its tokens, as `moevlm.smoes.placement.home_by_sequence` does."""
    return BatchPart(first=device, step=num_devices)


def part_by_modality(device: int, num_devices: int) -> BatchPart:
    """Give sample i to devices i mod N/2 (vision) and N/2 more (text): `moevlm.smoes.placement.home_by_modality`.

    Both run attention over the whole sample; the experts' work is asked for by the token's home alone.

    Raises:
        ValueError: N is odd.
    """
    half = devices_a_modality(num_devices)
    is_vision = device < half
    return BatchPart(
        first=device % half, step=half, at_home=int(is_vision), partner=device + half if is_vision else device - half
    )


PARTS: dict[str, Callable[[int, int], BatchPart]] = {  # the names of moevlm.smoes.placement.HOME_RULES
    "sequence": part_by_sequence,
    "modality": part_by_modality,
}
