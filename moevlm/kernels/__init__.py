"""What the expert backends run where torch has nothing: kernels by device, and a plain loop for everything else."""
