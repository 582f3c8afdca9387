"""What the CPU backend runs: C++ compiled for the machine at first use, and the choice of what it may use there."""
