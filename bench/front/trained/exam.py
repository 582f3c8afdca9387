"""What trained twins are asked, and the points of their answers; answers are kept beside the twin."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.accuracy import ALL, Points, score_pictures
from fixtures.tasks.procedural import TRAINING_STYLE, Picture, Task
from fixtures.training.answers import answers, held_out_pictures, requests_of, routings
from fixtures.training.kept import Answered, read_kept
from fixtures.training.routing import describe_routing
from fixtures.training.runs import read_twin, write_atomically
from fixtures.training.shipped import weights_hash
from fixtures.training.tokens import Lexicon
from moevlm.model.vision_language import MoEVLM
from moevlm.training import MODEL

ROUTED_REQUESTS = 400  # whose routing is described: 40,000 tokens tell the shares of 16 experts to a hundredth
ANSWERS = "answers.json"  # in a twin's folder


@dataclass(frozen=True, kw_only=True)
class Exam:
    """On what twins are tested: pictures of the test split, in the training style and in each of the held-out ones."""

    num_pictures: int = 150
    num_shifted: int = 25
    difficulty: str = "easy"
    batch_size: int = 8  # requests, for throughput
    num_blocks: int = 20

    def __post_init__(self) -> None:
        """Refuse an exam without pictures; none in the held-out styles leaves these out."""
        for name, value, least in (("pictures", self.num_pictures, 1), ("shifted-pictures", self.num_shifted, 0)):
            if value < least:
                raise ValueError(f"--{name} must be at least {least}, got {value}; ask for more")

    @property
    def asked(self) -> dict[str, Any]:
        """Return what answers depend on."""
        return {"pictures": self.num_pictures, "shifted": self.num_shifted, "difficulty": self.difficulty}

    def pictures(self, task: Task) -> dict[str, list[Picture]]:
        """Return the pictures of each style that the task has."""
        shifted = task.styles if self.num_shifted else ()
        counts = {**dict.fromkeys(shifted, self.num_shifted), TRAINING_STYLE: self.num_pictures}
        return {
            style: held_out_pictures(task, count, difficulty=self.difficulty, style=style)
            for style, count in counts.items()
        }


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A twin with what it answered: its description, and the points of each group by style."""

    about: Mapping[str, Any]
    styles: Mapping[str, Mapping[str, Points]]
    routing: Mapping[str, Any] | None

    @property
    def points(self) -> Points:
        """Return the points of all questions in the training style."""
        return self.styles[TRAINING_STYLE][ALL]


def score_twin(folder: Path, model: MoEVLM, task: Task, pictures: Mapping[str, list[Picture]], exam: Exam) -> Scored:
    """Score a twin's answers; those that it gave before are read.

    Args:
        exam: What the pictures are, to know kept answers by.
    """
    lexicon, path = Lexicon(task), folder / ANSWERS
    key = {"weights": weights_hash(folder / MODEL), "asked": exam.asked}
    kept: dict[str, Any] = {}
    if path.exists():
        kept = read_kept(path, Answered, remedy="remove it: the twin will answer again")
    requests = {style: requests_of(drawn) for style, drawn in pictures.items()}
    if kept.get("key") != key:
        said = {style: answers(model, lexicon, asked) for style, asked in requests.items()}
        routing = None
        if model.config.text_config.num_experts:
            routed = requests[TRAINING_STYLE][:ROUTED_REQUESTS]
            routing = describe_routing(model, routings(model, lexicon, routed))
        kept = {"key": key, "answers": said, "routing": routing}
        write_atomically(path, kept)
    asked_for, found = ({style: len(one) for style, one in some.items()} for some in (requests, kept["answers"]))
    if found != asked_for:
        raise ValueError(f"{path} must hold an answer to each question, got {found}; remove it: it will answer again")
    styles = {style: score_pictures(task, drawn, kept["answers"][style]) for style, drawn in pictures.items()}
    return Scored(about=read_twin(folder), styles=styles, routing=kept["routing"])
