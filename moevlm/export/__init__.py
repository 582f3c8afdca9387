"""The text decoder in other engines' formats: GGUF, which llama.cpp reads."""
