"""Decoder layers, from records of bench_layers to tables: where the time goes, and what routing has to do with it."""
