"""What random routing gives on average: closed forms to hold measures of placement and specialization against.

E experts, K a token (`top_k`), N devices with E / N experts each. Distinct experts are in `moevlm.costs`.
"""

import math

from moevlm.smoes.placement import experts_a_device

MAX_STRENGTH = 64.0  # log-odds: e^64 leaves no other expert a chance in float64
STRENGTH_TOLERANCE = 1e-10  # log-odds: far below what a table in float32 can show


def uniform_remote_devices(num_experts: int, top_k: int, num_devices: int) -> float:
    """Return the remote devices a token of uniform routing: (N - 1) (1 - C(E - E/N, K) / C(E, K)).

    >>> round(uniform_remote_devices(64, 8, 8), 2)
    4.75
    """
    others = num_experts - experts_a_device(num_experts, num_devices)
    return (num_devices - 1) * (1 - math.comb(others, top_k) / math.comb(num_experts, top_k))


def specialized_cross_device_rate(strength: float, num_experts: int, top_k: int) -> float:
    """Return the cross-device rate where half the experts are at home, on one of two devices, and favoured.

    K draws without replacement, a home expert with the odds w = e^strength against another: all K are at home with the
    probability prod_{i<K} w (h - i) / (w (h - i) + E - h), h = E / 2.

    Args:
        strength: Log-odds of a home expert; 0 is uniform routing.

    >>> round(specialized_cross_device_rate(4.0, 64, 8), 3)
    0.151
    """
    half = experts_a_device(num_experts, 2)
    home = [math.exp(strength) * (half - drawn) for drawn in range(min(top_k, half + 1))]
    return 1 - math.prod(weight / (weight + half) for weight in home)


def expected_home_choices(strength: float, num_experts: int, top_k: int) -> float:
    """Return how many of a token's K experts are at home, half the experts being so and favoured.

    The mean of Wallenius' distribution: K draws without replacement, a home expert with the odds e^strength against
    another (Wallenius 1963; Fog 2008, doi:10.1080/03610910701790269), summed over all orders of the draws.

    Args:
        strength: Log-odds of a home expert; 0 is uniform routing.

    >>> round(expected_home_choices(0.0, 64, 8), 2), round(expected_home_choices(4.0, 64, 8), 2)
    (4.0, 7.84)
    """
    half, weight = experts_a_device(num_experts, 2), math.exp(strength)
    chances = [1.0]  # of 0, 1, ... home experts among those drawn so far
    for drawn in range(top_k):
        after = [0.0] * (len(chances) + 1)
        for home, chance in enumerate(chances):
            odds_home, odds_other = weight * (half - home), half - (drawn - home)
            after[home + 1] += chance * odds_home / (odds_home + odds_other)
            after[home] += chance * odds_other / (odds_home + odds_other)
        chances = after
    return sum(home * chance for home, chance in enumerate(chances))


def specialized_distinct_experts(
    strengths: tuple[float, float], num_experts: int, top_k: int, num_tokens: tuple[int, int]
) -> float:
    """Return how many experts are hit where each modality favours its own half of them.

    With equal odds this is `moevlm.costs.expected_distinct_experts` of all tokens together.

    Args:
        strengths: Log-odds of text's home and of vision's.
        num_tokens: Text tokens and vision tokens.

    >>> round(specialized_distinct_experts((0.0, 0.0), 64, 8, (8, 0)), 1)
    42.0
    >>> round(specialized_distinct_experts((64.0, 64.0), 64, 8, (8, 0)), 1)
    28.8
    """
    half = experts_a_device(num_experts, 2)
    home = [expected_home_choices(strength, num_experts, top_k) for strength in strengths]
    text_missed, vision_missed = (
        (1 - home[own] / half) ** num_tokens[own] * (1 - (top_k - home[other]) / half) ** num_tokens[other]
        for own, other in ((0, 1), (1, 0))
    )
    return half * (2 - text_missed - vision_missed)


def strength_for_rate(rate: float, num_experts: int, top_k: int) -> float:
    """Return the log-odds at which `specialized_cross_device_rate` is `rate`, by bisection.

    Args:
        rate: Wanted share of tokens that leave their device, in (0, 1).

    Raises:
        ValueError: No strength from 0 (uniform) on gives that rate.

    >>> round(strength_for_rate(0.15, 64, 8), 2)
    4.01
    """
    low, high = 0.0, MAX_STRENGTH
    highest, lowest = (specialized_cross_device_rate(strength, num_experts, top_k) for strength in (low, high))
    if not lowest <= rate <= highest:
        raise ValueError(
            f"cross-device rate of {num_experts} experts, {top_k} a token, must be in [{lowest:.1%}, {highest:.1%}] "
            f"(hard to uniform routing), got {rate:.1%}; use uniform routing, or a model with other numbers of experts"
        )
    while high - low > STRENGTH_TOLERANCE:
        middle = (low + high) / 2
        above = specialized_cross_device_rate(middle, num_experts, top_k) > rate
        low, high = (middle, high) if above else (low, middle)
    return (low + high) / 2
