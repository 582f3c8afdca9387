"""Vision: latency of encoding a batch's images, tower and projector.

The MoE and its dense twin run the same tensors here, so their ratio is 1 by construction: where its interval leaves 1,
the measurement is off. Other arms share the tower and have projectors of their own.
"""

import torch

from bench.checks.passes import checks_of
from bench.floors import costs_of
from bench.harness.metrics import LATENCY
from bench.harness.paired import Paired
from fixtures.inputs import Inputs
from fixtures.models import Twins
from fixtures.oracle.keeper import Oracle


def bench_vision(
    paired: Paired, twins: Twins, inputs: Inputs, oracle: Oracle, prefill_anchor: str, batch_size: int
) -> None:
    """Encode the images of `batch_size` samples."""
    pixels = {name: inputs.tensors[name] for name in ("pixel_values", "image_sizes") if name in inputs.tensors}

    @torch.inference_mode()
    def encode(arm: str) -> torch.Tensor:
        return torch.cat(tuple(twins[arm].model.get_image_features(**pixels).pooler_output))

    features = paired.measure(
        encode,
        arms=twins,
        check=checks_of(oracle, twins, inputs).features(encode),
        metric=LATENCY,
        anchor=prefill_anchor,
        rates={"images_per_s": inputs.num_images},
        costs=costs_of(twins, "vision", batch_size=batch_size, num_tiles=inputs.num_tiles),
        hashes={"workload": inputs.hash},
        facts={"num_image_tokens": inputs.num_image_tokens},
    )
    for arm, encoded in features.items():
        assert encoded.shape == (inputs.num_image_tokens, twins[arm].config.text_config.hidden_size)
        assert torch.isfinite(encoded).all()
    assert torch.equal(features["moe"], features.get("dense", features["moe"]))
