"""Tests of expected hits: what a formula counts is what routers under the profile hit."""

from pathlib import Path

import pytest
import torch

from bench.grid.work import cells_document, expected_hits
from moevlm.costs import phase_cost
from moevlm.presets import preset_config
from moevlm.routing.profiles import RoutingProfile
from moevlm.steering.tables import RoutersShape, bias_tables


@pytest.mark.parametrize("profile", ["paper-smoes", "specialized:3", "specialized:6..1/2", "paper-agnostic"])
@pytest.mark.parametrize("num_tokens", [(8, 0), (20, 12)])
def test_hits_are_those_of_the_tables_that_steer_routers(profile: str, num_tokens: tuple[int, int]) -> None:
    config, steered = preset_config("7b"), RoutingProfile.parse(profile)
    text = config.text_config
    tables = bias_tables(steered, RoutersShape(text.num_hidden_layers, text.num_experts, text.num_experts_per_tok))
    rng, hits = torch.Generator().manual_seed(0), []
    for table_RE in tables * 8:
        rows = len(table_RE) // 2
        chosen = [
            torch.randint(start, start + rows, (n,), generator=rng)
            for start, n in zip((0, rows), num_tokens, strict=True)
        ]
        ids = table_RE[torch.cat(chosen)].topk(text.num_experts_per_tok).indices
        hits.append(float(len(ids.unique())))
    assert expected_hits(config, steered, num_tokens) == pytest.approx(sum(hits) / len(hits), rel=0.03)


def test_a_cell_of_a_routing_differs_in_the_experts_bytes_of_the_moe_alone() -> None:
    document = cells_document(
        ["7b"], ("moe", "dense"), "bfloat16", routings=("uniform", "paper-smoes"), batches=(32,), lengths=(1024,)
    )
    found = {(one["routing"], one["phase"]): one["costs"] for one in document["cells"]}
    uniform, smoes = found["uniform", "decode"], found["paper-smoes", "decode"]
    assert uniform["dense"] == smoes["dense"]
    assert uniform["moe"]["flops"] == smoes["moe"]["flops"]
    assert smoes["moe"]["bytes"] < 0.75 * uniform["moe"]["bytes"]  # text alone hits about half of the experts


def test_what_no_formula_counts_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r").write_bytes(b"")
    for profile in ("weights", f"trained:{tmp_path / 'r'}"):
        with pytest.raises(ValueError, match=r"must be uniform, specialized:STRENGTH.*measure it"):
            cells_document(["tiny"], ("moe",), "float32", routings=(profile,))


def test_a_step_is_of_text_and_a_prompt_of_its_image_and_text() -> None:
    """Text keeps to its half of the experts, vision hardly prefers its own: 32 tokens of text hit about half."""
    config, profile = preset_config("7b"), "specialized:8/0.1"
    document = cells_document(
        ["7b"], ("moe",), "bfloat16", routings=(profile,), batches=(1, 32), lengths=(config.image_seq_length + 8,)
    )
    found = {(one["phase"], one["batch_size"]): one["costs"]["moe"]["bytes"] for one in document["cells"]}
    of_text, of_prompt = (
        expected_hits(config, RoutingProfile.parse(profile), tokens) for tokens in ((32, 0), (8, 576))
    )
    length = config.image_seq_length + 8
    for place, hit, tiles in ((("decode", 32), of_text, 0), (("prefill", 1), of_prompt, 1)):
        phase, batch_size = place
        load = {"batch_size": batch_size, "seq_len": length, "num_tiles": tiles, "dtype_bytes": 2}
        assert found[place] == pytest.approx(phase_cost(config, phase, **load, distinct_experts=hit).bytes)
    assert of_text < 0.6 * 64 < of_prompt
