"""What a question only says, `<image>` or another name of a token, reaches every family's model as text."""

from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image
from tokenizers import AddedToken, Regex, Tokenizer, normalizers
from transformers import Blip2Processor, Gemma3Processor, LlavaProcessor, PreTrainedTokenizerFast
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

from bench.front.supplied.prompts import JOINERS, WORD, as_text, encode
from fixtures.tasks import Sample
from fixtures.tasks.marks import IMAGE, as_said
from fixtures.workload import load_workload
from moevlm.model.processing import build_processor
from moevlm.model.tokenizer import TOKENIZER_PATH
from moevlm.presets import preset_config

SIDE = {"height": 28, "width": 28}
TEMPLATE = (
    "{% for m in messages %}USER: {% for c in m['content'] %}{% if c['type'] == 'image' %}MARK{% else %}"
    "{{ c['text'] }}{% endif %}{% endfor %}{% endfor %} ASSISTANT:"
)
SAID = "What do <image>, [IMG], </s> and <boi> do?"


def tokenizer_of(**tokens: str) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_file=str(TOKENIZER_PATH), bos_token="<s>", eos_token="</s>", pad_token="<pad>", padding_side="left",
        extra_special_tokens=tokens,
    )  # fmt: skip


def llava(mark: str) -> LlavaProcessor:
    return LlavaProcessor(
        LlavaImageProcessorPil(size={"shortest_edge": 28}, crop_size=SIDE), tokenizer_of(image_token=mark),
        patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1, image_token=mark,
        chat_template=TEMPLATE.replace("MARK", mark),
    )  # fmt: skip


def gemma() -> Gemma3Processor:
    tokenizer = tokenizer_of(image_token="<image>", boi_token="<boi>", eoi_token="<eoi>")
    return Gemma3Processor(Gemma3ImageProcessorPil(size=SIDE), tokenizer, image_seq_length=4)


def blip() -> Blip2Processor:
    return Blip2Processor(BlipImageProcessorPil(size=SIDE), tokenizer_of(), num_query_tokens=4)


FAMILIES: dict[str, tuple[Callable[[], Any], str, int]] = {  # and what stands for an image's features, how often
    "ours": (lambda: build_processor(preset_config("tiny")), "<image>", 16),
    "llava": (lambda: llava("<image>"), "<image>", 4),
    "llava of another mark": (lambda: llava("[IMG]"), "[IMG]", 4),
    "gemma 3": (gemma, "<image>", 4),
    "blip-2": (blip, "<image>", 4),
}


def sample_of(question: str) -> Sample:
    return Sample(
        workload=load_workload("chartqa"), images=(Image.new("RGB", (28, 28)),), context="", answers=("a",),
        prompt=f"{IMAGE}\n{as_said(question)}\nShortly.", num_text_tokens=None, num_output_tokens=None, source="here",
    )  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_a_question_that_says_names_of_tokens_is_asked_word_for_word(family: str) -> None:
    make, feature, num_features = FAMILIES[family]
    processor = make()
    tokenizer = processor.tokenizer
    said, plain = (encode(processor, [sample_of(text)])["input_ids"][0].tolist() for text in (SAID, "What do I do?"))
    counts = [[ids.count(token) for token in tokenizer.all_special_ids] for ids in (said, plain)]
    assert counts[0] == counts[1]
    assert said.count(tokenizer.convert_tokens_to_ids(feature)) == num_features
    shown = tokenizer.decode(said)
    for joiner in JOINERS:
        shown = shown.replace(joiner, "")
    assert f"{SAID}\n{WORD}" in shown


def test_a_name_that_is_no_token_of_a_checkpoint_is_left_alone() -> None:
    assert as_text(llava("<image>"), "What does [IMG] do?") == "What does [IMG] do?"


def test_a_mark_that_only_a_processor_knows_is_text_too() -> None:
    processor = SimpleProcessor("(picture)")
    assert as_text(processor, "a (picture), </s>") == f"a ({JOINERS[0]}picture), <{JOINERS[0]}/s>"


class SimpleProcessor:
    """A processor that looks for a mark of its own in the text, which is no token."""

    def __init__(self, mark: str) -> None:
        self.tokenizer, self.image_token = tokenizer_of(), mark


class Normalising:
    """A processor whose tokenizer drops some characters before it looks for `<image>`."""

    def __init__(self, dropped: str) -> None:
        backend = Tokenizer.from_file(str(TOKENIZER_PATH))
        backend.normalizer = normalizers.Replace(Regex(f"[{dropped}]"), "")
        backend.add_special_tokens([AddedToken("<picture>", special=True, normalized=True)])
        self.tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)


def test_where_a_tokenizer_drops_one_invisible_character_another_is_taken() -> None:
    assert as_text(Normalising(JOINERS[0]), "a <picture>") == f"a <{JOINERS[1]}picture>"


def test_where_it_drops_both_the_row_is_refused_with_what_it_says() -> None:
    with pytest.raises(ValueError, match=r"must be text alone, got <picture>, which the tokenizer .* remove that row"):
        as_text(Normalising("".join(JOINERS)), "a <picture>")


class Templated:
    """A processor with a chat template that notes what it is asked for."""

    chat_template = TEMPLATE

    def __init__(self, *names: str) -> None:
        self.tokenizer, self.model_input_names = tokenizer_of(), names
        self.options: dict[str, Any] = {}

    def apply_chat_template(self, _: Any, *, processor_kwargs: dict[str, Any], **__: Any) -> dict[str, Any]:
        self.options = processor_kwargs
        return {}


@pytest.mark.parametrize(
    ("names", "options"),
    [(("input_ids",), {"padding": True}),
     (("input_ids", "mm_token_type_ids"), {"padding": True, "return_mm_token_type_ids": True})],
)  # fmt: skip
def test_what_tells_images_from_text_is_asked_of_a_processor_that_knows_it(
    names: tuple[str, ...], options: dict[str, Any]
) -> None:
    processor = Templated(*names)
    encode(processor, [sample_of("How many?")])
    assert processor.options == options
