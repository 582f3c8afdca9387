"""The work of decode and prefill over batch and length, under a routing profile: what bench.grid writes as cells."""

from collections.abc import Iterator, Sequence
from itertools import product
from statistics import fmean
from typing import Any

from bench.floors import Work, work_of
from bench.pages.results.cells import KIND, SCHEMA_VERSION, UNIFORM
from moevlm.config import MoEVLMConfig
from moevlm.costs import phase_cost
from moevlm.presets import preset_config, preset_variants
from moevlm.routing.profiles import RoutingProfile
from moevlm.steering.expected_routing import specialized_distinct_experts
from moevlm.steering.tables import RoutersShape, home_ramps

PHASES = ("decode", "prefill")
BATCHES, LENGTHS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512), (640, 1024, 2048, 4096)
DTYPE_BYTES = {"bfloat16": 2, "float16": 2, "float32": 4, "float64": 8}
NOT_IN_FORMULAS = (
    "routing of a predicted cell must be uniform, specialized:STRENGTH, paper-agnostic or paper-smoes, whose experts a "
    "formula counts, got {}; measure it"
)


def cells_document(
    scales: Sequence[str],
    arms: Sequence[str],
    dtype: str,
    *,
    routings: Sequence[str] = (UNIFORM,),
    batches: Sequence[int] = BATCHES,
    lengths: Sequence[int] = LENGTHS,
) -> dict[str, Any]:
    """Return the document, as `bench.pages.results.cells` describes it, without requests.

    Raises:
        ValueError: No formula counts the experts that a routing profile hits.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": KIND,
        "dtype": dtype,
        "cells": [
            cell
            for scale, routing, phase in product(scales, routings, PHASES)
            for cell in _cells(scale, arms, dtype, routing, phase, batches, lengths)
        ],
    }


def _cells(
    scale: str,
    arms: Sequence[str],
    dtype: str,
    routing: str,
    phase: str,
    batches: Sequence[int],
    lengths: Sequence[int],
) -> Iterator[dict[str, Any]]:
    known, profile = [arm for arm in arms if arm in preset_variants(scale)], RoutingProfile.parse(routing)
    for batch_size, length in product(batches, lengths):
        costs = {arm: _cost(scale, arm, phase, batch_size, length, DTYPE_BYTES[dtype], profile) for arm in known}
        place = {"scale": scale, "phase": phase, "batch_size": batch_size, "length": length, "routing": routing}
        yield {**place, "costs": costs}


def _cost(
    scale: str, arm: str, phase: str, batch_size: int, length: int, dtype_bytes: int, profile: RoutingProfile
) -> Work:
    config, is_prefill = preset_config(scale, arm), phase == "prefill"
    seen = config.image_seq_length if is_prefill else 0
    tokens = (batch_size * ((length if is_prefill else 1) - seen), batch_size * seen)
    load = {"batch_size": batch_size, "seq_len": length, "num_tiles": batch_size if is_prefill else 0}
    hit = expected_hits(config, profile, tokens)
    return work_of([phase_cost(config, phase, **load, dtype_bytes=dtype_bytes, distinct_experts=hit)])


def expected_hits(config: MoEVLMConfig, profile: RoutingProfile, num_tokens: tuple[int, int]) -> float | None:
    """Return how many experts tokens hit in a layer, the mean over layers; None of uniform routing and dense models.

    Args:
        num_tokens: Text tokens and vision tokens.

    Raises:
        ValueError: No formula counts the experts that the profile hits.
    """
    text = config.text_config
    if not text.num_experts or profile.name == UNIFORM:
        return None
    if not is_counted(profile):
        raise ValueError(NOT_IN_FORMULAS.format(profile.id))
    shape = RoutersShape(text.num_hidden_layers, text.num_experts, text.num_experts_per_tok)
    of_text, of_vision = home_ramps(profile, shape)
    return fmean(
        specialized_distinct_experts(
            (of_text.at(layer, shape.num_layers), of_vision.at(layer, shape.num_layers)), *shape[1:], num_tokens
        )
        for layer in range(shape.num_layers)
    )


def is_counted(profile: RoutingProfile) -> bool:
    """Tell whether a formula counts the experts that a profile hits."""
    return profile.file is None and profile.is_biased
