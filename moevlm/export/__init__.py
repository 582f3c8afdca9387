"""The text decoder for other engines: GGUF, which llama.cpp reads, and published checkpoints, which vLLM does."""
