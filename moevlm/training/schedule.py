"""How a model is trained: its stages, and the learning rate of each step."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage: how many steps, at which peak learning rate, and whether only the projector learns."""

    num_steps: int
    learning_rate: float
    projector_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How a model is trained.

    Args:
        stages: In their order; LLaVA's are the projector alone, then everything.
        warmup_share: Part of a stage's steps in which the learning rate rises, in equal parts.
        decay_share: Part of them, the last, in which it falls so; in between it is held. What is learnt in a sudden
            transition comes late in some runs, and never where the rate has fallen by then.
        weight_decay: AdamW's, on matrices only.
        max_grad_norm: Gradients are clipped to this norm.
        probe_coef: Weight of the auxiliary loss of visual tokens.
        checkpoint_steps: A checkpoint is written each time that so many steps are done.
        log_steps: A line of the log is written as often.
    """

    stages: tuple[Stage, ...]
    warmup_share: float = 0.1
    decay_share: float = 0.25
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    probe_coef: float = 0.0
    checkpoint_steps: int = 200
    log_steps: int = 20

    def __post_init__(self) -> None:
        for name in ("checkpoint_steps", "log_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}; raise it")
        for name in ("warmup_share", "decay_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}; give a part of the steps")
        if not self.stages or any(stage.num_steps < 1 for stage in self.stages):
            raise ValueError(f"stages must each have at least one step, got {self.stages}; add steps")

    @property
    def num_steps(self) -> int:
        """Count the steps of all stages."""
        return sum(stage.num_steps for stage in self.stages)

    @property
    def held_from(self) -> int:
        """Return the step of the last stage from which the learning rate is held, counted from the first stage."""
        last = self.stages[-1].num_steps
        return self.num_steps - last + round(self.warmup_share * last)

    def locate(self, step: int) -> tuple[int, int]:
        """Return the number of a step's stage, and the step's number within it.

        Raises:
            ValueError: The schedule has no such step.
        """
        for number, stage in enumerate(self.stages):
            if step < stage.num_steps:
                return number, step
            step -= stage.num_steps
        raise ValueError(f"step must be below num_steps={self.num_steps}, got one {step} beyond; choose a smaller one")

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of a step: it rises, is held, and falls towards 0."""
        number, done = self.locate(step)
        stage = self.stages[number]
        warmup, decay = (max(1, round(share * stage.num_steps)) for share in (self.warmup_share, self.decay_share))
        return stage.learning_rate * min(1.0, (done + 1) / warmup, (stage.num_steps - done) / decay)
