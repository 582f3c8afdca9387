"""Soft modality-guided expert specialization: scores, bins, losses, what they come to, placement. arXiv 2604.23996."""
