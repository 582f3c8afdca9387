"""Vision: latency of encoding a batch's images, tower and projector.

Both arms run the same tensors, so their ratio is 1 by construction: where its interval leaves 1, the measurement is
off.
"""

import torch

from bench.floors import costs_of, depth_facts
from bench.harness.metrics import LATENCY
from bench.harness.paired import Paired
from fixtures.inputs import Inputs
from fixtures.models import Twins


def bench_vision(paired: Paired, twins: Twins, inputs: Inputs, batch_size: int) -> None:
    """Encode the images of `batch_size` samples."""
    pixels = {name: inputs.tensors[name] for name in ("pixel_values", "image_sizes") if name in inputs.tensors}

    @torch.inference_mode()
    def encode(arm: str) -> torch.Tensor:
        return torch.cat(tuple(twins[arm].model.get_image_features(**pixels).pooler_output))

    features = paired.measure(
        encode,
        arms=twins,
        metric=LATENCY,
        anchor="matmul",
        rates={"images_per_s": inputs.num_images},
        costs=costs_of(twins, "vision", batch_size=batch_size, num_tiles=inputs.num_tiles),
        hashes={"workload": inputs.hash},
        facts={"num_image_tokens": inputs.num_image_tokens, **depth_facts(twins)},
    )
    hidden_size = twins["moe"].config.text_config.hidden_size
    assert features["moe"].shape == (inputs.num_image_tokens, hidden_size)
    assert torch.isfinite(features["moe"]).all()
    assert all(torch.equal(features["moe"], other) for other in features.values())
