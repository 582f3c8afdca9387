"""Routing profiles: how the experts' choice is steered in a measurement, and which row of its tables a token reads.

Shapes: B samples, S positions.
"""

import hashlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from moevlm.routing.router import LOGIT_DAMPING

NUM_NOISE_ROWS = 509  # rows of a table for each modality: prime, so that sample and position strides reach every row
SAMPLE_STRIDE = 97  # rows between two samples of a batch: samples of equal length do not route alike
DEFINITION_VERSION = 1  # part of the hash: raise it when a profile of the same fields routes differently
UNSAFE_IN_IDS = re.compile(r"[^\w.]+")  # what a file's name may hold and a scenario's id may not


class Ramp(NamedTuple):
    """Log-odds of one modality's home, linear from the first MoE layer to the last."""

    first: float
    last: float

    def at(self, layer: int, num_layers: int) -> float:
        """Return the log-odds in a layer, counted from 0."""
        return self.first + (self.last - self.first) * layer / max(1, num_layers - 1)

    def __str__(self) -> str:
        return f"{self.first:g}" if self.first == self.last else f"{self.first:g}..{self.last:g}"


@dataclass(frozen=True, kw_only=True)
class RoutingProfile:
    """Say how routing is steered in a measurement.

    Args:
        name: "weights" leaves the router alone; "uniform" draws a random K-subset of the experts for each token;
            "specialized" also favours, by modality, the half of the experts that is that modality's home;
            "paper-agnostic" and "paper-smoes" are specialized just so much that the share of the tokens that leave
            their home half is the paper's; "trained" draws by the shares of a recording; "replay" repeats its choices.
        strength: Log-odds of a home expert against another one in the first draw: a number, or a ramp over the layers
            for text and one for vision; "specialized" only.
        seed: Seed of the noise, of the home permutation, and of which of several recorded tokens a row replays.
        file: What `moevlm.steering.replay.save_routing` wrote; "trained" and "replay" only.

    Raises:
        ValueError: The name is unknown, strength or file do not fit it, or there is no such file.
    """

    name: str = "weights"
    strength: float | tuple[Ramp, Ramp] = 0.0
    seed: int = 0
    file: Path | None = None

    def __post_init__(self) -> None:
        if self.name not in PROFILES:
            raise ValueError(f"routing profile must be one of {known_profiles()}, got {self.name!r}; choose another")
        takes_strength, takes_file = (PROFILES[self.name] == argument for argument in ("STRENGTH", "FILE"))
        remedy = f"write one of {known_profiles()}"
        log_odds = [value for ramp in self.ramps for value in ramp]
        if any(log_odds) != takes_strength or not all(math.isfinite(value) and value >= 0 for value in log_odds):
            rule = "a finite strength above 0" if takes_strength else "no strength"
            raise ValueError(f"routing profile {self.name} takes {rule}, got {self.strength}; {remedy}")
        if (self.file is not None) != takes_file:
            rule = "a file" if takes_file else "no file"
            raise ValueError(f"routing profile {self.name} takes {rule}, got {self.file}; {remedy}")
        if self.file is not None and not self.file.is_file():
            raise ValueError(f"routing file must exist, got {str(self.file)!r}; write it with save_routing")

    @classmethod
    def parse(cls, text: str, *, seed: int = 0) -> "RoutingProfile":
        """Read a profile's name and, after a colon, what it takes.

        STRENGTH is log-odds for both modalities, TEXT/VISION for each its own; FIRST..LAST, in place of a number, is
        linear over the layers. FILE is a path.

        Args:
            text: One of the spellings in PROFILES.
            seed: Seed of the profile.

        Raises:
            ValueError: The text names no known profile, or what follows the name does not fit it.

        >>> RoutingProfile.parse("specialized:4").id, RoutingProfile.parse("specialized:6..1/2").id
        ('specialized4', 'specialized-t6..1-v2')
        """
        name, _, argument = text.partition(":")
        if PROFILES.get(name) == "FILE":
            return cls(name=name, file=Path(argument) if argument else None, seed=seed)
        return cls(name=name, strength=_strength(argument, text), seed=seed)

    @property
    def ramps(self) -> tuple[Ramp, Ramp]:
        """Return the log-odds over the layers, of text and of vision."""
        if isinstance(self.strength, tuple):
            return self.strength
        return Ramp(self.strength, self.strength), Ramp(self.strength, self.strength)

    @property
    def id(self) -> str:
        """Name the profile as test ids do; seed and content of a file are told apart by the hash only."""
        if self.file is not None:
            return f"{self.name}-{UNSAFE_IN_IDS.sub('_', self.file.stem)}"
        text, vision = self.ramps
        if text != vision:
            return f"{self.name}-t{text}-v{vision}"
        return f"{self.name}{text}" if any(text) else self.name

    @property
    def is_biased(self) -> bool:
        """Tell whether the profile adds anything to the router's logits."""
        return self.name != "weights"

    def hash(self) -> str:
        """Return 16 hexadecimal digits of the SHA-256 of the profile's definition and of its file's content."""
        definition = {
            "name": self.name,
            "strength": self.strength,
            "seed": self.seed,
            "version": DEFINITION_VERSION,
            "rows": NUM_NOISE_ROWS,
            "damping": LOGIT_DAMPING,
        }
        if self.file is not None:
            definition["file"] = hashlib.sha256(self.file.read_bytes()).hexdigest()
        return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()[:16]


PROFILES = {  # name -> what follows it and a colon
    "weights": "",
    "uniform": "",
    "specialized": "STRENGTH",
    "paper-agnostic": "",
    "paper-smoes": "",
    "trained": "FILE",
    "replay": "FILE",
}


def known_profiles() -> str:
    """Write how each profile is spelled, in one line."""
    return ", ".join(f"{name}:{argument}" if argument else name for name, argument in PROFILES.items())


def _strength(argument: str, text: str) -> float | tuple[Ramp, Ramp]:
    """Read TEXT/VISION, or what holds for both; one number where all are the same, 0 for nothing."""
    if not argument:
        return 0.0
    text_part, slash, vision_part = argument.partition("/")
    text_ramp = _ramp(text_part, text)
    ramps = (text_ramp, _ramp(vision_part, text) if slash else text_ramp)
    return text_ramp.first if len({*ramps[0], *ramps[1]}) == 1 else ramps


def _ramp(part: str, text: str) -> Ramp:
    """Read FIRST..LAST or one number."""
    first, dots, last = part.partition("..")
    try:
        return Ramp(float(first), float(last if dots else first))
    except ValueError:
        raise ValueError(
            f"routing strength must be a number, FIRST..LAST or TEXT/VISION, got {part!r} in {text!r}; "
            f"write one of {known_profiles()}"
        ) from None


def bias_rows(
    position_ids_BS: torch.Tensor, vision_mask_BS: torch.Tensor | None = None, samples: range | None = None
) -> torch.Tensor:
    """Return each token's row of the bias table, so that routing depends on sample, position and modality alone.

    Args:
        position_ids_BS: Positions, int64; padding does not count.
        vision_mask_BS: True where a token stands for an image feature; None = all text.
        samples: Numbers of the samples in the batch of which these are a part; None = they are all of it.

    Returns:
        Rows, int64, of shape (B * S,): text rows, then vision rows.
    """
    numbers = samples or range(len(position_ids_BS))
    start, stop, step = (SAMPLE_STRIDE * bound for bound in (numbers.start, numbers.stop, numbers.step))
    samples_B1 = torch.arange(start, stop, step, device=position_ids_BS.device)[:, None]
    rows_BS = (samples_B1 + position_ids_BS) % NUM_NOISE_ROWS
    if vision_mask_BS is not None:
        rows_BS = rows_BS + NUM_NOISE_ROWS * vision_mask_BS
    return rows_BS.flatten()
