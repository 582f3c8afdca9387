"""The network and what stands around it: layers, vision-language model, processor, tokenizer, checkpoints."""
