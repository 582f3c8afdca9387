"""Cells of batch and length that are not measured: their work, from which the page of answers predicts their times."""
