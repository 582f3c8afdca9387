"""Train the shipped tokenizer again, to the same file: `python -m moevlm.model.tokenizer.train`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from moevlm.model.tokenizer import BOS_TOKEN, SPECIAL_TOKENS, TOKENIZER_PATH
from moevlm.model.tokenizer.corpus import corpus
from moevlm_programs.parsing import Parser
from moevlm_programs.program import run_program
from moevlm_programs.terminal import say

VOCAB_SIZE = 1024  # fits every preset's embedding: 4 special tokens, 256 bytes, the rest merges


def train_tokenizer() -> Tokenizer:
    """Train byte-level BPE on the corpus; digits stay single, so a number costs one token a digit."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS_TOKEN} $A", special_tokens=[(BOS_TOKEN, SPECIAL_TOKENS.index(BOS_TOKEN))]
    )
    return tokenizer


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the tokenizer."""
    parser = Parser(prog="python -m moevlm.model.tokenizer.train", description=__doc__)
    parser.add_argument("--out", type=Path, default=TOKENIZER_PATH, metavar="FILE", help="default: the shipped file")
    out: Path = parser.parse_args(arguments).out
    out.write_text(train_tokenizer().to_str(pretty=True), encoding="utf-8")
    say(f"written: {out}")


if __name__ == "__main__":
    sys.exit(run_program(main))
