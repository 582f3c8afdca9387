"""The arms that the harness knows by name: the MoE, dense models beside it, the anchor, and other projects' code."""

PRIMARY = "moe"  # the arm whose entry is pytest-benchmark's own
TWIN = "dense"  # over the MoE's own tensors
DENSE = {  # arm -> what it is
    TWIN: "dense of equal total parameters",
    "dense_active": "dense of equal active parameters",
    "dense_reference": "the published dense shape",
}
ANCHOR = "anchor"  # frozen torch work that no code of ours touches
PEER = "/"  # in the name of an arm that runs another project's code, as in "transformers/eager"


def is_peer(arm: str) -> bool:
    """Tell whether an arm is another project's: a yardstick that is shown beside ours and never judged.

    >>> is_peer("transformers/eager"), is_peer("dense_active")
    (True, False)
    """
    return PEER in arm


def is_moe(arm: str) -> bool:
    """Tell whether an arm is a mixture of experts of ours, under whatever routing, backend or score.

    >>> [arm for arm in ("moe", "smoes-attention", "dense", "dense_active", "anchor", "liger/moe") if is_moe(arm)]
    ['moe', 'smoes-attention']
    """
    return arm not in DENSE and arm != ANCHOR and not is_peer(arm)
