"""Other engines' decoders beside ours, from records of prefill, decode and generate to a page."""
