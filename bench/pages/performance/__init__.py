"""Expert backends and decode beside other projects' code, from records of bench_experts and decode_peers to a page."""
