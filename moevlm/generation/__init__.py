"""Greedy generation in two phases that are measured apart: prefill (one pass over the prompt), then decode steps."""

from moevlm.generation.answer import answer
from moevlm.generation.decode import decode_step, decode_steps
from moevlm.generation.prefill import prefill
from moevlm.generation.state import DecodeState
from moevlm.generation.static import StaticDecoder

__all__ = ["DecodeState", "StaticDecoder", "answer", "decode_step", "decode_steps", "prefill"]
