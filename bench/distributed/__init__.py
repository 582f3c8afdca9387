"""Programs of several processes, started by torchrun: expert parallelism and the link that it runs over."""
