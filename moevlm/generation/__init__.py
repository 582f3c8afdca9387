"""Greedy generation in two phases that are measured apart: prefill (one pass over the prompt), then decode steps."""

from moevlm.generation.answer import answer
from moevlm.generation.decode import decode_step, decode_steps
from moevlm.generation.fused import FUSED, MODULES, decode_path, fused_steps
from moevlm.generation.fused_steps import FusedSteps
from moevlm.generation.prefill import prefill
from moevlm.generation.state import DecodeState
from moevlm.generation.static import StaticDecoder

__all__ = [
    "FUSED",
    "MODULES",
    "DecodeState",
    "FusedSteps",
    "StaticDecoder",
    "answer",
    "decode_path",
    "decode_step",
    "decode_steps",
    "fused_steps",
    "prefill",
]
