"""A decoder's pass taken apart: what `bench_layers` times."""
