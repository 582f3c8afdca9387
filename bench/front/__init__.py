"""Points of the front: accuracy beside throughput, of trained twins, supplied checkpoints and published models."""
