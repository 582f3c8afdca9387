"""The shipped tokenizer: byte-level BPE; `python -m fixtures.tokenizer` makes it again."""

from pathlib import Path

from transformers import PreTrainedTokenizerFast

TOKENIZER_PATH = Path(__file__).with_name("tokenizer.json")
PAD_TOKEN, BOS_TOKEN, EOS_TOKEN, IMAGE_TOKEN = "<pad>", "<s>", "</s>", "<image>"
SPECIAL_TOKENS = (PAD_TOKEN, BOS_TOKEN, EOS_TOKEN, IMAGE_TOKEN)
PAD_TOKEN_ID, BOS_TOKEN_ID, EOS_TOKEN_ID, IMAGE_TOKEN_ID = range(len(SPECIAL_TOKENS))  # their places above


def load_tokenizer(*, max_length: int) -> PreTrainedTokenizerFast:
    """Load the shipped tokenizer; it pads on the left, so that the last position of every row is its newest token.

    Args:
        max_length: Longest sequence of the model it serves, tokens.

    Example:
        >>> load_tokenizer(max_length=512)("<image>").input_ids
        [1, 3]
    """
    return PreTrainedTokenizerFast(
        tokenizer_file=str(TOKENIZER_PATH),
        pad_token=PAD_TOKEN,
        bos_token=BOS_TOKEN,
        eos_token=EOS_TOKEN,
        extra_special_tokens={"image_token": IMAGE_TOKEN},
        padding_side="left",
        model_input_names=["input_ids", "attention_mask"],
        model_max_length=max_length,
    )
