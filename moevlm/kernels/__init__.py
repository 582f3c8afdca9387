"""What the model runs where torch has nothing as fast: kernels by device, and plain products for everything else."""
