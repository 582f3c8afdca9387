"""How far two ways through a model are apart, row by row.

Shapes: T rows, D width of a row.
"""

import torch


def largest_error(found_TD: torch.Tensor, expected_TD: torch.Tensor) -> float:
    """Return the largest relative error of a row; NaN where one is not a number."""
    error_T = (found_TD.double() - expected_TD.double()).norm(dim=-1) / expected_TD.double().norm(dim=-1)
    return float(error_T.max())
