"""`moevlm-bench`, the suite as a distribution of its own: what gates a model, without the model."""
