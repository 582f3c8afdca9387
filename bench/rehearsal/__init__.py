"""A GPU that is not there: its work is computed on the CPU, by the rules that a GPU's tensors and graphs have."""
